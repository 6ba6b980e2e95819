"""Heads by einsum, weights reshaped in the place of activations."""

# %% cached_attention_module
class CachedAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.heads, self.width = n_heads, d_model // n_heads
        for name in ("query", "key", "value", "out"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=False))

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        q, k, v = (
            torch.einsum("bsd,hed->bhse", x, layer.weight.reshape(self.heads, self.width, -1))
            for layer in (self.query, self.key, self.value)
        )
        past = cache.length() if cache else 0
        positions = past + torch.arange(x.size(1), device=x.device)
        q, k = apply_rope(torch.stack([q, k]), positions)
        if cache:
            k, v = cache.append(k, v)
        out = self.out.weight.reshape(-1, self.heads, self.width)
        return torch.einsum("bhse,dhe->bsd", cached_attention(q, k, v), out)
