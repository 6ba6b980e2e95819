"""What crosses the border besides plain data, and the three ways in which it can fail."""

from __future__ import annotations

from dataclasses import dataclass

import torch


class WireError(Exception):
    """What arrived, or what was to be sent, is no value of this border."""


class PeerGone(Exception):
    """The other process closed its end: it exited, was killed, or closed the descriptor."""


class DeadlineError(Exception):
    """The other process did not answer, or did not read, in time."""


@dataclass(frozen=True)
class Handle:
    """Names an object that stays in the worker. `type_name` is what the worker calls it: text, never trusted."""

    number: int
    type_name: str


@dataclass(frozen=True)
class CallbackId:
    """Names a callable that stays in the grader."""

    number: int


@dataclass(frozen=True)
class Generator:
    """A fresh random generator with this seed; the worker makes its own, on its own device."""

    seed: int


@dataclass(frozen=True)
class WireTensor:
    """A tensor with what it was on the other side: its device and whether gradients reached it."""

    tensor: torch.Tensor
    device: str = "cpu"
    requires_grad: bool = False
