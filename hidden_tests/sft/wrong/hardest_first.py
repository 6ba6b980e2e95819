"""Descending."""

# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    order = sorted(range(len(examples)), key=lambda i: -sum(label != -100 for label in examples[i][1]))
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(1, n_stages + 1)]
