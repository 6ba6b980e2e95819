"""Text that a submission made: cleaned before it is recorded, and again before it is shown."""

from __future__ import annotations

import re
import tempfile
from typing import Any

SCRATCH_PREFIX = "course-scratch-"
MAX_TEXT = 20_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,16}\b")
_FOLDER = re.compile(re.escape(f"{tempfile.gettempdir()}/{SCRATCH_PREFIX}") + r"\w{8}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSHOWN = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""lone surrogates, and characters that change the direction of what follows: text would read other than it is"""


def normalise(value: Any) -> Any:
    """Text, or lists and dicts of it, without what differs between runs or cannot be stored.

    An address becomes ` at 0x…`, the scratch folder `~`, and a lone surrogate, which UTF-8 cannot encode, `?`.
    """
    if isinstance(value, str):
        return _FOLDER.sub("~", _ADDRESS.sub(" at 0x…", value)).encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [normalise(item) for item in value]
    if isinstance(value, dict):
        return {normalise(key): normalise(item) for key, item in value.items()}
    return value


def clean(text: str, most: int) -> str:
    """Text for a report: no control or direction characters, the same in every run, at most `most` characters."""
    return _CONTROL.sub("\ufffd", normalise(text))[:most]


def plain(text: Any, limit: int = MAX_TEXT) -> str:
    """Text to show: without terminal codes, control and direction characters, cut to `limit` characters."""
    text = "".join(map(str, text)) if isinstance(text, list) else str(text)
    clean = _UNSHOWN.sub("\ufffd", _ANSI.sub("", text[: 2 * limit]))
    return clean if len(clean) <= limit else clean[:limit] + "\n[cut here]"
