"""Prints what the authors of small mistakes would read: `python -m tools.bench.hints SLUG [--count 60]`.

Grades mutants of an assignment's solution, one changed place each, and prints for each that loses points the change and
the explanation that a student sees first. A person judges whether the hint is true: the precision of the hints is the
share of true ones, and `hints per mutant caught` says how often there is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console

from autograde.course import Work, load_course
from autograde.grading.options import Options
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Submission, submission_from_notebook
from autograde.notebooks.release import assemble, draft, read_points
from autograde.report import Outcome, Verdict
from autograde.verification.mutants import Mutant, make_mutants, sample
from autograde.verification.programs import cut_experiments
from tools.bench import ROOT

SEED = 7


def choose_mutants(work: Work, count: int) -> dict[str, Mutant]:
    """Name -> mutant; the same ones for the same solution."""
    mutants = [mutant for cell, source in read_solutions(work).items() for mutant in make_mutants(cell, source)]
    return {f"mutant-{number:03}": mutant for number, mutant in enumerate(sample(mutants, count, SEED))}


def read_solutions(work: Work) -> dict[str, str]:
    """grade_id of each graded code cell -> the solution in it."""
    graded = read_points(work)
    cells = [cell for cell in assemble(work, {}).cells if cell.cell_type == "code" and cell.id in graded]
    return {cell.id: cell.source for cell in cells}


def grade_mutants(work: Work, mutants: dict[str, Mutant]) -> Iterator[tuple[Mutant, Verdict | None]]:
    """Each mutant with the first verdict that a student reads; None if it lost no points."""
    drafted = draft(work)

    def submit(name: str, mutant: Mutant) -> Submission:
        notebook = assemble(work, {mutant.cell: mutant.source})
        return replace(cut_experiments(submission_from_notebook(notebook, drafted, name, work.slug)), student=name)

    orders = ((submit(name, mutant), Options(exercises=frozenset({mutant.cell}))) for name, mutant in mutants.items())
    with GraderPool(work, 1, "cpu") as pool:
        for report in pool.run(orders):
            lost = [
                verdict
                for verdict in report.verdicts
                if verdict.points < verdict.max_points and verdict.outcome is not Outcome.WAITING
            ]
            yield mutants[report.student], min(lost, key=lambda verdict: verdict.specificity, default=None)


def main(slug: str, count: int) -> None:
    work = load_course(ROOT).open(slug)
    mutants = choose_mutants(work, count)
    console, caught, hints = Console(soft_wrap=True, highlight=False, markup=False), 0, 0
    for mutant, verdict in grade_mutants(work, mutants):
        if verdict is None:
            continue
        caught, hints = caught + 1, hints + bool(verdict.hint)
        console.print(f"{mutant.cell}, line {mutant.line}: {mutant.change}\n  {verdict.check}: {verdict.reason}")
        if verdict.hint:
            console.print(f"  hint ({verdict.misconception or 'no misconception'}): {verdict.hint}")
    console.print(f"{slug}: {len(mutants)} mutants, {caught} caught, {hints} with a hint first")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slug")
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    main(arguments.slug, arguments.count)
