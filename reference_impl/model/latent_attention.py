"""Multi-head latent attention: keys and values are projected from one short vector per token, and only that is cached.

DeepSeek-V2 (2024), section 2.1, as in transformers' DeepseekV3Attention without query compression. The cache has, per
token, a latent of `d_latent` numbers, from which every head's key and value are projected, and one rotated key of
`d_rope` numbers that all heads share, because a rotation between the two projections could not be merged into them.
Scores are the sum of both parts, divided by √(d_head + d_rope). RoPE is half-split, as in rope.py.

Two forms: `expanded` computes keys and values, which is less work in training; `absorbed` moves the projections to the
query and to the output (section 2.1.2), so that decoding reads only the cache.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from reference_impl.model.dtypes import upcast
from reference_impl.model.multi_head_attention import KERNELS, LayerCache
from reference_impl.model.norms import RMSNorm
from reference_impl.model.rope import rotate
from reference_impl.model.sliding_window import sliding_window_mask

__all__ = ["LatentAttention", "latent_cache_bytes"]


def latent_cache_bytes(
    batch: int, n_layers: int, d_latent: int, d_rope: int, seq: int, bytes_per_number: int = 2
) -> int:
    """Bytes of the cache of a model with latent attention; `kv_cache.cache_bytes` is the same for keys and values."""
    return batch * n_layers * seq * (d_latent + d_rope) * bytes_per_number


class LatentAttention(nn.Module):
    """Causal self-attention: (batch, seq, d_model) -> (batch, seq, d_model)."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_latent: int,
        d_rope: int,
        *,
        dropout: float = 0.0,
        window: int | None = None,
        sinks: int = 0,
        kernel: Literal["readable", "fused"] = "readable",
    ) -> None:
        super().__init__()
        self.n_heads, self.d_head, self.d_rope, self.d_latent = n_heads, d_model // n_heads, d_rope, d_latent
        self.dropout, self.window, self.sinks, self.kernel = dropout, window, sinks, kernel
        self.query = nn.Linear(d_model, n_heads * (self.d_head + d_rope), bias=False)
        self.compress = nn.Linear(d_model, d_latent + d_rope, bias=False)
        self.latent_norm = RMSNorm(d_latent)
        self.expand = nn.Linear(d_latent, n_heads * 2 * self.d_head, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(
        self, x: Tensor, positions: Tensor, angles: Tensor | None = None, cache: LayerCache | None = None
    ) -> Tensor:
        """x: (batch, new, d_model), positions: (new,), angles: (new, d_rope/2) -> (batch, new, d_model)

        Raises ValueError without angles.
        """
        if angles is None:
            raise ValueError("latent attention encodes positions with RoPE only, and got no angles")
        q = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, n_heads, new, d_head + d_rope)
        # (batch, n_heads, new, d_head), (batch, n_heads, new, d_rope)
        q_plain, q_rope = q.split([self.d_head, self.d_rope], dim=-1)
        q_rope = rotate(q_rope, angles)
        # (batch, 1, new, d_latent), (batch, 1, new, d_rope)
        latent, k_rope = self.compress(x).unsqueeze(1).split([self.d_latent, self.d_rope], dim=-1)
        latent, k_rope = self.latent_norm(latent), rotate(k_rope, angles)
        if cache is not None:
            latent, k_rope = cache.append(latent, k_rope)  # (batch, 1, seq_k, d_latent), (batch, 1, seq_k, d_rope)
        key_positions = positions if cache is None else cache.positions().to(positions.device)
        attn_mask = sliding_window_mask(positions, key_positions, self.window, self.sinks)
        attend = self.expanded if cache is None or self.kernel == "readable" else self.absorbed
        heads = attend(q_plain, q_rope, latent, k_rope, attn_mask)  # (batch, n_heads, new, d_head)
        return self.out(heads.transpose(1, 2).flatten(2))  # (batch, new, d_model)

    def expanded(self, q_plain: Tensor, q_rope: Tensor, latent: Tensor, k_rope: Tensor, attn_mask: Tensor) -> Tensor:
        """Keys and values for every head, then multi-head attention.

        q_plain: (batch, n_heads, seq_q, d_head), q_rope: (batch, n_heads, seq_q, d_rope), latent: (batch, 1, seq_k,
        d_latent), k_rope: (batch, 1, seq_k, d_rope), attn_mask: (seq_q, seq_k) -> (batch, n_heads, seq_q, d_head)
        """
        # (batch, n_heads, seq_k, 2 · d_head)
        kv = self.expand(latent).squeeze(1).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k_plain, v = kv.chunk(2, dim=-1)  # (batch, n_heads, seq_k, d_head) each
        # (batch, n_heads, seq_q or seq_k, d_head + d_rope)
        q = torch.cat([q_plain, q_rope], dim=-1)
        k = torch.cat([k_plain, k_rope.expand(-1, self.n_heads, -1, -1)], dim=-1)
        return KERNELS[self.kernel](q, k, v, attn_mask, self.dropout if self.training else 0.0)

    def absorbed(self, q_plain: Tensor, q_rope: Tensor, latent: Tensor, k_rope: Tensor, attn_mask: Tensor) -> Tensor:
        """The same result, as q · (W c) = (Wᵀ q) · c and Σ weight · (W c) = W (Σ weight · c). Without dropout."""
        # (n_heads, d_head, d_latent) each
        to_key, to_value = self.expand.weight.unflatten(0, (self.n_heads, -1)).chunk(2, dim=1)
        q_latent = q_plain @ to_key  # (batch, n_heads, seq_q, d_latent)
        scores = upcast(q_latent) @ upcast(latent).mT + upcast(q_rope) @ upcast(k_rope).mT
        scores = scores / math.sqrt(self.d_head + self.d_rope)
        weights = scores.masked_fill(~attn_mask, -math.inf).softmax(dim=-1).to(latent.dtype)
        return (weights @ latent) @ to_value.mT  # (batch, n_heads, seq_q, d_head)
