"""Divides by the sum of the gates."""

# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    sums = gates.sum(dim=-1, keepdim=True)
    gates = gates / torch.where(sums > 0, sums, 1.0)
    result = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        mine = gates[:, number].nonzero().squeeze(-1)
        gate = gates[mine, number].unsqueeze(-1)
        if len(mine) > 0:
            result[mine] += gate * expert(x[mine])
    return result
