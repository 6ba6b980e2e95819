"""Describes a submission's exceptions as plain, bounded text, even if their methods misbehave."""

from __future__ import annotations

import traceback
from typing import Any

from autograde.exception_names import public_names

CELL_PREFIX = "<cell "
MAX_TEXT = 2000
MAX_FRAMES = 8


class MissingNameError(Exception):
    """The submission does not define what the check asks for."""


def describe(error: BaseException) -> dict[str, Any]:
    """The exception's public class names, message and frames in the notebook, each bounded."""
    names = [name[:80] for name in public_names(error)[:20]]
    frames = []
    for frame in traceback.extract_tb(error.__traceback__)[-200:]:
        if frame.filename.startswith(CELL_PREFIX):
            cell = frame.filename[len(CELL_PREFIX) : -1]
            frames.append([cell[:80], frame.lineno or 0, (frame.line or "")[:200]])
    missing = isinstance(error, MissingNameError)
    return {"types": names, "message": read_message(error), "frames": frames[-MAX_FRAMES:], "missing": missing}


def read_message(error: BaseException) -> str:
    try:
        return str(str(error))[:MAX_TEXT]
    except BaseException:
        return "(its message could not be read)"
