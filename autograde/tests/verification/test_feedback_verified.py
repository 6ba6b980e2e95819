"""`course verify` shows what students read, what separates misconceptions, and how checks take values of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.grading.pool import GraderPool
from autograde.notebooks.release import draft
from autograde.tests.checked_course import (
    COMPARISON,
    MISCONCEPTIONS,
    SINGLE_ROWS,
    hidden_tests,
    make_checked_course,
    program,
)
from autograde.tests.tiny_course import SLUG
from autograde.verification.orders import list_wrong_orders
from autograde.verification.problems import describe_problems
from autograde.verification.result import Verification
from autograde.verification.verify import verify

ADDS = MISCONCEPTIONS["adds"][0]
NAMELESS_ORACLE = f'''

oracles = {{"scale": Oracle(lambda x, factor: x * factor)}}


@oracles["scale"].misconception
def adds(x, factor):
    """{ADDS}"""
    return x + factor


@oracles["scale"].misconception
def rows_left_alone(x, factor):
    """You scale single rows only."""
    return {SINGLE_ROWS}
'''
IMPORTS = "\n\nfrom autograde.testing import Mismatch, StudentError, expect\n"
ANY_ERROR_IS_A_MISMATCH = """try:
        student.scale(x, factor)
    except StudentError:
        raise Mismatch('no', 'H') from None"""
LAW = '''

import torch
from autograde.testing import contract, expect, expect_like


@check(points=1)
@given(tensors((3,)))
def test_law(student, x):
    """scaling by one changes nothing, and the input stays"""
    got = student.scale(x, torch.ones(3))
    expect_like(got, x)
    expect(torch.equal(got, x), "scaling by one changes x", "Do not change x.")


@check(points=1)
@given(tensors((3,)))
def test_inputs(student, x):
    """x stays as it was"""
    contract.all_of(student.scale, x, x + 1, like=x, facets=[contract.input_unchanged])
'''


def verified(root: Path, tests: str) -> Verification:
    return verify(make_checked_course(root, tests=tests).open(SLUG), jobs=1)


def problems_of(root: Path, tests: str) -> str:
    return "\n".join(describe_problems(verified(root, tests).problems))


def test_verify_shows_the_text_of_each_wrong_program(tmp_path: Path) -> None:
    found = verified(tmp_path, hidden_tests())
    assert describe_problems(found.problems) == []
    assert found.texts["adds"].hint == ADDS
    assert found.texts["adds"].misconception == "adds"
    assert found.shared_hints == {}


def test_verify_flags_a_hint_that_two_misconceptions_share(tmp_path: Path) -> None:
    misconceptions = MISCONCEPTIONS | {"rows_left_alone": (ADDS, SINGLE_ROWS)}
    found = verified(tmp_path, hidden_tests(misconceptions=misconceptions))
    assert found.shared_hints == {ADDS: ["adds", "rows_left_alone"]}


def test_verify_names_the_nearest_program_and_what_separates_it(tmp_path: Path) -> None:
    found = verified(tmp_path, hidden_tests())
    near = {each.misconception: each for each in found.separations["scale"]}
    assert near["rows_left_alone"].nearest == "the right answer"
    assert 0 < near["rows_left_alone"].separating < near["rows_left_alone"].total
    assert near["rows_left_alone"].example.startswith("scale(torch.tensor([[")
    assert near["adds"].example.startswith("scale(torch.tensor([")


def test_verify_finds_misconceptions_in_any_container(tmp_path: Path) -> None:
    """Also those of an oracle that is not a global of the module."""
    comparison = 'oracles["scale"].compare(student.scale(x, factor), x, factor)'
    tests = hidden_tests(bodies=(comparison, comparison), misconceptions={}, more=NAMELESS_ORACLE)
    found = verified(tmp_path, tests)
    assert describe_problems(found.problems) == []
    assert found.named == {"adds": "adds", "rows_left_alone": "rows_left_alone"}
    assert len(found.separations["scale"]) == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (f"student.scale(x, factor).sum()\n    {COMPARISON}", "breaks on lists of numbers instead of an answer"),
        (f"float(student.scale(x, factor)[0])\n    {COMPARISON}", "breaks on an object instead of an answer"),
        ("student.scale(x, factor)", "passes with nothing instead of every answer"),
    ],
)
def test_verify_reports_checks_that_do_not_ask_for_the_type(tmp_path: Path, body: str, problem: str) -> None:
    assert problem in problems_of(tmp_path, hidden_tests(bodies=(body, COMPARISON)))


@pytest.mark.parametrize("body", [ANY_ERROR_IS_A_MISMATCH, "expect(False, 'no', 'H')"])
def test_verify_demands_that_a_stub_is_called_unwritten(tmp_path: Path, body: str) -> None:
    tests = hidden_tests(bodies=(body, COMPARISON), more=IMPORTS)
    assert "reports failed for the untouched stub" in problems_of(tmp_path, tests)


def hints_of(root: Path, body: str) -> dict[str, str]:
    """The hint of each check for a program that is called `adds` and has this body."""
    programs = {"wrong/adds": program(body, docstring="Adds.")}
    work = make_checked_course(root, tests=hidden_tests(more=LAW), programs=programs).open(SLUG)
    orders = [order for order in list_wrong_orders(work, draft(work), every_check=True) if order.program.name == "adds"]
    with GraderPool(work, 1, "cpu", untrusted=False) as pool:
        [report] = pool.run((order.submission, order.options) for order in orders)
    return {verdict.check: verdict.hint for verdict in report.verdicts}


def test_hint_of_a_property_gives_way_to_a_recognised_misconception(tmp_path: Path) -> None:
    hints = hints_of(tmp_path, "return x + factor")
    assert hints["test_products"] == ADDS
    assert hints["test_law"] == ""


def test_hint_of_a_fact_stays_beside_a_recognised_misconception(tmp_path: Path) -> None:
    hints = hints_of(tmp_path, "return x.add_(factor)")
    assert hints["test_products"] == ADDS
    assert "writes into its input" in hints["test_inputs"]


def test_hint_of_a_property_stays_where_nothing_explains_the_numbers(tmp_path: Path) -> None:
    assert hints_of(tmp_path, "return x * factor + 1")["test_law"] == "Do not change x."
