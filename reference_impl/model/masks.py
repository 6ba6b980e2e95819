"""The causal mask."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["causal_mask"]


def causal_mask(seq_q: int, seq_k: int, device: torch.device | None = None) -> Tensor:
    """(seq_q, seq_k) of bool: True where the query attends to the key, as `attn_mask` in torch.

    The queries are at the last seq_q of the seq_k positions: query i attends to the keys 0..seq_k − seq_q + i. Raises
    ValueError if there are more queries than keys.
    """
    if seq_q > seq_k:
        raise ValueError(f"{seq_q} queries cannot be the last of {seq_k} positions")
    return torch.ones(seq_q, seq_k, dtype=torch.bool, device=device).tril(seq_k - seq_q)
