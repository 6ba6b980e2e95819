"""Runs every expert on every token."""

# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    result = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        result += gates[:, number, None] * expert(x)
    return result
