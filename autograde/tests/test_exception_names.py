"""An exception is called by its nearest public class, on every Python, wherever its name is shown or compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.exception_names import public_name, public_names
from autograde.tests.conftest import Run
from autograde.worker import exceptions

ENGINE = Path(__file__).parents[1]
OWN_NAME = re.compile(r"type\((error|raised|exception|caught)\)\.__name__")
DEFINES = "class _Private(KeyError):\n    pass\n"


class _Private(KeyError):
    pass


class _Nameless(BaseException):
    pass


def test_exception_names_skip_private_classes() -> None:
    assert public_name(_Private()) == "KeyError"
    assert public_name(_Nameless()) == "BaseException"
    assert public_name(KeyError()) == "KeyError"
    assert public_names(_Private()) == ["KeyError", "LookupError", "Exception", "BaseException", "object"]


def test_exception_names_sent_by_the_worker_are_public() -> None:
    assert exceptions.describe(_Private("x"))["types"][:2] == ["KeyError", "LookupError"]


def test_exception_names_shown_by_the_engine_are_public() -> None:
    """Each place that names an exception's class asks `exception_names`."""
    modules = [path for path in ENGINE.rglob("*.py") if "tests" not in path.relative_to(ENGINE).parts]
    assert len(modules) > 100
    assert [str(path) for path in modules if OWN_NAME.search(path.read_text())] == []


@pytest.mark.parametrize("source", ["x = (1,", "def f(", "if True:", "'''open", "%%time\nx = (1,"])
def test_exception_names_call_an_incomplete_cell_a_syntax_error(run: Run, source: str) -> None:
    """Python 3.13 has a private class for input that stops too early."""
    with run(source) as running:
        (cell,) = running.cells
        shown = [output for output in cell.outputs if output["output_type"] == "error"]
        assert re.match(r"(SyntaxError|IndentationError)\b", cell.error)
        assert "_Incomplete" not in str(cell.outputs)
        assert all(output["ename"] in ("SyntaxError", "IndentationError") for output in shown)


def test_exception_names_in_a_cell_error_are_public(run: Run) -> None:
    """The class that stopped the cell, and the one before it in the chain."""
    source = DEFINES + "try:\n    raise _Private('first')\nexcept _Private:\n    raise _Private('second')"
    with run(source) as running:
        (cell,) = running.cells
        (shown,) = (output for output in cell.outputs if output["output_type"] == "error")
        assert cell.error.startswith("KeyError in line ")
        assert shown["ename"] == "KeyError"
        text = "\n".join(shown["traceback"])
        assert re.findall(r"^(\w+): '(\w+)'", text, re.MULTILINE) == [("KeyError", "first"), ("KeyError", "second")]


def test_exception_names_compared_by_raises_are_public(student_of: Callable[..., Student]) -> None:
    student = student_of(DEFINES + "def f():\n    raise _Private('gone')")
    with student.raises(KeyError):
        student.f()
    with student.raises(_Private):
        student.f()
    with (
        pytest.raises(Mismatch, match="expected a ValueError, but your code raised KeyError"),
        student.raises(ValueError),
    ):
        student.f()
    with pytest.raises(StudentError, match="KeyError: 'gone'"):
        student.f()
