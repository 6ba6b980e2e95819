"""Attention with one head: softmax(q kᵀ / sqrt(d_head)) v. Grades the assignment `attention_head`.

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

from reference_impl.model.dtypes import upcast
from reference_impl.model.masks import causal_mask


def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k), in float32 or wider."""
    return upcast(q) @ upcast(k).mT / math.sqrt(q.shape[-1])


def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k); each row sums to one.

    causal: query i attends to the keys 0..i only. Raises ValueError unless seq_q == seq_k.
    """
    scores = attention_scores(q, k)
    if causal:
        seq_q, seq_k = scores.shape[-2:]
        if seq_q != seq_k:
            raise ValueError(f"causal attention needs as many queries as keys, got {seq_q} and {seq_k}")
        scores = scores.masked_fill(~causal_mask(seq_q, seq_k, q.device), -math.inf)
    return scores.softmax(dim=-1).to(q.dtype)


def attend(weights: Tensor, v: Tensor) -> Tensor:
    """weights: (..., seq_q, seq_k), v: (..., seq_k, d_head) -> (..., seq_q, d_head): one weighted sum per query."""
    return weights @ v


def padded_attention_weights(q: Tensor, k: Tensor, key_padding_mask: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), key_padding_mask: (batch, seq_k) of bool, True at padding.

    Padding keys get a weight of exactly 0. A row whose keys are all padding is 0, and so are its gradients.
    """
    is_padding = key_padding_mask.unsqueeze(-2)  # (batch, 1, seq_k)
    scores = attention_scores(q, k)
    # Finite, because the softmax of a row of -inf is nan, and so is its gradient.
    scores = scores.masked_fill(is_padding, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1).masked_fill(is_padding, 0.0).to(q.dtype)


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
