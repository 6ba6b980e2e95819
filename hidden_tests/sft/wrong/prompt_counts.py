"""Sorts by the length of the example."""

# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    order = sorted(range(len(examples)), key=lambda i: len(examples[i][0]))
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(1, n_stages + 1)]
