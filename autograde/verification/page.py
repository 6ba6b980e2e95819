"""The results of `course verify`, as a page for the instructor and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from autograde.course import Course
from autograde.pages.staff_page import render_staff_page
from autograde.text import to_plain_text
from autograde.verification.problems import describe_problems
from autograde.verification.result import Verification


def encode_verification(found: Verification) -> dict[str, Any]:
    """Return all results as data for JSON, with checks by their titles."""
    nearest = {"right": found.nearest_right, "wrong": found.nearest_wrong}
    return {
        "assignment": found.slug,
        "sound": found.sound,
        "problems": describe_problems(found.problems),
        "checks": found.checks,
        "right": found.right,
        "wrong": {name: [found.checks[index] for index in caught] for name, caught in found.kills.items()},
        "named": found.named,
        "texts": {name: asdict(text) for name, text in found.texts.items()},
        "shared_hints": found.shared_hints,
        "separations": {name: list(map(asdict, each)) for name, each in found.separations.items()},
        "redundant": found.redundant,
        "margins": {
            found.checks[index]: {
                kind: {"program": near[index][1], "margin": near[index][0]}
                for kind, near in nearest.items()
                if index in near
            }
            for index in range(len(found.checks))
            if index in found.nearest_right or index in found.nearest_wrong
        },
    }


def write_verification(course: Course, found: Verification, folder: Path) -> list[Path]:
    """Write <folder>/<slug>.html and .json."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = (folder / f"{found.slug}.{kind}" for kind in ("html", "json"))
    page.write_text(render_verification_page(course.open(found.slug).title, found), encoding="utf-8")
    data.write_text(json.dumps(encode_verification(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [page, data]


def render_verification_page(title: str, found: Verification) -> str:
    """Render the page as HTML."""
    caught = {index for kills in found.kills.values() for index in kills}
    exercises = groupby(exercise for exercise, _ in found.places)
    return render_staff_page(
        "verify.html.j2",
        title=title,
        slug=found.slug,
        sound=found.sound,
        problems=[to_plain_text(sentence, 2000) for sentence in describe_problems(found.problems)],
        right=found.right,
        count_wrong=len(found.kills),
        redundant=len(found.redundant),
        idle=len(set(range(len(found.checks))) - caught - found.flags),
        exercises=[(to_plain_text(name), len(list(of))) for name, of in exercises],
        checks=[
            {
                "number": index + 1,
                "title": to_plain_text(check),
                "catches": sum(index in kills for kills in found.kills.values()),
                "redundant": check in found.redundant,
                "idle": index not in caught,
                "notes": index in found.flags,
                "right": _describe_nearest(found.nearest_right.get(index)),
                "wrong": _describe_nearest(found.nearest_wrong.get(index)),
            }
            for index, check in enumerate(found.checks)
        ],
        rows=[
            {
                "name": name,
                "misconception": "yes" if found.named.get(name) == name else found.named.get(name, ""),
                "cells": ["✗" if index in kills else "·" for index in range(len(found.checks))],
            }
            for name, kills in found.kills.items()
        ],
        texts=[
            {"name": name, "reason": to_plain_text(text.reason), "hint": to_plain_text(text.hint)}
            for name, text in found.texts.items()
        ],
        shared=[{"hint": to_plain_text(hint), "names": names} for hint, names in found.shared_hints.items()],
        separations=[
            asdict(each) | {"exercise": exercise, "example": to_plain_text(each.example, 2000)}
            for exercise, some in found.separations.items()
            for each in some
        ],
    )


def _describe_nearest(near: tuple[float, str] | None) -> dict[str, str]:
    return {"margin": f"{near[0]:.2g}", "program": near[1]} if near else {}
