"""Mutants differ from the solution in one place, and are the same in every run."""

from __future__ import annotations

import ast

import pytest

from autograde.verification.mutants import make_mutants, sample

SOURCE = '''
def f(x, eps=1e-6):
    """mean square"""
    wide = x.float()
    total = wide.square().mean(dim=-1, keepdim=True)
    if not total.numel() > 2:
        total += eps
    return (wide * torch.rsqrt(total + eps))[..., :-1].to(x.dtype)
'''


def test_mutants_are_python_and_all_different() -> None:
    found = make_mutants("f", SOURCE)
    assert len({mutant.source for mutant in found}) == len(found) > 30
    original = ast.unparse(ast.parse(SOURCE))
    for mutant in found:
        assert ast.unparse(ast.parse(mutant.source)) == mutant.source != original
    assert make_mutants("f", SOURCE) == found


@pytest.mark.parametrize(
    "change",
    [
        "`wide.square()` becomes `wide`",
        "`wide.square().mean(dim=-1, keepdim=True)` becomes `wide.square().sum(dim=-1, keepdim=True)`",
        "`wide.square().mean(dim=-1, keepdim=True)` becomes `wide.square().mean(dim=-1)`",
        "`wide.square().mean(dim=-1, keepdim=True)` becomes `wide.square().detach().mean(dim=-1, keepdim=True)`",
        "`torch.rsqrt(total + eps)` becomes `torch.sqrt(total + eps)`",
        "`x.float()` becomes `x`",
        "`total + eps` becomes `total - eps`",
        "`total += eps` left out",
        "`True` becomes `False`",
        "`total.numel() > 2` becomes `total.numel() >= 2`",
    ],
)
def test_mutants_include_typical_mistakes(change: str) -> None:
    assert change in [mutant.change for mutant in make_mutants("f", SOURCE)]


def test_mutants_leave_docstrings_annotations_and_the_order_of_sums_alone() -> None:
    typed = SOURCE.replace("x, eps=1e-6):", "x: Tensor, eps: float = 1e-6) -> tuple[Tensor, int]:")
    for mutant in make_mutants("f", typed):
        assert "mean square" in mutant.source
        assert "x: Tensor, eps: float=" in mutant.source
        assert "-> tuple[Tensor, int]:" in mutant.source
        assert "eps + total" not in mutant.source


def test_sample_of_mutants_is_the_same_for_a_seed() -> None:
    found = make_mutants("f", SOURCE)
    assert sample(found, 7, 3) == sample(found, 7, 3) != sample(found, 7, 4)
    assert len(sample(found, 10**6, 3)) == len(found)
