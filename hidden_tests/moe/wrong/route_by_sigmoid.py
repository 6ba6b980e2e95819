"""Divides sigmoids by their sum."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    values, chosen = logits.float().topk(k, dim=-1)
    gates = torch.zeros(logits.shape).scatter(-1, chosen, values.sigmoid() / values.sigmoid().sum(dim=-1, keepdim=True))
    return gates.to(logits.dtype)
