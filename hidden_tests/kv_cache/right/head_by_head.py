"""Loops over the heads; one query at a time."""

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
            k, v = cache.append(k, v)
        past = k.shape[2] - x.shape[1]
        heads = []
        for h in range(self.n_heads):
            rows = [cached_attention(q[:, h, i : i + 1], k[:, h, : past + i + 1], v[:, h, : past + i + 1]) for i in range(x.shape[1])]
            heads.append(torch.cat(rows, dim=1))
        return self.out(torch.cat(heads, dim=-1))
