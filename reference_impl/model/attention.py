"""Attention with one head:  softmax(q kᵀ / sqrt(d_head)) v.

After Vaswani et al. (2017), section 3.2.1. Each token has a query, a key and a value; its output is the average of all
values, weighted by how well their keys match its query.

Scores and softmax are computed in float32 at least, because q·k overflows in half precision; results have the dtype of
the input. A masked position gets the score -inf (or the lowest finite number) *before* the softmax, so that the
remaining weights still sum to one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k), in float32 or wider."""
    wide = torch.promote_types(q.dtype, torch.float32)
    return q.to(wide) @ k.to(wide).mT / math.sqrt(q.shape[-1])


def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k); each row sums to one.

    causal: query i attends to the keys 0..i only. Raises ValueError unless seq_q == seq_k.
    """
    scores = attention_scores(q, k)
    if causal:
        scores = scores.masked_fill(future_mask(q.shape[-2], k.shape[-2], q.device), -math.inf)
    return scores.softmax(dim=-1).to(q.dtype)


def future_mask(seq_q: int, seq_k: int, device: torch.device) -> Tensor:
    """(seq_q, seq_k) of bool: True where key j comes after query i, which must not attend to it."""
    if seq_q != seq_k:
        raise ValueError(f"causal attention needs as many queries as keys, got {seq_q} and {seq_k}")
    return torch.ones(seq_q, seq_k, dtype=torch.bool, device=device).triu(diagonal=1)


def attend(weights: Tensor, v: Tensor) -> Tensor:
    """weights: (..., seq_q, seq_k), v: (..., seq_k, d_head) -> (..., seq_q, d_head): one weighted sum per query."""
    return weights @ v


def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) of bool, True at padding.

    Padding keys get a weight of exactly 0. A row whose keys are all padding is 0, and so are its gradients.
    """
    key_padding_mask = is_padding.unsqueeze(-2)  # (batch, 1, seq_k)
    scores = attention_scores(q, k)
    # Finite, because the softmax of a row of -inf is nan, and so is its gradient.
    scores = scores.masked_fill(key_padding_mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1).masked_fill(key_padding_mask, 0.0).to(q.dtype)


class AttentionHead(nn.Module):
    """Causal self-attention with one head: (..., seq, d_model) -> (..., seq, d_head)."""

    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        weights = attention_weights(self.query(x), self.key(x), causal=True)
        return attend(self.dropout(weights), self.value(x))
