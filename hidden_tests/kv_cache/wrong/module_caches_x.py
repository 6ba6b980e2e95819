"""Keeps x in the cache and projects all of it again."""

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
        q = self.split(self.query(x))
        rows = x.unsqueeze(1)
        if cache is not None:
            rows, _ = cache.append(rows, rows)
        k, v = self.split(self.key(rows.squeeze(1))), self.split(self.value(rows.squeeze(1)))
        q = apply_rope(q, positions)
        k = apply_rope(k, torch.arange(k.shape[-2], device=x.device))
        heads = cached_attention(q, k, v)
        return self.out(heads.transpose(1, 2).reshape(x.shape))
