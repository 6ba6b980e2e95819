"""Functions that locked cells of two assignments contain: a correction of one of them misses the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograde.course import CourseError, Work
from autograde.notebooks.repair import read_nbgrader_metadata
from autograde.notebooks.source import read_source
from autograde.verification.problems import Problem, ProblemKind

LEAST_STATEMENTS = 2
"""of a body, so that a line such as `return x @ self.weight` may occur twice"""


def find_shared_functions(work: Work) -> Iterator[Problem]:
    """A function in a locked cell of this assignment whose body is also in a locked cell of another one."""
    mine = find_locked_functions(work)
    for assignment in work.course.assignments:
        if assignment.slug == work.slug:
            continue
        try:
            theirs = find_locked_functions(work.course.open(assignment.slug))
        except CourseError:  # that assignment's own `verify` reports it
            continue
        for body in mine.keys() & theirs.keys():
            name, cell = mine[body]
            yield Problem(
                kind=ProblemKind.SHARED_FUNCTION,
                title=name,
                cell=cell,
                slug=assignment.slug,
                others=theirs[body][:1],
            )


def find_locked_functions(work: Work) -> dict[str, tuple[str, str]]:
    """Body of each function, without its docstring -> (its name, the cell)."""
    found = {}
    for cell in read_source(work).notebook.cells:
        nbgrader = read_nbgrader_metadata(cell)
        if cell.cell_type != "code" or not nbgrader.get("locked"):
            continue
        for node in ast.walk(_parse(cell.source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                statements = sum(isinstance(part, ast.stmt) for one in body for part in ast.walk(one))
                if statements >= LEAST_STATEMENTS and not _only_declares(node.name, body):
                    found[ast.dump(ast.Module(body, []))] = (node.name, str(nbgrader["grade_id"]))
    return found


def _only_declares(name: str, body: list[ast.stmt]) -> bool:
    """Is it an `__init__` that only assigns, as modules declare their layers?"""
    return name == "__init__" and all(isinstance(one, (ast.Assign, ast.AnnAssign, ast.Expr)) for one in body)


def _parse(source: str) -> ast.Module:
    """The cell as Python; nothing of one with magics."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])
