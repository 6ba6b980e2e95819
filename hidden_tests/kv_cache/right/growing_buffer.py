"""A buffer that doubles; chunks are copied into it."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.reset()

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        new = k.shape[2]
        if self.keys is None:
            self.keys, self.values = (part.new_empty(*part.shape[:2], 4, part.shape[3]) for part in (k, v))
        while self.used + new > self.keys.shape[2]:
            self.keys, self.values = (torch.cat([part, torch.empty_like(part)], dim=2) for part in (self.keys, self.values))
        self.keys[:, :, self.used : self.used + new] = k
        self.values[:, :, self.used : self.used + new] = v
        self.used += new
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def length(self) -> int:
        return self.used

    def reset(self) -> None:
        self.keys = self.values = None
        self.used = 0


# %% cache_bytes
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    return torch.Size([2, batch, n_layers, n_kv_heads, d_head, seq]).numel() * bytes_per_number


# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if seq_q > seq_k:
        raise ValueError("more queries than keys")
    bias = torch.full((seq_q, seq_k), torch.finfo(torch.float32).min, device=q.device).triu(seq_k - seq_q + 1)
    scores = torch.einsum("...id,...jd->...ij", q.float(), k.float()) * q.shape[-1] ** -0.5
    return torch.einsum("...ij,...jd->...id", (scores + bias).softmax(-1), v.float()).to(q.dtype)
