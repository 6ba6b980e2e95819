"""Rotary position embeddings (RoPE): frequencies, rotation, attention scores. Grades the assignment `rope`.

After Su et al., RoFormer (2021), equations 14, 15 and 34. Conventions: half-split, as Llama in Hugging Face's layout:
feature i is paired with feature i + d_head/2 (the paper pairs 2i with 2i + 1; the two differ by a permutation of the
features). Angles are computed in float32 at least, whatever the dtype of the activations, which is kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reference_impl.model.dtypes import upcast, widen_dtype

__all__ = ["apply_rope", "rope_frequencies", "rope_scores", "rotate", "score_matrix"]


def rope_frequencies(
    d_head: int,
    base: float = 10000.0,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Tensor:
    """(d_head/2,): `base^(−2i/d_head)` for i = 0, 1, …, in radians per position.

    Raises ValueError for an odd d_head.
    """
    if d_head % 2:
        raise ValueError(f"RoPE rotates pairs of features, so d_head must be even, not {d_head}")
    return base ** -(torch.arange(0, d_head, 2, dtype=dtype, device=device) / d_head)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """x: (..., d_head), angles: (..., d_head/2), in radians -> (..., d_head), in the dtype of `x`.

    The pair (x[i], x[i + d_head/2]) is rotated counter-clockwise by angles[i].
    """
    first, second = upcast(x).chunk(2, dim=-1)  # (..., d_head/2) each
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """x: (..., seq, d_head), positions: (seq,) or (..., seq), integer -> (..., seq, d_head), in the dtype of `x`."""
    wide = widen_dtype(x.dtype)
    frequencies = rope_frequencies(x.shape[-1], base, dtype=wide, device=x.device)
    return rotate(x, positions.to(wide)[..., None] * frequencies)  # angles: (..., seq, d_head/2)


def score_matrix(distance: int, d_head: int, base: float = 10000.0, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """(d_head, d_head): the M for which `q @ M @ k` is the dot product of q and k, rotated `distance` positions apart.

    The key is `distance` positions before the query. With R(m) the rotation at position m, M = R(m)ᵀ R(n) = R(n − m) =
    R(distance)ᵀ: M depends on the distance of the two positions only.
    """
    rotated = apply_rope(torch.eye(d_head, dtype=dtype)[:, None], torch.tensor([distance]), base)
    return rotated[:, 0]  # row i is R(distance) applied to the unit vector i: the transpose of R


def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k): scaled scores, in the dtype of `q`.

    The keys are at positions 0, …, seq_k − 1 and the queries at the last seq_q of them, as in decoding with a cache.
    """
    positions = torch.arange(k.shape[-2], device=k.device)
    rotated_q = apply_rope(upcast(q), positions[k.shape[-2] - q.shape[-2] :], base)
    rotated_k = apply_rope(upcast(k), positions, base)
    return (rotated_q @ rotated_k.mT / math.sqrt(q.shape[-1])).to(q.dtype)
