"""The TA's page about one assignment: each student's points, the hard checks and the class's misconceptions."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from autograde.pages.feedback import WORDS, format_points, format_problem
from autograde.pages.page import cut_to_first_line
from autograde.pages.staff_page import render_staff_page
from autograde.records.gradebook_status import GradebookStatus
from autograde.report import ExerciseReport, Outcome, ProblemKind, Report, Verdict, group_students_by_hint
from autograde.reports.class_status import ClassStatus, Unfinished
from autograde.reports.item_statistics import Cluster, Item, Key, compute_items, find_clusters, find_hardest
from autograde.text import to_plain_text

NOTHING = Unfinished()
FILE_DAMAGED = (ProblemKind.REPAIRED, ProblemKind.DROPPED, ProblemKind.ANSWER_MISSING)
COUNTED_WORDS = WORDS | {Outcome.NOT_WRITTEN: (WORDS[Outcome.NOT_WRITTEN][0], "not written")}
BINS = 10
LONGEST_BAR = 40
HARDEST = 5
CLOSE = 10.0
"""a wrong value whose error is at most this many tolerances is flagged for a TA to review"""


def render_class_page(
    title: str, reports: Sequence[Report], status: ClassStatus, unfinished: Unfinished = NOTHING
) -> str:
    """Render the page as HTML: readable without its script, without external requests, with every text escaped."""
    found = compute_items(reports)
    shares = [report.score / report.max_score if report.max_score else 0.0 for report in reports]
    scores = [report.score for report in reports]
    rows = {item: _describe_item(number, item) for number, item in enumerate(found.values(), 1)}
    flags = {report.student: find_flags(report, status) for report in reports}
    alike = [_describe_cluster(cluster, status) for cluster in find_clusters(reports)]
    return render_staff_page(
        "class.html.j2",
        title=title,
        slug=status.slug,
        count=len(reports),
        full=sum(report.score == report.max_score for report in reports),
        mean=format_points(statistics.mean(scores)),
        median=format_points(statistics.median(scores)),
        most=format_points(max(report.max_score for report in reports)),
        unconfined=[to_plain_text(report.student) for report in reports if report.unconfined],
        not_graded=[
            (to_plain_text(student, 200), cut_to_first_line(why)) for student, why in unfinished.not_graded.items()
        ],
        withheld=[to_plain_text(student, 200) for student in unfinished.withheld],
        without_feedback=sum(report.student not in status.with_feedback for report in reports),
        changed=unfinished.changed,
        has_term=status.has_term,
        by_hand=_list_answers_to_mark(status),
        to_mark=sum(bool(in_gradebook.to_mark) for in_gradebook in status.gradebook_statuses.values()),
        bins=_count_bins(shares),
        students_by_hint=[
            (to_plain_text(hint), [status.link_student(student) for student in who])
            for hint, who in group_students_by_hint(reports)
        ],
        hardest=[rows[item] for item in find_hardest(found.values())[:HARDEST]],
        clusters=alike,
        unexplained=sum(not cluster["explained"] for cluster in alike),
        stopped=[
            _describe_verdict(status, *of)
            for of in _list_verdicts(reports)
            if of[2].outcome in (Outcome.CRASHED, Outcome.TIMED_OUT)
        ],
        close=[_describe_verdict(status, *of) for of in _list_verdicts(reports) if is_close(of[2])],
        items=list(rows.values()),
        exercises=[(name, len(list(of))) for name, of in groupby(item.exercise for item in found.values())],
        rows=[_describe_student(report, status, found, flags[report.student]) for report in reports],
        words=[{"symbol": symbol, "word": word} for symbol, word in dict.fromkeys(WORDS.values())],
        flags=sorted({flag for of in flags.values() for flag in of}),
        flagged=[(status.link_student(student), sorted(of)) for student, of in flags.items() if of - {"to mark"}],
        problems=[(status.link_student(r.student), stopped) for r in reports if (stopped := _list_problems(r))],
    )


def is_close(verdict: Verdict) -> bool:
    """Was a value wrong by less than CLOSE tolerances?"""
    return verdict.outcome is Outcome.FAILED and verdict.margin is not None and 1 < verdict.margin < CLOSE


def is_rule_broken(exercise: ExerciseReport) -> bool:
    """Did a check without points fail? Such checks mean nothing for an exercise that has no points yet."""
    return exercise.score > 0 and any(v.max_points == 0 and v.outcome is Outcome.FAILED for v in exercise.verdicts)


def find_flags(report: Report, status: ClassStatus) -> set[str]:
    """Find what a TA may want to review in this submission, as short labels."""
    in_gradebook = status.gradebook_statuses.get(report.student, GradebookStatus())
    found = {
        "late": in_gradebook.late_s > 0,
        "to mark": bool(in_gradebook.to_mark),
        "crashed": any(verdict.outcome is Outcome.CRASHED for verdict in report.verdicts),
        "timed out": any(verdict.outcome is Outcome.TIMED_OUT for verdict in report.verdicts),
        "close call": any(is_close(verdict) for verdict in report.verdicts),
        "our fault": report.withheld,
        "rule broken": any(map(is_rule_broken, report.exercises)),
        "file repaired": any(problem.kind in FILE_DAMAGED for problem in report.problems),
    }
    return {flag for flag, holds in found.items() if holds}


def _list_verdicts(reports: Sequence[Report]) -> Iterator[tuple[str, str, Verdict]]:
    for report in reports:
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                yield report.student, exercise.exercise, verdict


def _describe_verdict(status: ClassStatus, student: str, exercise: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "who": status.link_student(student),
        "exercise": exercise,
        "title": to_plain_text(verdict.title),
        "symbol": WORDS[verdict.outcome][0],
        "reason": cut_to_first_line(verdict.reason),
        "margin": verdict.margin,
    }


def _list_problems(report: Report) -> list[str]:
    """List repairs and stopped cells, without failed public examples, which the verdicts already cover."""
    listed = [problem for problem in report.problems if problem.kind is not ProblemKind.EXAMPLE_FAILED]
    return [cut_to_first_line(format_problem(problem)) for problem in listed]


def _list_answers_to_mark(status: ClassStatus) -> list[dict[str, Any]]:
    """List the answers that need manual marking, with their students."""
    waiting: dict[str, list[dict[str, str]]] = defaultdict(list)
    for student, in_gradebook in sorted(status.gradebook_statuses.items()):
        for answer in in_gradebook.to_mark:
            person = status.link_student(student)
            waiting[answer].append(person | {"href": person["marking"] or person["href"]})
    return [{"answer": answer, "who": who} for answer, who in waiting.items()]


def _count_bins(shares: list[float]) -> list[dict[str, Any]]:
    """Count the students by tenth of the points; the last bin includes full marks."""
    counts = Counter(min(BINS - 1, int(share * BINS)) for share in shares)
    longest = max(counts.values(), default=1)
    return [
        {
            "range": f"{100 * number // BINS} to {100 * (number + 1) // BINS} %",
            "count": counts[number],
            "bar": "█" * round(LONGEST_BAR * counts[number] / longest),
        }
        for number in range(BINS)
    ]


def _describe_item(number: int, item: Item) -> dict[str, Any]:
    counted = [(words, item.outcomes[outcome]) for outcome, words in COUNTED_WORDS.items() if item.outcomes[outcome]]
    return {
        "number": number,
        "exercise": item.exercise,
        "title": to_plain_text(item.title),
        "difficulty": f"{item.difficulty:.0%}",
        "discrimination": "" if item.discrimination is None else f"{item.discrimination:.2f}",
        "outcomes": ", ".join(f"{symbol} {count} {word}" for (symbol, word), count in counted),
    }


def _describe_cluster(cluster: Cluster, status: ClassStatus) -> dict[str, Any]:
    return {
        "exercise": cluster.exercise,
        "title": to_plain_text(cluster.example.title),
        "what": to_plain_text(cluster.example.hint) if cluster.explained else cut_to_first_line(cluster.example.reason),
        "explained": cluster.explained,
        "who": [status.link_student(student) for student in cluster.students],
    }


def _describe_student(
    report: Report, status: ClassStatus, found: Mapping[Key, Item], flags: set[str]
) -> dict[str, Any]:
    outcomes = {(e.exercise, v.check): v.outcome for e in report.exercises for v in e.verdicts}
    return {
        **status.link_student(report.student),
        "score": f"{format_points(report.score)} / {format_points(report.max_score)}",
        "flags": ", ".join(sorted(flags)),
        "shown_flags": ", ".join(sorted(flags - {"to mark"})),
        "cells": [WORDS[outcomes[key]][0] if key in outcomes else "" for key in found],
    }
