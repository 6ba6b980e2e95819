"""The cell to paste shows the failure: below a wrong program it raises, or prints other numbers than below a right one."""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from autograde.client.reproduction import STANDS_IN, UNPASTEABLE
from autograde.course import Work, load_course
from autograde.grading.options import Options
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Submission
from autograde.notebooks.load import load_solution
from autograde.notebooks.release import draft
from autograde.report import Outcome
from autograde.testing.decoys import KINDS
from autograde.tests.machine import skip_without
from autograde.verification.orders import list_wrong_orders
from autograde.verification.programs import cut_experiments

ROOT = Path(__file__).parents[2]
SLUGS = [assignment.slug for assignment in load_course(ROOT).assignments]


def namespace_of(submission: Submission) -> dict[str, Any]:
    """What the notebook defines after its last answer; a cell that stops is left behind, as in Jupyter."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell, source in submission.cells:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, f"<cell {cell}>", "exec"), names)
    return names


def shown_by(replay: str, names: dict[str, Any]) -> str:
    """What the notebook shows for this cell; an exception by its class."""
    torch.manual_seed(0)
    tree, shown = ast.parse(replay), io.StringIO()
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.parse(f"print(repr({ast.unparse(last.value)}))").body[0], last)
    try:
        with contextlib.redirect_stdout(shown):
            exec(compile(ast.fix_missing_locations(tree), "<replay>", "exec"), dict(names))
    except Exception as error:
        return f"{shown.getvalue()}{type(error).__name__}"
    finally:
        torch.set_printoptions(profile="default")
    return shown.getvalue()


def graded(work: Work) -> dict[str, tuple[Submission, list[tuple[str, str]]]]:
    """Each wrong program with the (title, cell to paste) of the checks that it fails."""
    orders = {order.submission.student: order for order in list_wrong_orders(work, draft(work), every_check=False)}
    with GraderPool(work, 1, "cpu", untrusted=False) as pool:
        reports = list(pool.run((order.submission, order.options) for order in orders.values()))
    return {
        report.student: (
            orders[report.student].submission,
            [(v.title, v.replay) for v in report.verdicts if v.outcome in (Outcome.FAILED, Outcome.CRASHED)],
        )
        for report in reports
    }


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # wrong programs run in this process, and may warn
@pytest.mark.parametrize("slug", SLUGS)
def test_reproduction_of_every_wrong_program_fails_when_pasted(slug: str) -> None:
    skip_without("confinement")
    work = load_course(ROOT).open(slug)
    right = namespace_of(cut_experiments(load_solution(work, draft(work))))
    pasted, silent = 0, []
    for name, (submission, replays) in graded(work).items():
        wrong = namespace_of(submission)
        for title, replay in replays:
            if not replay or replay.startswith((UNPASTEABLE, STANDS_IN)):
                continue
            pasted += 1
            found = shown_by(replay, wrong)
            if found == shown_by(replay, right):
                silent.append(f"{name}: {title}\n{replay}\n{found}")
    assert pasted > 10
    assert not silent, "\n\n".join(silent)


@pytest.mark.long
@pytest.mark.parametrize("slug", SLUGS)
def test_checks_take_values_of_every_kind(slug: str) -> None:
    """No check breaks on a value of another kind than the right answer, and none with points accepts it."""
    skip_without("confinement")
    work = load_course(ROOT).open(slug)
    solution = cut_experiments(load_solution(work, draft(work)))
    faults = []
    with GraderPool(work, 1, "cpu", untrusted=False) as pool:
        for kind in KINDS:
            [report] = pool.run([(solution, Options(ignore_after=True, decoy=kind))])
            for verdict in report.verdicts:
                if verdict.outcome is Outcome.BROKEN or verdict.points > 0:
                    faults.append(f"{kind}: {verdict.title}: {verdict.outcome.value}: {verdict.reason}")
    assert not faults, "\n".join(faults)
