"""Recognises notebooks and scripts among submitted files, also with the names that browsers and students give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

SUFFIXES = (".ipynb", ".py")
ZIP = ".zip"
# A browser adds `.json` or `.txt` to a notebook; Canvas numbers it before the last suffix.
NAME = re.compile(
    r"(?P<stem>.+)(?P<suffix>\.ipynb|\.py)(?P<added>(?:-\d+| ?\(\d+\))?\.(?:json|txt))?", re.IGNORECASE | re.DOTALL
)
# The number added to a name that is already used: `rmsnorm-1.ipynb` by Canvas, `rmsnorm (1).ipynb` by a browser.
NUMBERED = re.compile(r"(?:-\d+| ?\(\d+\))$")
COPIED = re.compile(r"^copy of |[- _]*(?:copy|kopie|copie|copia|checkpoint)[- _]*\d*$", re.IGNORECASE)
"""as Jupyter (`-Copy1`, `-checkpoint`), Google Drive and file managers name copies"""


@dataclass(frozen=True)
class Name:
    """The name of a notebook or script."""

    stem: str
    """without the suffix and without a number that was added to it"""
    suffix: str
    is_usual: bool
    """whether the suffix is written as Jupyter does"""


def parse_name(file: str) -> Name | None:
    """Parse the last part of a path; None if it is no notebook or script."""
    found = NAME.fullmatch(PurePosixPath(file).name)
    if not found:
        return None
    suffix = found["suffix"].lower()
    return Name(NUMBERED.sub("", found["stem"]), suffix, is_usual=found["suffix"] == suffix and not found["added"])


def is_zip(file: str) -> bool:
    return file.lower().endswith(ZIP)


def is_submission_file(file: str) -> bool:
    """Whether a file may be a submission: a notebook, a script, or a zip with one."""
    return is_zip(file) or parse_name(file) is not None


def fold_stem(stem: str) -> str:
    """The name without case, separators and the words that mark a copy, to compare with slugs."""
    return re.sub(r"[\W_]+", "", COPIED.sub("", stem).casefold())
