"""Times how fast the pages of a large course open: `python -m tools.bench.pages [STUDENTS]`. Needs Chromium."""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from autograde.records.grade_changes import Change
from autograde.report import ExerciseReport, Outcome, Report, Verdict
from autograde.reports.changes_page import render_changes_page
from autograde.reports.class_page import render_class_page
from autograde.reports.class_status import ClassStatus
from autograde.reports.term_report import render_term_page, summarise_assignment

CHECKS, ASSIGNMENTS, RUNS = 25, 10, 5


def draw_report(student: int, chance: random.Random) -> Report:
    verdicts = []
    for number in range(CHECKS):
        outcome = Outcome.PASSED if chance.random() < 0.8 else Outcome.FAILED
        points, idea = float(outcome is Outcome.PASSED), chance.randrange(9)
        text: dict[str, Any] = {} if points else {"hint": f"You do the wrong thing number {idea}.", "answer": str(idea)}
        verdicts.append(
            Verdict(check=str(number), title=f"check {number}", outcome=outcome, points=points, max_points=1, **text)
        )
    exercises = [ExerciseReport(exercise="one", verdicts=verdicts)]
    return Report(assignment="large", student=f"student-{student:04d}", digest="", exercises=exercises)


def render_pages(students: int) -> dict[str, str]:
    """A page of each kind that grows with the class; every student was regraded, and ten assignments make a term."""
    chance = random.Random(0)
    reports = {f"student-{number:04d}": draw_report(number, chance) for number in range(students)}
    everybody, status = list(reports.values()), ClassStatus("large")
    changed = [
        Change(who, 1.0, report.score, {"one": (1.0, report.score)}, ("checks",)) for who, report in reports.items()
    ]
    return {
        "class": render_class_page("A large course", everybody, status),
        "term": render_term_page(
            "A large course",
            [summarise_assignment(f"assignment {number}", everybody, status) for number in range(ASSIGNMENTS)],
        ),
        "regrading": render_changes_page("A large course", changed, dict(reports), status, has_class_page=True),
    }


def main(students: int) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, text in render_pages(students).items():
            path = Path(folder, f"{name}.html")
            path.write_text(text, encoding="utf-8")
            page, times = browser.new_page(), []
            for _ in range(RUNS):
                page.goto(path.as_uri())
                # Two frames after loading, the browser has laid out and painted the page.
                page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                times.append(page.evaluate("performance.now()") / 1000)
            page.close()
            print(f"{name}: {students} students, {len(text) / 1e6:.2f} MB, opened and painted in ", end="")
            print(f"{statistics.median(times):.2f} s (median of {RUNS}), {max(times):.2f} s at most")
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
