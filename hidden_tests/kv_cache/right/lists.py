"""Lists of chunks; loops over queries; a counter for positions."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.chunks = []

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.chunks.append((k, v))
        keys, values = zip(*self.chunks)
        return torch.cat(keys, dim=2), torch.cat(values, dim=2)

    def length(self) -> int:
        return sum(k.shape[2] for k, _ in self.chunks)

    def reset(self) -> None:
        self.chunks = []


# %% cache_bytes
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    numbers = sum(batch * n_kv_heads * seq * d_head for _ in range(n_layers) for _ in ("key", "value"))
    return numbers * bytes_per_number


# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    past = k.shape[-2] - q.shape[-2]
    if past < 0:
        raise ValueError("more queries than keys")
    rows = []
    for i in range(q.shape[-2]):
        seen = past + i + 1
        scores = (q[..., i : i + 1, :].float() * k[..., :seen, :].float()).sum(-1) / q.shape[-1] ** 0.5
        rows.append((scores.softmax(-1).unsqueeze(-1) * v[..., :seen, :].float()).sum(-2))
    return torch.stack(rows, dim=-2).to(q.dtype)


# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()
    result = prompt.new_empty(prompt.shape[0], n_new)
    start = 0
    while start < prompt.shape[1]:
        logits = model.step(prompt[:, start : start + chunk_size])
        start += chunk_size
    for i in range(n_new):
        result[:, i] = logits[:, -1, :].max(dim=-1).indices
        if i + 1 < n_new:
            logits = model.step(result[:, i : i + 1])
    return result
