"""Does not pass base on."""

# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    positions = torch.arange(k.shape[-2], device=k.device)
    rotated_q = apply_rope(q.float(), positions[k.shape[-2] - q.shape[-2] :])
    rotated_k = apply_rope(k.float(), positions)
    return (rotated_q @ rotated_k.mT / math.sqrt(q.shape[-1])).to(q.dtype)
