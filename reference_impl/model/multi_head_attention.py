"""Multi-head attention with optional grouped queries, written out and as torch's fused kernel.

Multi-head attention after Vaswani et al. (2017), section 3.2.2; grouped-query attention after Ainslie et al. (2023):
with g = n_heads / n_kv_heads, query heads g·i, …, g·(i + 1) − 1 share key and value head i. One key and value head for
all queries is multi-query attention; n_kv_heads = n_heads is the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.attention import attend, attention_scores
from reference_impl.model.masks import causal_mask
from reference_impl.model.rope import rotate
from reference_impl.model.sliding_window import sliding_window_mask

__all__ = ["LayerCache", "MultiHeadAttention", "fused_attention", "readable_attention"]


class LayerCache(Protocol):
    """The interface that attention needs from the cache of its layer."""

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]: ...

    def positions(self) -> Tensor: ...

    def length(self) -> int: ...


def readable_attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    """q: (batch, n_heads, seq_q, d_head), k, v: (batch, n_kv_heads, seq_k, d_head) -> (batch, n_heads, seq_q, d_head).

    attn_mask: (seq_q, seq_k) of bool, True where the query attends to the key. None is the causal mask for queries at
    the last seq_q of the seq_k positions.
    """
    attn_mask = causal_mask(q.shape[2], k.shape[2], q.device) if attn_mask is None else attn_mask
    grouped = q.unflatten(1, (k.shape[1], -1))  # (batch, n_kv_heads, group, seq_q, d_head)
    # (batch, n_kv_heads, group, seq_q, seq_k)
    scores = attention_scores(grouped, k.unsqueeze(2)).masked_fill(~attn_mask, -math.inf)
    weights = F.dropout(scores.softmax(dim=-1), dropout, training=dropout > 0).to(v.dtype)
    return attend(weights, v.unsqueeze(2)).flatten(1, 2)  # (batch, n_heads, seq_q, d_head)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    """`readable_attention` with torch's kernels, which never hold all scores in memory (Dao et al., 2022)."""
    grouped, square = q.shape[1] != k.shape[1], q.shape[2] == k.shape[2]
    # The kernel aligns `is_causal` at the first key; a single last query attends to every key and needs no mask.
    if attn_mask is None and not square and q.shape[2] > 1:
        attn_mask = causal_mask(q.shape[2], k.shape[2], q.device)
    is_causal = attn_mask is None and square
    return F.scaled_dot_product_attention(q, k, v, attn_mask, dropout, is_causal=is_causal, enable_gqa=grouped)


KERNELS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]] = {
    "readable": readable_attention,
    "fused": fused_attention,
}


class MultiHeadAttention(nn.Module):
    """Causal self-attention: (batch, seq, d_model) -> (batch, seq, d_model). `kernel` is a key of `KERNELS`."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int | None = None,
        *,
        bias: bool = False,
        dropout: float = 0.0,
        window: int | None = None,
        sinks: int = 0,
        kernel: Literal["readable", "fused"] = "readable",
    ) -> None:
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        d_head = d_model // n_heads
        self.d_head, self.window, self.sinks, self.kernel = d_head, window, sinks, kernel
        self.query = nn.Linear(d_model, n_heads * d_head, bias=bias)
        self.key = nn.Linear(d_model, n_kv_heads * d_head, bias=bias)
        self.value = nn.Linear(d_model, n_kv_heads * d_head, bias=bias)
        self.out = nn.Linear(n_heads * d_head, d_model, bias=bias)
        self.dropout = dropout

    def forward(
        self, x: Tensor, positions: Tensor, angles: Tensor | None = None, cache: LayerCache | None = None
    ) -> Tensor:
        """x: (batch, new, d_model), positions: (new,), angles: (new, d_head/2) for RoPE -> (batch, new, d_model).

        With a cache, x follows the tokens that the cache has read; `positions` are those of x in the sequence.
        """
        q, k, v = (self._split_heads(project(x)) for project in (self.query, self.key, self.value))
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        if cache is not None:
            k, v = cache.append(k, v)
        attn_mask = self._attn_mask(positions, k.shape[2], cache)
        heads = KERNELS[self.kernel](
            q, k, v, attn_mask, self.dropout if self.training else 0.0
        )  # (batch, n_heads, new, d_head)
        return self.out(heads.transpose(1, 2).flatten(2))  # (batch, new, d_model)

    def _split_heads(self, projected: Tensor) -> Tensor:
        """(batch, new, heads · d_head) -> (batch, heads, new, d_head)"""
        return projected.unflatten(-1, (-1, self.d_head)).transpose(1, 2)  # (batch, heads, new, d_head)

    def _attn_mask(self, positions: Tensor, seq_k: int, cache: LayerCache | None) -> Tensor | None:
        """(new, seq_k) of bool, or None for the plain causal mask, which the kernels apply without a tensor."""
        if self.window is None or len(positions) == seq_k <= self.window:
            return None
        key_positions = positions if cache is None else cache.positions().to(positions.device)
        return sliding_window_mask(positions, key_positions, self.window, self.sinks)
