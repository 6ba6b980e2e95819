"""A window over the text: which keys a query sees, and a cache that never grows.

A token sees itself and the `window` − 1 tokens before it (Mistral; Jiang et al., 2023: i − j < window), and the first
`sinks` tokens of the text, on which softmax parks the weight that it needs nowhere (StreamingLLM; Xiao et al., 2023,
section 3). What lies between is never looked at again, so a cache may forget it. Keys keep the position that they had
in the text; StreamingLLM numbers them anew inside the cache, which no longer equals the forward pass over all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RollingCache", "visible"]


def visible(query_positions: Tensor, key_positions: Tensor, window: int | None = None, sinks: int = 0) -> Tensor:
    """(seq_q,), (seq_k,), places in the text -> (seq_q, seq_k) of bool: True where the query sees the key."""
    distance = query_positions[:, None] - key_positions[None, :]
    if window is None:
        return distance >= 0
    return (distance >= 0) & ((distance < window) | (key_positions < sinks))


class RollingCache:
    """What a later token can still see of one layer's keys and values: `sinks` + `window` slots for any length of text.

    Position p lies in slot p while p < sinks, and in slot sinks + (p − sinks) mod window after that.
    """

    def __init__(self, window: int, sinks: int = 0) -> None:
        self.window, self.sinks = window, sinks
        self.reset()

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (batch, heads, new, d_head) -> what the new tokens may see: (batch, heads, held + new, d_head) each.

        Their places in the text are `positions()`, which is not in order.
        """
        if self.keys is None or self.values is None:
            self.keys, self.values = (x.new_empty(*x.shape[:2], self._size, x.shape[-1]) for x in (k, v))
            self._places = torch.zeros(self._size, dtype=torch.int64, device=k.device)
        held = min(self._read, self._size)
        new = torch.arange(self._read, self._read + k.shape[2], device=k.device)
        self._last_places = torch.cat([self._places[:held], new])
        seen = torch.cat([self.keys[:, :, :held], k], dim=2), torch.cat([self.values[:, :, :held], v], dim=2)
        self._read += k.shape[2]
        kept = torch.cat([new[new < self.sinks], new[(new >= self.sinks) & (new >= self._read - self.window)]])
        slots = torch.where(kept < self.sinks, kept, self.sinks + (kept - self.sinks) % self.window)
        self.keys[:, :, slots] = k[:, :, kept - new[0]]
        self.values[:, :, slots] = v[:, :, kept - new[0]]
        self._places[slots] = kept
        return seen

    def positions(self) -> Tensor:
        """(held + new,): where the keys that `append` gave last stand in the text."""
        return self._last_places

    def length(self) -> int:
        """How many positions have been read, those forgotten among them."""
        return self._read

    def select(self, rows: Tensor) -> None:
        """rows: (texts,), the texts to go on with, by number; one that is named twice goes on twice."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]

    def reset(self) -> None:
        """Forget everything; the next text may have another batch size."""
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self._places = self._last_places = torch.zeros(0, dtype=torch.int64)
        self._read = 0

    @property
    def _size(self) -> int:
        return self.sinks + self.window
