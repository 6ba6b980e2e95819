"""Keeps the probabilities over all experts."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    values, chosen = logits.float().softmax(dim=-1).topk(k, dim=-1)
    gates = torch.zeros(logits.shape).scatter(-1, chosen, values)
    return gates.to(logits.dtype)
