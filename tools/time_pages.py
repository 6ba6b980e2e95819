"""How soon the class page of a large course opens: `python tools/time_pages.py [STUDENTS]`. Needs Chromium."""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from autograde.records.class_page import class_page
from autograde.records.room import Room
from autograde.report import ExerciseReport, Outcome, Report, Verdict

CHECKS, RUNS = 25, 5


def a_report(student: int, chance: random.Random) -> Report:
    verdicts = []
    for number in range(CHECKS):
        outcome = Outcome.PASSED if chance.random() < 0.8 else Outcome.FAILED
        points, idea = float(outcome is Outcome.PASSED), chance.randrange(9)
        text = {} if points else {"hint": f"You do the wrong thing number {idea}.", "answer": str(idea)}
        verdicts.append(
            Verdict(check=str(number), title=f"check {number}", outcome=outcome, points=points, max_points=1, **text)
        )
    exercises = [ExerciseReport(exercise="one", verdicts=verdicts)]
    return Report(assignment="large", student=f"student-{student:04d}", digest="", exercises=exercises)


def main(students: int) -> None:
    chance = random.Random(0)
    text = class_page("A large course", [a_report(number, chance) for number in range(students)], Room("large"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "large.html")
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page, times = browser.new_page(), []
        for _ in range(RUNS):
            page.goto(path.as_uri())
            # Two frames after loading, the page has been laid out and painted.
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            times.append(page.evaluate("performance.now()") / 1000)
        browser.close()
    print(f"{students} students, {CHECKS} checks: {len(text) / 1e6:.2f} MB, ", end="")
    print(f"opened and painted in {statistics.median(times):.2f} s (median of {RUNS}), {max(times):.2f} s at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
