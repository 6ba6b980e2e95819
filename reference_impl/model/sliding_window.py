"""Sliding-window attention: the mask, and a cache of constant size.

A token attends to itself and the `window` − 1 tokens before it (Mistral; Jiang et al., 2023: i − j < window), and to
the first `sinks` tokens of the sequence, which absorb the softmax weight that no other key needs (StreamingLLM; Xiao et
al., 2023, section 3). Tokens in between are never needed again, so the cache drops them. Keys keep their positions in
the sequence; StreamingLLM renumbers them inside the cache, which no longer equals a forward pass over the sequence.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RollingCache", "sliding_window_mask"]


def sliding_window_mask(
    query_positions: Tensor, key_positions: Tensor, window: int | None = None, sinks: int = 0
) -> Tensor:
    """(seq_q,), (seq_k,) positions -> (seq_q, seq_k) of bool: True where the query attends to the key.

    Without a window this is the causal mask.
    """
    distance = query_positions[:, None] - key_positions[None, :]
    if window is None:
        return distance >= 0
    return (distance >= 0) & ((distance < window) | (key_positions < sinks))


class RollingCache:
    """The keys and values of one layer that later tokens can attend to: `sinks` + `window` slots at any length.

    Position p is in slot p if p < sinks, else in slot sinks + (p − sinks) mod window.
    """

    def __init__(self, window: int, sinks: int = 0) -> None:
        self.window, self.sinks = window, sinks
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self._read = 0
        self._positions = self._last_positions = torch.zeros(0, dtype=torch.int64)

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (batch, heads, new, d_head) -> keys and values: (batch, heads, cached + new, d_head) each.

        Their positions in the sequence are `positions()`, which is not in order.
        """
        if self.keys is None or self.values is None:
            self.keys, self.values = (x.new_empty(*x.shape[:2], self._size, x.shape[-1]) for x in (k, v))
            self._positions = torch.zeros(self._size, dtype=torch.int64, device=k.device)
        cached = min(self._read, self._size)
        new = torch.arange(self._read, self._read + k.shape[2], device=k.device)
        self._last_positions = torch.cat([self._positions[:cached], new])
        visible = torch.cat([self.keys[:, :, :cached], k], dim=2), torch.cat([self.values[:, :, :cached], v], dim=2)
        self._read += k.shape[2]
        retained = torch.cat([new[new < self.sinks], new[(new >= self.sinks) & (new >= self._read - self.window)]])
        slots = torch.where(retained < self.sinks, retained, self.sinks + (retained - self.sinks) % self.window)
        self.keys[:, :, slots] = k[:, :, retained - new[0]]
        self.values[:, :, slots] = v[:, :, retained - new[0]]
        self._positions[slots] = retained
        return visible

    def positions(self) -> Tensor:
        """(cached + new,): the positions in the sequence of the keys that the last `append` returned."""
        return self._last_positions

    def length(self) -> int:
        """The number of positions read, including those that were dropped."""
        return self._read

    def select(self, rows: Tensor) -> None:
        """rows: (new_batch,), indices of the sequences to continue, in the new order; an index may be repeated."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]

    def reset(self) -> None:
        """Empties the cache; the next batch may have another size."""
        self.keys = self.values = None
        self._positions = self._last_positions = torch.zeros(0, dtype=torch.int64)
        self._read = 0

    @property
    def _size(self) -> int:
        return self.sinks + self.window
