"""A picture of a wrong answer: what the course reveals, in bounds, the same in words."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autograde.client.mismatch import Mismatch, hide_unrevealed
from autograde.grading.exception_hints import find_hint
from autograde.pages.picture import describe_pattern, draw_picture
from autograde.report import Comparison, Outcome, Reveal, decode_report, encode_report
from autograde.testing import Oracle
from autograde.testing.excerpt import NUMBERS, cut_excerpt
from autograde.tests.report_builders import make_report, make_verdict

LOWER = np.tril(np.ones((4, 4), dtype=bool))


def compared(got: torch.Tensor, expected: torch.Tensor) -> Comparison:
    fine = got == expected
    worst = np.unravel_index(int((~fine).reshape(-1).int().argmax()), tuple(got.shape))
    return cut_excerpt("the result", got, expected, fine, tuple(map(int, worst)))


@pytest.mark.parametrize("shape", [[4], [2, 2]])
@pytest.mark.parametrize("largest", [1.79769e308, "inf", 5e-324, "nan"])
def test_picture_draws_any_number_of_any_dtype(shape: list[int], largest: float | str) -> None:
    """Without a warning too: the ends of an axis may lie further apart than any number."""
    got = [largest, -largest if isinstance(largest, float) else f"-{largest}", 0.0, 1.0]
    start = [0] * len(shape)
    of = Comparison(
        what="x", of=shape, start=start, shape=shape, got=got, wrong=[0, 1], expected=[-1e308, 0.0, 1.0, 2.0]
    )
    drawn = draw_picture(of)
    assert drawn
    assert len(drawn.panels) == (3 if len(shape) == 2 else 1)


@given(array_shapes(min_dims=1, max_dims=5, max_side=60), st.data())
@settings(max_examples=60, deadline=None)
def test_excerpt_is_small_and_contains_the_worst_value(shape: tuple[int, ...], data: st.DataObject) -> None:
    count = int(np.prod(shape)) % 20_000 or 1
    shape = shape if count == np.prod(shape) else (count,)
    worst = tuple(data.draw(st.integers(0, side - 1)) for side in shape)
    got = torch.zeros(shape)
    got[worst] = 7.0
    found = cut_excerpt("x", got, torch.zeros(shape), got == 0, worst)
    assert len(found.got) == np.prod(found.shape) <= NUMBERS
    assert [found.got[place] for place in found.wrong] == [7.0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.ones((2, 2)), "every value"),
        (LOWER, "every value on and below the diagonal"),
        (~LOWER, "every value above the diagonal"),
        (np.eye(3), "the diagonal"),
        (np.array([[0, 0], [1, 1], [0, 0]]), "row 1"),
        (np.array([[0, 1], [0, 1]]), "column 1"),
        (np.array([[0, 1, 0], [1, 0, 0]]), "2 of 6 values"),
        (np.array([0, 1, 1]), "2 places (1, 2)"),
    ],
)
def test_excerpt_names_a_pattern(wrong: np.ndarray, words: str) -> None:
    assert describe_pattern(wrong.astype(bool)) == words


def test_picture_shows_only_what_the_course_reveals() -> None:
    whole = compared(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 987.0]))
    assert hide_unrevealed(whole, Reveal.NOTHING) is None
    some = hide_unrevealed(whole, Reveal.INPUT)
    assert some is not None
    drawn, everything = draw_picture(some), draw_picture(whole)
    assert drawn is not None
    assert everything is not None
    for shown, told in ((drawn, False), (everything, True)):
        (panel,) = shown.panels
        svg = base64.b64decode(panel.address.partition(",")[2]).decode()
        assert ("987" in panel.alternative, "expected" in svg) == (told, told)
        assert "<script" not in svg
        assert "2." in panel.alternative


def test_picture_of_a_matrix_has_a_panel_for_each_revealed_value() -> None:
    whole = compared(torch.eye(3), 5 * torch.eye(3))
    hidden = hide_unrevealed(whole, Reveal.INPUT)
    few, many = draw_picture(hidden), draw_picture(whole)
    assert few is not None
    assert many is not None
    assert few.panels[0].alternative == many.panels[0].alternative
    assert len(few.panels) == 1
    assert ["Yours" in few.panels[0].alternative, "5" in few.panels[0].alternative] == [True, False]
    yours, expected, difference = (panel.alternative for panel in many.panels)
    assert "Wrong: the diagonal." in yours
    assert expected.startswith("Heat map. Expected: [[5., 0., 0.]")
    assert difference.startswith("Heat map. Yours minus expected: [[-4.,")


@pytest.mark.parametrize("got", [torch.randn(30, 50), torch.full((3, 3), float("nan")), torch.randn(500), torch.eye(3)])
def test_picture_is_small_and_deterministic(got: torch.Tensor) -> None:
    comparison = compared(got, got.nan_to_num() + 1)
    report = make_report(verdicts=[make_verdict(outcome=Outcome.FAILED, comparison=comparison, margin=1e9)])
    assert decode_report(encode_report(report)) == report
    first, second = draw_picture(comparison), draw_picture(comparison)
    assert first is not None
    assert first == second
    assert sum(len(panel.address) for panel in first.panels) < 60_000
    assert first.caption.endswith(".")


def test_picture_is_omitted_for_two_numbers() -> None:
    assert draw_picture(compared(torch.zeros(2), torch.ones(2))) is None
    assert draw_picture(None) is None


def test_mismatch_carries_its_numbers() -> None:
    oracle = Oracle(lambda x: x * 2)
    with pytest.raises(Mismatch) as raised:
        oracle.compare(torch.tensor([2.0, 5.0]), torch.tensor([1.0, 2.0]))
    assert raised.value.compared is not None
    found = raised.value.compared()
    assert (found.got, found.expected, found.wrong) == ([2.0, 5.0], [2.0, 4.0], [1])


def raised_by(code: str) -> tuple[list[str], str]:
    try:
        exec(code, {"torch": torch, "x": torch.ones(2, 3), "w": torch.ones(3, requires_grad=True)})
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__], str(error)
    raise AssertionError(f"{code} raised nothing")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("x @ x", "transposed"),
        ("x + torch.ones(4)", "keepdim"),
        ("x.reshape(5)", "keep the number of values"),
        ("x.T.view(6)", "`.reshape`"),
        ("x @ torch.ones(3, dtype=torch.float64)", "`dtype=x.dtype`"),
        ("x @ torch.ones(3, device='meta')", "`device=x.device`"),
        ("x.sum(dim=2)", "-1"),
        ("x[0, 0, 0]", "count from 0"),
        ("a, b, c = x.shape", "leading axes"),
        ("x.sum().backward()", "`.item()`"),
        ("w += 1", "x = x + y"),
        ("w.numpy()", "gradients"),
        ("x and x", "torch.where"),
        ("None.shape", "`return`"),
        ("(lambda a: a)()", "as the notebook declares it"),
        ("torch.arange(3).mean()", "floating numbers"),
        ("import gone", "modules"),
        ("gone", "Restart kernel"),
        ("open('/gone')", "from disk"),
    ],
)
def test_exception_hints_explain_messages_of_torch(code: str, word: str) -> None:
    assert word in find_hint(*raised_by(code))


def test_exception_hints_are_omitted_when_uncertain() -> None:
    assert find_hint(["ZeroDivisionError", "Exception"], "division by zero") == ""
