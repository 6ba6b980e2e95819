"""Writes a small, sound assignment as a starting point for the author."""

from __future__ import annotations

import ast
import json
import re
from keyword import iskeyword
from pathlib import Path

import jinja2

from autograde.course import CONFIG_NAME, TERM, Course, CourseError
from autograde.disk import write_atomically

SLUG = re.compile(r"[a-z][a-z0-9_]{0,40}")


def write_assignment(course: Course, slug: str, title: str) -> list[Path]:
    """Write the files of a new assignment and list it in course_config.py. Returns the paths written or changed."""
    if not SLUG.fullmatch(slug) or iskeyword(slug):
        raise CourseError(
            f"{slug!r} cannot be a slug: use lower-case letters, digits and underscores, a letter first, "
            "and no keyword of Python"
        )
    if slug == TERM:
        raise CourseError(f"{slug!r} is the name of the term's page; choose another slug")
    if (course.root / "reference_impl" / slug).is_dir():
        raise CourseError(f"{slug!r} cannot be a slug: reference_impl/{slug}/ exists already; choose another slug")
    if slug in course.slugs:
        raise CourseError(f"{CONFIG_NAME} already lists {slug!r}; choose another slug")
    if '"' in title or "\\" in title or not title.isprintable() or not title.strip():
        raise CourseError(f"the title {title!r} must be one line of text without double quotes and backslashes")
    files = _list_files(course.root, slug)
    texts = {path: _render(template, slug=slug, title=title, cell=_format_header) for template, path in files.items()}
    for path in texts:
        if path.exists():
            raise CourseError(f"{path} exists already; choose another slug, or remove the file")
    config = course.root / CONFIG_NAME
    listed = _add_to_config(config, _read_config(course), slug, title)
    for path, text in texts.items():
        write_atomically(path, text)
    write_atomically(config, listed)  # last, so that the course never lists an incomplete assignment
    return [*texts, config]


def _list_files(root: Path, slug: str) -> dict[str, Path]:
    """Return template -> path of the file to write. Includes nbgrader's configuration if there is no course yet."""
    tests = root / "hidden_tests" / slug
    starting = {} if (root / CONFIG_NAME).exists() else {"nbgrader_config.py.j2": root / "nbgrader_config.py"}
    return starting | {
        "source.py.j2": root / "source" / f"{slug}.py",
        "reference.py.j2": root / "reference_impl" / f"{slug}.py",
        "test_centre.py.j2": tests / "test_centre.py",
        "right_sums.py.j2": tests / "right" / "sums.py",
        "wrong_first_axis.py.j2": tests / "wrong" / "first_axis.py",
        "wrong_in_place.py.j2": tests / "wrong" / "in_place.py",
    }


def _read_config(course: Course) -> str:
    """Return the text of course_config.py; if there is no course yet, a new one without assignments."""
    config = course.root / CONFIG_NAME
    if config.exists():
        return config.read_text(encoding="utf-8")
    return _render("course_config.py.j2", course=json.dumps(course.name, ensure_ascii=False))


def _render(template: str, **values: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autograde", "templates/new"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Python, not HTML
    )
    return environment.get_template(template).render(**values)


def _format_header(grade_id: str, **keys: object) -> str:
    """Return a cell's nbgrader metadata as JSON."""
    plain = {"grade": False, "locked": True, "schema_version": 3, "solution": False}
    return json.dumps({**plain, "grade_id": grade_id, **keys}, sort_keys=True)


def _add_to_config(config: Path, text: str, slug: str, title: str) -> str:
    """Return `text`, the contents of course_config.py, with the assignment added to the end of its list."""
    line = f'Assignment("{slug}", title="{title}"),'
    by_hand = CourseError(f"{config}: cannot find the end of its list of assignments; add to it: {line}")
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    lists = [_find_assignments(call) for call in calls if getattr(call.func, "id", "") == "Course"]
    if len(lists) != 1 or not isinstance(lists[0], ast.List):
        raise by_hand
    if not lists[0].elts:
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        if text.count("assignments=[],") != 1 or "Assignment" not in imported:
            raise by_hand
        return text.replace("assignments=[],", f"assignments=[\n        {line}\n    ],")
    return _append_element(text, lists[0].elts[-1], line, by_hand)


def _append_element(text: str, last: ast.expr, line: str, by_hand: CourseError) -> str:
    """Return `text` with `line` after the list element `last`, adding a comma after it if there is none."""
    lines = text.splitlines(keepends=True)
    end = last.end_lineno
    assert end is not None
    after_last = lines[end - 1].encode()[last.end_col_offset :].decode()
    if after_last.strip() not in (",", ""):
        raise by_hand
    if not after_last.strip():
        lines[end - 1] = lines[end - 1].rstrip("\n") + ",\n"
    lines.insert(end, " " * last.col_offset + line + "\n")
    return "".join(lines)


def _find_assignments(call: ast.Call) -> ast.expr | None:
    """Return the list of assignments in `Course(name, assignments, ...)`."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "assignments"]
    return named[0] if named else call.args[1] if len(call.args) > 1 else None
