"""Attention with several heads, which may share keys and values, written out and as torch's fused kernel.

Multi-head attention after Vaswani et al. (2017), section 3.2.2; grouped queries after Ainslie et al. (2023): query
heads g·i, …, g·(i + 1) − 1 read key and value head i, g being n_heads / n_kv_heads. One key and value head for all is
multi-query attention; as many as query heads is the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.attention import attend, attention_scores
from reference_impl.rope import rotate
from reference_impl.sliding_window import visible

__all__ = ["LayerCache", "MultiHeadAttention", "fused_attention", "readable_attention"]


class LayerCache(Protocol):
    """What attention asks of the cache of its layer."""

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]: ...

    def positions(self) -> Tensor: ...

    def length(self) -> int: ...


def readable_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, dropout: float = 0.0) -> Tensor:
    """q: (batch, n_heads, seq_q, d_head), k, v: (batch, n_kv_heads, seq_k, d_head) -> (batch, n_heads, seq_q, d_head).

    seen: (seq_q, seq_k) of bool, True where the query sees the key; None: each sees itself and what came before it.
    """
    if seen is None:
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    grouped = q.unflatten(1, (k.shape[1], -1))  # (batch, n_kv_heads, group, seq_q, d_head)
    scores = attention_scores(grouped, k.unsqueeze(2)).masked_fill(~seen, -math.inf)
    weights = F.dropout(scores.softmax(dim=-1), dropout, training=dropout > 0).to(v.dtype)
    return attend(weights, v.unsqueeze(2)).flatten(1, 2)  # (batch, n_heads, seq_q, d_head)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, dropout: float = 0.0) -> Tensor:
    """The same as `readable_attention` by torch's kernels, which never hold all scores at once (Dao et al., 2022)."""
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=seen is None, enable_gqa=grouped)


KERNELS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]] = {
    "readable": readable_attention,
    "fused": fused_attention,
}


class MultiHeadAttention(nn.Module):
    """Causal self-attention: (batch, seq, d_model) -> (batch, seq, d_model)."""

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

        With a cache, x follows what the cache has read, and `positions` says where that is.
        """
        q, k, v = (self._split(project(x)) for project in (self.query, self.key, self.value))
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        if cache is not None:
            k, v = cache.append(k, v)
        seen = self._seen(positions, k.shape[2], cache)
        heads = KERNELS[self.kernel](q, k, v, seen, self.dropout if self.training else 0.0)
        return self.out(heads.transpose(1, 2).flatten(2))

    def _split(self, projected: Tensor) -> Tensor:
        """(batch, new, heads · d_head) -> (batch, heads, new, d_head)"""
        return projected.unflatten(-1, (-1, self.d_head)).transpose(1, 2)

    def _seen(self, positions: Tensor, seq_k: int, cache: LayerCache | None) -> Tensor | None:
        """(new, seq_k) of bool, or None for the plain triangle, which the kernel knows without a mask in memory."""
        seq_q = len(positions)
        if seq_q == seq_k and (self.window is None or seq_q <= self.window):
            return None
        key_positions = positions if cache is None else cache.positions().to(positions.device)
        return visible(positions, key_positions, self.window, self.sinks)
