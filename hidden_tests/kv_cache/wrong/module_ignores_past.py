"""Appends, but attends to the chunk."""

# %% cached_attention_module
class CachedAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.n_heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        start = cache.length() if cache is not None else 0
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        q = apply_rope(q, positions)
        k = apply_rope(k, positions)
        if cache is not None:
            cache.append(k, v)
        heads = cached_attention(q, k, v)
        return self.out(heads.transpose(1, 2).reshape(x.shape))
