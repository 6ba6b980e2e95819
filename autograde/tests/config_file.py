"""The course_config.py of a course, written from the course itself: `write_config(replace(course, limits=...))`."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from autograde.course import CONFIG_NAME, Course, load_course


def write_config(course: Course) -> Course:
    """Write `course` to its folder; returns what the commands load from there."""
    (course.root / CONFIG_NAME).write_text(config_text(course))
    return load_course(course.root)


def config_text(course: Course) -> str:
    """A configuration that declares this course, one option a line."""
    names = {"Course"}
    assignments = "".join(f"        {_expression(each, names)},\n" for each in course.assignments)
    options = {"name": repr(course.name), "assignments": f"[\n{assignments}    ]"}
    options |= {name: text for name, text in _arguments(course, names).items() if name not in {*options, "root"}}
    lines = "".join(f"    {name}={text},\n" for name, text in options.items())
    return f"from autograde.course import {', '.join(sorted(names))}\nCOURSE = Course(\n{lines})\n"


def _expression(value: Any, names: set[str]) -> str:
    """Python that gives `value`; adds the classes that it uses to `names`."""
    kind = type(value).__name__
    if isinstance(value, Enum):
        names.add(kind)
        return f"{kind}.{value.name}"
    if is_dataclass(value):
        names.add(kind)
        return f"{kind}({', '.join(f'{name}={text}' for name, text in _arguments(value, names).items())})"
    return repr(value)


def _arguments(value: Any, names: set[str]) -> dict[str, str]:
    """The fields that differ from their defaults."""
    changed = [field.name for field in fields(value) if getattr(value, field.name) != _default(field)]
    return {name: _expression(getattr(value, name), names) for name in changed}


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
