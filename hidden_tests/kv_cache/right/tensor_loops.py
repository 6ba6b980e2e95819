"""Small loops everywhere."""

# %% cache_bytes
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    total = 0
    for _ in range(n_layers * batch):
        total += n_kv_heads * seq * (d_head + d_head) * bytes_per_number
    return total


# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    n, m = q.shape[-2], k.shape[-2]
    if m < n:
        raise ValueError(f"{n} > {m}")
    weights = q.new_zeros((*q.shape[:-1], m), dtype=torch.float32)
    for i in range(n):
        end = m - n + i + 1
        row = torch.einsum("...d,...jd->...j", q[..., i, :].float(), k[..., :end, :].float())
        weights[..., i, :end] = torch.softmax(row / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v.float()).to(q.dtype)


# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()
    pending = list(torch.split(prompt, chunk_size, dim=-1))
    new = []
    while len(new) < n_new:
        for tokens in pending:
            logits = model.step(tokens)
        new.append(torch.argmax(logits[:, -1], dim=-1).reshape(-1, 1))
        pending = new[-1:]
    return torch.cat(new, dim=1) if new else prompt.new_zeros(prompt.shape[0], 0)
