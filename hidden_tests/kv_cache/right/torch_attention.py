"""torch's own attention with a mask made of positions."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.held = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.held = (k, v) if self.held is None else tuple(torch.cat(pair, dim=-2) for pair in zip(self.held, (k, v)))
        return self.held

    def length(self) -> int:
        return 0 if self.held is None else self.held[0].size(-2)

    def reset(self) -> None:
        self.held = None


# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if seq_q > seq_k:
        raise ValueError("more queries than keys")
    places = torch.arange(seq_k, device=q.device)
    seen = places <= places[seq_k - seq_q :, None]
    return nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=seen).to(q.dtype)


# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()
    text = prompt
    for start in range(0, prompt.shape[1], chunk_size):
        best = model.step(text[:, start : start + chunk_size]).argmax(dim=-1)
    for _ in range(n_new):
        text = torch.cat([text, best[:, -1:]], dim=1)
        best = model.step(text[:, -1:]).argmax(dim=-1)
    return text[:, prompt.shape[1] :]
