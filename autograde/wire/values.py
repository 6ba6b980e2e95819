"""Values on the wire besides plain data, and the three exceptions of the wire."""

from __future__ import annotations

from dataclasses import dataclass

import torch


class WireError(Exception):
    """What arrived, or was to be sent, is not a value of the wire format."""


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
    """A random generator to pass to the student's code, which receives a `torch.Generator` that starts at `seed`.

    A `torch.Generator` itself cannot be passed. Each call makes a new one on the submission's device, so two calls
    with `Generator(7)` draw the same numbers. The oracle does not translate it for the reference: pass that the seed
    instead.

    Example:
        # In the notebook
        def drop(x, p, generator):
            kept = torch.rand(x.shape, generator=generator, device=x.device) >= p
            return x * kept / (1 - p)

        # In the hidden test
        @check(points=1)
        @given(tensors((64,)), st.integers(0, 999))
        def test_reproducible(student, x, seed):
            '''the same generator drops the same entries'''
            first, second = (student.drop(x, 0.5, generator=Generator(seed)) for _ in range(2))
            expect(torch.equal(first, second), "two calls differ", "Pass `generator=` on to torch.rand.")
    """

    seed: int


@dataclass(frozen=True)
class WireTensor:
    """A tensor and whether it required gradients on the other side."""

    tensor: torch.Tensor
    requires_grad: bool = False
