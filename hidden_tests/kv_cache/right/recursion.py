"""Attention split at the border of past and chunk; recursive generation; named tuples."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.reset()

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.parts = [torch.cat([old, new], dim=-2) for old, new in zip(self.parts, (k, v))] if self.parts else [k, v]
        return tuple(self.parts)

    def length(self) -> int:
        return self.parts[0].shape[-2] if self.parts else 0

    def reset(self) -> None:
        self.parts = []


# %% cache_bytes
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    per_token = 2 * n_layers * n_kv_heads * d_head
    return batch * seq * per_token * bytes_per_number


# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    past = k.shape[-2] - q.shape[-2]
    if past < 0:
        raise ValueError("more queries than keys")
    scores = (q.double() / q.shape[-1] ** 0.5) @ k.double().transpose(-1, -2)
    own = scores[..., past:]
    own = torch.where(torch.ones_like(own).tril() > 0, own, -math.inf)
    scores = torch.cat([scores[..., :past], own], dim=-1)
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return (powers @ v.double() / powers.sum(-1, keepdim=True)).to(q.dtype)


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
        return x.reshape(x.shape[0], x.shape[1], self.n_heads, x.shape[2] // self.n_heads).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        start = cache.length() if cache is not None else 0
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        q = apply_rope(q, positions)
        k = apply_rope(k, positions)
        if cache is not None:
            k, v = cache.append(k, v)
        heads = cached_attention(q, k, v)
        return self.out(torch.cat(heads.unbind(1), dim=-1))


# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()

    def read(tokens):
        rest = tokens[:, chunk_size:]
        logits = model.step(tokens[:, :chunk_size])
        return read(rest) if rest.numel() else logits

    def write(logits, left):
        if left == 0:
            return []
        token = logits[:, -1].topk(1).indices
        return [token, *(write(model.step(token), left - 1) if left > 1 else [])]

    return torch.cat([prompt[:, :0], *write(read(prompt), n_new)], dim=1)
