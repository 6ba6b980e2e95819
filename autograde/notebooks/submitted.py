"""Finds submissions in nbgrader's folders submitted/<student>/<slug>/, and follows no link there.

nbgrader copies the other files of a submission into autograded/ and feedback/. Through a link a student could read any
file that the grader can read, or submit a classmate's work. Not covered: hard links, which only a user with an account
on the grader's machine could create.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from autograde.course import Work
from autograde.notebooks.extract import Fingerprint, Submission, SubmissionError, read_bytes, submission_from_text
from autograde.notebooks.repair import read_release

MAX_FILES = 2000
MAX_NAME_BYTES = 200
"""of a student's folder: other files are named after it, and file systems allow at most 255 bytes"""


def list_submitters(work: Work) -> list[str]:
    """Return all students with a folder for this assignment in submitted/, even an empty one; sorted."""
    return list_students_in(work.course.root / "submitted", work.slug)


def list_students_in(folder: Path, slug: str) -> list[str]:
    """Return the names of the folders in `folder` that contain a folder `slug`."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and (p / slug).is_dir())


def read_submitted(work: Work, student: str) -> Submission:
    """Read the notebook of `student`, or else the .py file. SubmissionError if it cannot be read."""
    data, suffix = _read_file(work, student)
    return submission_from_text(data, work.paths.released_notebook, student, work.slug, suffix)


def read_fingerprint(work: Work, student: str) -> Fingerprint:
    """Return the fingerprint of the submission without parsing it. SubmissionError if there is no file."""
    data, suffix = _read_file(work, student)
    return Fingerprint(hashlib.sha256(data).hexdigest(), suffix, read_release(work.paths.released_notebook).sha256)


def _read_file(work: Work, student: str) -> tuple[bytes, str]:
    """Return the submitted bytes and the file's suffix."""
    refuse_name(student)
    folder = work.paths.submitted(student)
    refuse_links(folder, work.course.root / "submitted")
    notebook, script = folder / f"{work.slug}.ipynb", folder / f"{work.slug}.py"
    file = script if script.exists() and not notebook.exists() else notebook
    if not file.exists():
        raise SubmissionError(f"No file {file.name} was handed in{_list_other_files(folder)}.")
    return read_bytes(file, work.limits.notebook_bytes), file.suffix


def refuse_name(student: str) -> None:
    """Raise SubmissionError if a report or the gradebook could not store the name of this student's folder."""
    try:
        size = len(student.encode())
    except UnicodeEncodeError:
        raise SubmissionError(f"The folder {ascii(student)} has a name that is not UTF-8; rename it.") from None
    if not student.isprintable():
        raise SubmissionError(f"The folder {ascii(student)} has invisible characters in its name; rename it.")
    if size > MAX_NAME_BYTES:
        raise SubmissionError(f"The folder's name has {size} bytes; rename it to {MAX_NAME_BYTES} at most.")


def _list_other_files(folder: Path) -> str:
    """List the files in the folder that may be the submission under a wrong name."""
    names = sorted(path.name for path in folder.glob("*") if path.suffix in (".ipynb", ".py", ".html", ".zip", ".pdf"))
    shown = ", ".join(repr(name)[:60] for name in names[:3])
    return f"; in its place: {shown}{' and others' * (len(names) > 3)}" if names else ""


def refuse_links(folder: Path, top: Path) -> None:
    """Raise SubmissionError for links from `top` down to `folder`; for links, special or too many files in `folder`."""
    for parent in (folder, *folder.parents):
        if parent == top:
            break
        if parent.is_symlink():
            raise SubmissionError(
                f"The folder {parent.relative_to(top)} is a link; hand in a folder with the files themselves."
            )
    count = 0
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            count += 1
            mode = os.lstat(os.path.join(path, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "no plain file"
                raise SubmissionError(f"{name!r} is {kind}; hand in the files themselves.")
        if count > MAX_FILES:
            raise SubmissionError(
                f"More than {MAX_FILES} files were handed in; hand in the notebook and what it needs."
            )
