"""Softmax down the tokens."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    values, chosen = logits.float().topk(k, dim=-1)
    kept = torch.full(logits.shape, -torch.inf).scatter(-1, chosen, values)
    gates = kept.softmax(dim=0).nan_to_num(0.0)
    return gates.to(logits.dtype)
