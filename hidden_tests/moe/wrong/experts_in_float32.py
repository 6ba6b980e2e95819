"""Starts with float32 zeros."""

# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    result = torch.zeros(x.shape)
    for number, expert in enumerate(experts):
        mine = gates[:, number].nonzero().squeeze(-1)
        gate = gates[mine, number].unsqueeze(-1)
        if len(mine) > 0:
            result[mine] += gate * expert(x[mine])
    return result
