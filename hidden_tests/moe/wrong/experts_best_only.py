"""Runs the best expert only."""

# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    result = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        mine = ((gates.argmax(dim=-1) == number) & (gates[:, number] > 0)).nonzero().squeeze(-1)
        gate = gates[mine, number].unsqueeze(-1)
        if len(mine) > 0:
            result[mine] += gate * expert(x[mine])
    return result
