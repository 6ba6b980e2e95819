"""Turns a submitted file, whatever its bytes, into a notebook that the worker can run and pages can display.

Only these parts of a submission are used: the source of its cells, their order, the names of cells that the release
also contains, and the outputs of the author's experiments at the end, for display. Metadata comes from the released
notebook; other outputs and attachments are dropped.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.exception_names import public_name
from autograde.notebooks.experiment_cells import find_experiment_outputs
from autograde.notebooks.repair import RawCell, read_release, repair_notebook
from autograde.report import Problem
from autograde.text import replace_lone_surrogates

__all__ = [
    "Fingerprint",
    "Submission",
    "SubmissionError",
    "submission_from_notebook",
    "read_bytes",
    "read_submission",
    "submission_from_text",
]

MAX_CELLS = 2000
# Jupytext would read the language and kernel from this block; a submission must not choose them.
YAML_HEADER = re.compile(r"\A# ---\n(?:#.*\n)*?# ---\n")


class SubmissionError(Exception):
    """The submission cannot be read; the message is a sentence for the student and the TA."""


@dataclass(frozen=True)
class Fingerprint:
    """Identifies the input of a submission before it is parsed; equal fingerprints give equal submissions."""

    file: str
    """SHA-256 of the submitted bytes"""
    suffix: str
    """file name extension, which decides whether the bytes are read as a notebook or as a script"""
    release: str
    """SHA-256 of the released notebook against which the submission is repaired"""


@dataclass(frozen=True)
class Submission:
    """One student's work, ready for the worker."""

    student: str
    slug: str
    notebook: NotebookNode
    """nbformat 4.5, repaired against the release; no outputs"""
    cells: list[tuple[str, str]]
    """(cell id, source) of the code cells to run, in order"""
    problems: list[Problem]
    """what was repaired"""
    fingerprint: Fingerprint
    experiments: dict[str, list[Any]] = field(default_factory=dict)
    """cell id -> submitted, untrusted outputs of experiments that need not run again; see `experiment_cells`"""


def read_submission(path: Path, released_notebook: Path, student: str, slug: str, max_bytes: int) -> Submission:
    """Read `path` (.ipynb, or .py in jupytext's percent format). SubmissionError if it cannot be read."""
    return submission_from_text(read_bytes(path, max_bytes), released_notebook, student, slug, path.suffix)


def submission_from_text(
    text: bytes | str, released_notebook: Path, student: str, slug: str, suffix: str = ".ipynb"
) -> Submission:
    """Parse `text`, the contents of a submitted file. SubmissionError if it is not a notebook."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    cells = _read_percent_cells(_decode(data)) if suffix == ".py" else _read_notebook_cells(_parse_json(_decode(data)))
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The notebook has {len(cells)} cells; at most {MAX_CELLS} can be graded.")
    release = read_release(released_notebook)
    fixed = repair_notebook(cells, release.notebook)
    run = [(c.id, c.source) for c in fixed.notebook.cells if c.cell_type == "code" and c.id not in fixed.not_run]
    fingerprint = Fingerprint(hashlib.sha256(data).hexdigest(), suffix, release.sha256)
    return Submission(student, slug, fixed.notebook, run, fixed.problems, fingerprint, find_experiment_outputs(fixed))


def submission_from_notebook(notebook: NotebookNode, released_notebook: Path, student: str, slug: str) -> Submission:
    """Make a submission of a notebook in memory."""
    return submission_from_text(json.dumps(notebook, sort_keys=True), released_notebook, student, slug)


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read a regular file of at most `max_bytes` without following a link. SubmissionError for anything else."""
    try:
        # O_NONBLOCK: without it, opening a named pipe would block the grader.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SubmissionError(f"No file {path.name} was handed in.") from None
    except OSError as error:
        why = "is a link, not a file" if error.errno == errno.ELOOP else f"cannot be opened ({error.strerror})"
        raise SubmissionError(f"The submitted {path.name} {why}.") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SubmissionError(f"The submitted {path.name} is not a plain file.")
        data = file.read(max_bytes + 1) if status.st_size <= max_bytes else b"x" * (max_bytes + 1)
    if len(data) > max_bytes:
        raise SubmissionError(
            f"The submitted {path.name} is larger than {max_bytes / 1e6:.0f} MB; clear its outputs and submit again."
        )
    return data


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"The file is not UTF-8 text (byte {error.start}).") from None


def _parse_json(text: str) -> dict[str, Any]:
    """Parse the notebook's JSON and convert it to nbformat 4."""
    try:
        content = json.loads(text)
    except RecursionError:
        raise SubmissionError("The notebook file is nested too deeply to be read.") from None
    except ValueError as error:
        raise SubmissionError(f"The file is not valid JSON, so not a notebook: {str(error)[:100]}.") from None
    version = content.get("nbformat") if isinstance(content, dict) else None
    if not isinstance(content, dict) or version is None:
        raise SubmissionError("The file is JSON, but not a notebook.")
    if version in (2, 3) and not isinstance(version, bool):
        return _upgrade(content)
    if version != 4 or isinstance(version, bool):
        raise SubmissionError(f"The notebook's format is {str(version)[:20]!r}; save it as nbformat 4.")
    return content


def _upgrade(content: dict[str, Any]) -> dict[str, Any]:
    try:
        converted: dict[str, Any] = nbformat.convert(nbformat.from_dict(content), 4)
    except Exception as error:
        raise SubmissionError(
            f"The notebook is in an old format and cannot be upgraded ({public_name(error)}); save it in Jupyter 4+."
        ) from None
    return converted


def _read_notebook_cells(content: dict[str, Any]) -> list[RawCell]:
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise SubmissionError("The file has no list of cells, so it is not a notebook.")
    return [_read_cell(cell) for cell in cells[: MAX_CELLS + 1]]


def _read_cell(cell: Any) -> RawCell:
    """Extract the used fields of a cell, which may be any JSON value."""
    if not isinstance(cell, dict):
        return RawCell("raw", "", damage="was not a cell")
    kind, source, damage = cell.get("cell_type"), cell.get("source"), ""
    if kind not in ("code", "markdown", "raw"):
        kind, damage = "raw", "had an unknown type"
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        source, damage = "", "had no readable text"
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    outputs, count = cell.get("outputs"), cell.get("execution_count")
    return RawCell(
        kind,
        replace_lone_surrogates(source),
        id=cell["id"] if isinstance(cell.get("id"), str) else "",
        grade_id=grade_id if isinstance(grade_id, str) else "",
        nbgrader=nbgrader,
        attachments=bool(cell.get("attachments")),
        damage=damage,
        outputs=outputs if isinstance(outputs, list) else [],
        execution_count=count if type(count) is int else None,
    )


def _read_percent_cells(text: str) -> list[RawCell]:
    import jupytext

    try:
        notebook = jupytext.reads(YAML_HEADER.sub("", text), fmt="py:percent")
    except Exception as error:
        raise SubmissionError(f"The .py file cannot be read as cells ({public_name(error)}).") from None
    # Jupytext generates random cell ids; keeping them would make two reads of the same file differ.
    return [_read_cell({**cell, "id": ""}) for cell in notebook.cells[: MAX_CELLS + 1]]
