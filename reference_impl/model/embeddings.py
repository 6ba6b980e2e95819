"""From token ids to vectors: a row of a table for each token, plus its position.

Learned positions are a second table (GPT-2; Radford et al., 2019); sinusoidal ones are fixed waves (Vaswani et al.,
2017, section 3.5), with sine and cosine interleaved as in the paper and the token's row multiplied by √d_model
(section 3.4), because it would be small compared with the waves. RoPE adds nothing here: it rotates queries and keys
(rope.py).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Embedding", "sinusoidal_positions"]


def sinusoidal_positions(positions: Tensor, d_model: int, base: float = 10000.0) -> Tensor:
    """positions: (seq,) -> (seq, d_model): sin(p / base^(2i/d)) at feature 2i and cos of the same at 2i + 1."""
    wide = torch.float64  # in float32 an angle of some thousand radians has too few digits after the point
    features = torch.arange(0, d_model, 2, dtype=wide, device=positions.device)
    angles = positions.to(wide)[:, None] * base ** -(features / d_model)
    waves = torch.stack([angles.sin(), angles.cos()], dim=-1)  # (seq, ceil(d_model/2), 2)
    return waves.flatten(1)[:, :d_model]  # (seq, d_model)


class Embedding(nn.Module):
    """Tokens and their positions: (batch, seq) of ids -> (batch, seq, d_model)."""

    def __init__(
        self,
        vocab_size: int,
        context_length: int,
        d_model: int,
        positions: Literal["learned", "sinusoidal", "rope"],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind = positions
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(context_length, d_model) if positions == "learned" else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """ids: (batch, seq), positions: (seq,), integers -> (batch, seq, d_model)"""
        x = self.tokens(ids)
        if self.positions is not None:
            x = x + self.positions(positions)
        elif self.kind == "sinusoidal":
            d_model = x.shape[-1]
            x = math.sqrt(d_model) * x + sinusoidal_positions(positions, d_model).to(x.dtype)
        return self.dropout(x)
