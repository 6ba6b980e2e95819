"""Counts one layer."""

# %% cache_bytes
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    return 2 * batch * n_kv_heads * d_head * seq * bytes_per_number
