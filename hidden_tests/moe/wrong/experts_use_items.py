"""Takes the gates as numbers."""

# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    result = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        mine = gates[:, number].nonzero().squeeze(-1)
        gate = gates[mine, number].unsqueeze(-1)
        if len(mine) > 0:
            for row, part in zip(mine.tolist(), expert(x[mine])):
                result[row] += gates[row, number].item() * part
    return result
