"""What one process found out of its checks, another takes over as it was, or finds out again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.client.student import Student
from autograde.grading import check_cache
from autograde.testing import Oracle, check, tensors
from autograde.testing.checks import Check
from autograde.testing.request_replay import Script

SEED = 3


class Module:
    """A module with one check, fresh each time, and how often it drew."""

    def __init__(self, form: Any = lambda x: x) -> None:
        self.drawn = 0
        self.oracle = Oracle(lambda x, power: {"powers": (x**power, [x.sum()]), "power": power})

        def noted(power: int) -> int:
            self.drawn += 1
            return power

        @given(tensors((2, 3)).map(form), st.integers(0, 3).map(noted))
        def powers(student: Student, x: torch.Tensor, power: int) -> None:
            """powers"""

        self.check: Check = check(points=1, examples=5)(powers).check  # type: ignore[attr-defined]
        self.checks, self.oracles = {"powers": self.check}, {"oracle": self.oracle}

    def compare(self) -> None:
        """As a right submission would have it."""
        for case in self.check.cases:
            self.oracle.compare(self.oracle.reference(**case), **case)

    def found(self) -> bytes:
        self.check.draw(SEED)
        self.compare()
        return check_cache.encode_cache(self.checks, self.oracles, SEED)

    def apply(self, data: bytes) -> bool:
        return check_cache.load_cache(data, self.checks, self.oracles, SEED)


def assert_same(one: Any, other: Any) -> None:
    """Equal to the bit and to the type."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, dict):
        assert_same(list(one.items()), list(other.items()))
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    else:
        assert one == other


def test_check_cache_contents_equal_a_fresh_draw() -> None:
    first, second = Module(), Module()
    first.check.draw(SEED)
    first.check.script = Script([b"a", b"question"])
    assert second.apply(first.found())
    second.check.draw(SEED)
    assert (first.drawn > 0, second.drawn) == (True, 0)
    assert_same(first.check.cases, second.check.cases)
    assert second.check.script is not None
    assert second.check.script.frames == [b"a", b"question"]
    assert list(first.oracle.cache) == list(second.oracle.cache)
    for one, other in zip(first.oracle.cache.values(), second.oracle.cache.values(), strict=True):
        assert_same(one.answer, other.answer)
        assert_same([vars(part) for part in one.parts], [vars(part) for part in other.parts])


def test_check_cache_contents_are_not_measured_again() -> None:
    first, second = Module(), Module()
    data = first.found()
    second.oracle.reference = pytest.fail  # type: ignore[assignment]
    assert second.apply(data)
    for case in second.check.cases:
        second.oracle.compare(first.oracle.reference(**case), **case)


def test_check_cache_is_rebuilt_for_another_seed() -> None:
    first, second = Module(), Module()
    assert second.apply(first.found())
    second.check.draw(SEED + 1)
    assert second.drawn > 0
    assert second.check.script is None


@pytest.mark.parametrize("form", [torch.Tensor.t, lambda x: x.expand(2, 2, 3), torch.nn.Parameter, {1}.union])
def test_check_cache_draws_again_inputs_that_do_not_round_trip(form: Any) -> None:
    """Laid out in another way, of another type: what a check hands to a submission stays what its author wrote."""
    first, second = Module(form), Module(form)
    first.check.draw(SEED)
    assert second.apply(check_cache.encode_cache(first.checks, first.oracles, SEED))
    second.check.draw(SEED)
    assert second.drawn == first.drawn


def test_check_cache_measures_functions_among_inputs_again() -> None:
    oracle = Oracle(lambda x, f: f(x))
    oracle.compare(torch.ones(2), torch.ones(2), torch.relu)
    fresh = Oracle(lambda x, f: f(x))
    assert check_cache.load_cache(check_cache.encode_cache({}, {"oracle": oracle}, SEED), {}, {"oracle": fresh}, SEED)
    assert not fresh.cache


def test_check_cache_damaged_bytes_cost_only_time() -> None:
    first, second, random = Module(), Module(), Random(0)
    whole = first.found()
    for place in (0, len(whole) - 1, *random.sample(range(len(whole)), 20)):
        turned = whole[:place] + bytes([whole[place] ^ 1 << random.randrange(8)]) + whole[place + 1 :]
        for damaged in (turned, whole[:place], whole[:place] + whole[place + 1 :]):
            assert not second.apply(damaged)
    second.check.draw(SEED)
    assert_same(first.check.cases, second.check.cases)
    assert not second.oracle.cache
