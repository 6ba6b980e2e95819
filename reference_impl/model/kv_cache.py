"""Decoding with a cache of keys and values. Grades the assignment `kv_cache`.

In causal attention a token attends only to earlier positions, so its key and value never change once they are computed.
With them in a cache, a new token costs one projection instead of one per token of the sequence.

Conventions: keys and values are (batch, heads, seq, d_head), as in transformers' `DynamicCache`; keys are cached after
the rotation; new queries are at the end of the sequence, so the causal mask is aligned at its bottom right corner;
scores and softmax are computed in float32 at least. Rotation: Su et al. (2021), in Llama's half-split layout, base
10 000.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from reference_impl.model.attention import attention_scores
from reference_impl.model.dtypes import upcast
from reference_impl.model.masks import causal_mask

__all__ = ["KVCache", "cache_bytes", "cached_attention", "generate"]


class KVCache:
    """The keys and values of one layer for one batch of sequences, in order of position."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (batch, heads, new, d_head) -> all keys and all values so far: (batch, heads, seq, d_head) each."""
        if self.keys is None or self.values is None:
            self.keys, self.values = k, v
        else:
            self.keys = torch.cat([self.keys, k], dim=-2)
            self.values = torch.cat([self.values, v], dim=-2)
        return self.keys, self.values

    def length(self) -> int:
        """The number of cached positions."""
        return 0 if self.keys is None else self.keys.shape[-2]

    def positions(self) -> Tensor:
        """(seq,): the positions of the cached keys in the sequence."""
        return torch.arange(self.length(), device=None if self.keys is None else self.keys.device)

    def select(self, rows: Tensor) -> None:
        """rows: (new_batch,), indices of the sequences to continue, in the new order; an index may be repeated."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]

    def reset(self) -> None:
        """Empties the cache; the next batch may have another size."""
        self.keys = self.values = None


def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    """Bytes of all keys and values of a model: one key and one value per sequence, layer, head and position."""
    return 2 * batch * n_layers * n_kv_heads * seq * d_head * bytes_per_number


def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head), v: (..., seq_k, d_v) -> (..., seq_q, d_v), in the dtype of q.

    The queries are at the last seq_q of the seq_k positions: query i attends to the keys 0..seq_k - seq_q + i. Raises
    ValueError if there are more queries than keys.
    """
    attn_mask = causal_mask(q.shape[-2], k.shape[-2], q.device)
    weights = attention_scores(q, k).masked_fill(~attn_mask, -math.inf).softmax(dim=-1)
    return (weights @ upcast(v)).to(q.dtype)


class Decoder(Protocol):
    """A language model that manages its own caches."""

    def reset(self) -> None: ...

    def step(self, tokens: Tensor) -> Tensor: ...


def generate(model: Decoder, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    """prompt: (batch, seq) token ids -> (batch, n_new): greedy decoding of n_new tokens.

    `model.step` takes (batch, new) token ids that follow those read since `model.reset()`, and returns their logits
    (batch, new, vocab). The prompt is read in chunks of `chunk_size`, every later token by itself, and no token twice.
    """
    model.reset()
    tokens = [prompt[:, :0]]
    chunks = list(prompt.split(chunk_size, dim=1)) if n_new else []
    for chunk in chunks:
        logits = model.step(chunk)
    for index in range(n_new):
        if index:
            logits = model.step(tokens[-1])
        tokens.append(logits[:, -1].argmax(dim=-1, keepdim=True))
    return torch.cat(tokens, dim=1)
