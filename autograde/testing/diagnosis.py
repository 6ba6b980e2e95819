"""What a submission has answered so far: the evidence from which a misconception is recognised.

A hint is given only when exactly one misconception explains every answer to the same function, right and wrong ones
alike: an answer that was accepted rules out each misconception that it contradicts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.testing.tolerance import SAFETY, ULPS, nudge_all, sort_keys

MAX_OBSERVATIONS = 400
"""Observations that a misconception has to explain: the last ones."""
MAX_NUMBERS = 1 << 24
"""Numbers of one submission that are kept: far more than all checks ask for, few enough for a grader's memory."""
NOTHING = object()
Misconception = Callable[..., Any]
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Observation:
    """One answer: the inputs, what came, and how far apart two right answers may be."""

    transform: Callable[[Misconception], Misconception]
    """makes of a function what was compared: its value, or its gradients"""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    got: list[Any]
    allowed: list[Tensor]
    check: str = ""
    """the check that asked"""
    structure: Any = None
    """of the lists, tuples and dicts around the numbers in `got`"""
    size: int = 0
    """numbers in the answer, kept or not"""


@dataclass
class Evidence:
    """All observations of one submission, each with the oracle and the submission's function that it belongs to."""

    observations: list[tuple[Any, Observation]] = field(default_factory=list)
    size: int = 0
    """numbers in all answers"""
    explained: dict[tuple[Misconception, Observation], bool] = field(default_factory=dict)
    """does the misconception explain the observation? Checks of one exercise ask about the same ones in turn"""

    def add(self, key: Any, observation: Observation) -> None:
        """Beyond MAX_NUMBERS an answer is kept without them, and then no misconception explains it."""
        size = sum(leaf.numel() if isinstance(leaf, Tensor) else 1 for leaf in observation.got)
        self.size += size
        got = observation.got if self.size <= MAX_NUMBERS else []
        self.observations.append((key, replace(observation, size=size, got=got)))

    def truncate(self, count: int) -> None:
        """Forget all but the first `count` observations, as if they had never been made."""
        self.size -= sum(observation.size for _, observation in self.observations[count:])
        del self.observations[count:]

    def extend(self, observations: list[tuple[Any, Observation]]) -> None:
        """Add what another submission showed by the same answers."""
        self.size += sum(observation.size for _, observation in observations)
        self.observations += observations

    def find_explanations(
        self, key: Any, misconceptions: list[Misconception], scopes: Mapping[Misconception, frozenset[str]]
    ) -> list[Misconception]:
        """The misconceptions that explain the last observations; only one that is alone may be named to a student.

        One that has a scope has to explain the observations of those checks only.
        """
        same_key = (observation for owner, observation in reversed(self.observations) if owner == key)
        last = list(islice(same_key, MAX_OBSERVATIONS))

        def concerns(misconception: Misconception, observation: Observation) -> bool:
            return observation.check in scopes.get(misconception, {observation.check})

        left = [
            misconception
            for misconception in misconceptions
            if all(self.explained.get((misconception, one), True) or not concerns(misconception, one) for one in last)
        ]
        for observation in last:
            near = cache(partial(_nudge_inputs, observation))
            left = [
                misconception
                for misconception in left
                if not concerns(misconception, observation) or self._explains(misconception, observation, near)
            ]
        return left

    def _explains(self, misconception: Misconception, observation: Observation, near: Callable[[], Inputs]) -> bool:
        """As `explains`, remembered."""
        if (misconception, observation) not in self.explained:
            self.explained[misconception, observation] = explains(misconception, observation, near)
        return self.explained[misconception, observation]


def _nudge_inputs(observation: Observation) -> Inputs:
    inputs: Inputs = nudge_all((observation.args, observation.kwargs), torch.Generator().manual_seed(0))
    return inputs


def explains(misconception: Misconception, observation: Observation, near: Callable[[], Inputs]) -> bool:
    """Does the misconception, run in the student's dtype, give what was answered? `near` gives the inputs, nudged."""
    wrong_formula = observation.transform(misconception)
    answer = evaluate(wrong_formula, (observation.args, observation.kwargs))
    if answer is NOTHING or observation.structure not in (None, describe_structure(answer)):
        return False
    wrong = tree_flatten(answer)[0]
    if len(wrong) != len(observation.got):
        return False
    if all(map(_is_equal, wrong, observation.got)):
        return True
    if (moved := try_formula(wrong_formula, near())) is None:
        return False
    allowed = observation.allowed if len(observation.allowed) == len(wrong) else [torch.zeros(())] * len(wrong)
    return all(map(_is_same, wrong, moved, observation.got, allowed))


def try_formula(formula: Misconception, inputs: Inputs) -> list[Any] | None:
    """The parts of the answer; None where a misconception has none to these inputs."""
    value = evaluate(formula, inputs)
    return None if value is NOTHING else tree_flatten(value)[0]


def evaluate(formula: Misconception, inputs: Inputs) -> Any:
    """The answer, or NOTHING where a misconception has none to these inputs."""
    args, kwargs = inputs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a wrong formula may well divide by zero
            return sort_keys(formula(*args, **kwargs))
    except Exception:
        return NOTHING


def describe_structure(value: Any) -> Any:
    """What is around the numbers of a value, where a list is as good as a tuple."""
    if isinstance(value, (list, tuple)):
        return [describe_structure(item) for item in value]
    return {key: describe_structure(item) for key, item in value.items()} if isinstance(value, dict) else ""


def _is_huge(number: Any) -> bool:
    """Whether it is an integer that no tensor holds."""
    return isinstance(number, int) and number.bit_length() > 63


def _is_equal(wrong: Any, got: Any) -> bool:
    if _is_huge(wrong) or _is_huge(got):
        return type(wrong) is type(got) and bool(wrong == got)
    wrong, got = torch.as_tensor(wrong), torch.as_tensor(got)
    return wrong.dtype == got.dtype and torch.equal(wrong, got)


def _is_same(wrong: Any, moved: Any, got: Any, allowed: Tensor) -> bool:
    if _is_huge(wrong) or _is_huge(got):
        return type(wrong) is type(got) and bool(wrong == got)
    wrong, moved, got = torch.as_tensor(wrong), torch.as_tensor(moved), torch.as_tensor(got)
    if wrong.shape != got.shape or wrong.dtype != got.dtype:
        return False
    if not wrong.is_floating_point():
        return torch.equal(wrong, got)
    rounding = ULPS * torch.finfo(wrong.dtype).eps
    wrong, moved, got = wrong.detach().double(), moved.detach().double(), got.detach().double()
    if not torch.equal(wrong.isnan(), got.isnan()):
        return False
    spread = (moved - wrong).abs().nan_to_num(0.0, 0.0, 0.0)
    spread = torch.maximum(spread, spread.mean() if spread.numel() else spread)
    tolerance = SAFETY * spread + rounding * wrong.abs().nan_to_num(0.0, 0.0, 0.0)
    if allowed.shape == wrong.shape:
        tolerance = torch.maximum(tolerance, allowed)
    near = (wrong - got).abs() <= tolerance
    return bool((near | wrong.isnan() | (wrong == got)).all())
