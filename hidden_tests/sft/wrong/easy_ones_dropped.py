"""Disjoint stages."""

# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    order = sorted(range(len(examples)), key=lambda i: sum(label != -100 for label in examples[i][1]))
    ends = [-(-stage * len(order) // n_stages) for stage in range(n_stages + 1)]
    return [order[start:end] for start, end in zip(ends, ends[1:])]
