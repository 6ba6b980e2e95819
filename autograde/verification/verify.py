"""Verifies that an assignment is sound: its solution and right programs get full marks, every wrong program is caught
and named, no decoy passes, stubs get no points, the points add up and no solution leaks.

`programs` defines what is graded, `orders` with which options, `expectations` what is expected, `result` the findings.
"""

from __future__ import annotations

import contextlib
import functools

from autograde.course import Work
from autograde.grading.pool import GraderPool, OnProgress
from autograde.notebooks.leaks import find_shown_solution_lines
from autograde.notebooks.load import load_solution
from autograde.notebooks.release import draft, read_points
from autograde.notebooks.source import read_source
from autograde.verification.expectations import judge
from autograde.verification.orders import (
    list_decoy_orders,
    list_right_orders,
    list_wrong_orders,
    make_untouched_order,
    restrict_orders,
)
from autograde.verification.programs import cut_experiments
from autograde.verification.report_cache import Definitions, ReportCache
from autograde.verification.result import Verification
from autograde.verification.shared_functions import find_shared_functions
from autograde.verification.stated_points import find_stated_point_problems


def verify(
    work: Work,
    jobs: int,
    device: str = "cpu",
    *,
    seeds: int = 1,
    every_check: bool = False,
    exercise: str = "",
    cached: bool = True,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Grade the solution, every right and wrong program, and the decoys; compare points; check for leaks.

    The solution and the right programs are graded under the course's seed and the `seeds` - 1 that follow it. A wrong
    program runs only the checks of the exercises in which it differs; with `every_check` it runs all. A misconception
    without a wrong program of its name is tested with its own answers.

    With an `exercise`, only its checks run, and only on the programs that concern it. Programs that nothing can have
    affected since they were last verified are not graded again, unless `cached` is false.
    """
    drafted = draft(work)  # raises CourseError for a leak or a malformed source
    solution, found = load_solution(work, drafted), Verification(work.slug, shown=find_shown_solution_lines(work))
    cache = ReportCache(work, device, cached)
    with contextlib.ExitStack() as stack:
        open_pool = functools.cache(lambda: stack.enter_context(GraderPool(work, jobs, device, untrusted=False)))
        definitions = cache.load_definitions(solution)
        if definitions is None:
            separations = open_pool().find_separations(cut_experiments(solution))
            definitions = Definitions(open_pool().list_misconceptions(), separations)
            cache.store_definitions(solution, definitions)
        found.separations = definitions.separations
        orders = [
            *list_right_orders(work, solution, drafted, seeds),
            *list_wrong_orders(work, drafted, every_check),
            make_untouched_order(work, drafted),
            *list_decoy_orders(work, solution, definitions.misconceptions),
        ]
        orders = list(restrict_orders(work, orders, exercise)) if exercise else orders
        known = {order.program: report for order in orders if (report := cache.load(order)) is not None}
        missing = {order.submission.student: order for order in orders if order.program not in known}
        if missing:
            found.confinement = open_pool().confinement
            for report in open_pool().run((order.submission, order.options) for order in missing.values()):
                order = missing[report.student]
                cache.store(order, report)
                known[order.program] = report
                if on_progress:
                    on_progress(len(known) - len(orders) + len(missing), len(missing))
        reports = {order.program: known[order.program] for order in orders}
    cache.remove_old()
    found.problems += [*find_stated_point_problems(read_source(work)), *find_shared_functions(work)]
    points = {name: value for name, value in read_points(work).items() if exercise in ("", name)}
    judge(found, reports, points, definitions.misconceptions)
    return found
