"""Which drawn example tells a misconception from the program that is nearest to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograde.client.reproduction import Line, render_calls
from autograde.testing.diagnosis import Evidence, Misconception, Observation, try_formula
from autograde.testing.misconceptions import MisconceptionRegistry
from autograde.testing.tolerance import ULPS

MAX_OBSERVATIONS = 60
"""of one oracle: later ones seldom separate what these do not"""
RIGHT = "the right answer"


@dataclass(frozen=True)
class Separation:
    """A misconception, and the nearest other program: another misconception of its oracle, or a right one."""

    misconception: str
    nearest: str
    separating: int
    """drawn examples on which the two differ"""
    total: int
    example: str
    """one of them, as a call; empty if there is none: then the hint is not given where the two meet"""


def find_separations(oracle: MisconceptionRegistry, evidence: Evidence) -> Iterator[Separation]:
    """For each misconception of an oracle, from what the solution was asked and answered."""
    observed = [(key[1], one) for key, one in evidence.observations if key[0] is oracle][:MAX_OBSERVATIONS]
    answers = {
        misconception: [_compute_answer(misconception, one, oracle) for _, one in observed]
        for misconception in oracle.misconceptions
    }
    right = [one.got for _, one in observed]
    for misconception in oracle.misconceptions:
        asked = [index for index, answer in enumerate(answers[misconception]) if answer is not None]
        if not asked:
            continue
        others = {RIGHT: right} | {
            other.__name__: theirs for other, theirs in answers.items() if other is not misconception
        }
        found = {
            name: [
                index for index in asked if _differ(answers[misconception][index], theirs[index], observed[index][1])
            ]
            for name, theirs in others.items()
        }
        nearest = min(found, key=lambda name: len(found[name]))
        example = _format_call(*observed[found[nearest][0]]) if found[nearest] else ""
        yield Separation(misconception.__name__, nearest, len(found[nearest]), len(asked), example)


def _compute_answer(
    misconception: Misconception, observation: Observation, oracle: MisconceptionRegistry
) -> list[Any] | None:
    """None where the misconception is not considered or has no answer."""
    if observation.check not in oracle.scopes.get(misconception, {observation.check}):
        return None
    return try_formula(observation.transform(misconception), (observation.args, observation.kwargs))


def _differ(one: list[Any] | None, other: list[Any] | None, observation: Observation) -> bool:
    if one is None or other is None or len(one) != len(other):
        return True
    allowed = observation.allowed if len(observation.allowed) == len(one) else [torch.zeros(())] * len(one)
    return any(map(_leaf_differs, one, other, allowed))


def _leaf_differs(one: Any, other: Any, allowed: Tensor) -> bool:
    try:
        one, other = torch.as_tensor(one), torch.as_tensor(other)
    except (RuntimeError, TypeError, ValueError, OverflowError):
        return bool(one != other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return True
    if not one.is_floating_point():
        return not torch.equal(one, other)
    rounding = ULPS * torch.finfo(one.dtype).eps
    one, other = one.detach().double(), other.detach().double()
    tolerance = rounding * one.abs() + (allowed if allowed.shape == one.shape else 0.0)
    same = (one == other) | (one.isnan() & other.isnan()) | ((one - other).abs() <= tolerance)
    return not bool(same.all())


def _format_call(target: str, observation: Observation) -> str:
    return render_calls([Line(target or "f", (observation.args, observation.kwargs))])
