"""Text that a submission made: cleaned before it is recorded, and again before it is shown."""

from __future__ import annotations

import re
import tempfile
from typing import Any

SCRATCH_PREFIX = "course-scratch-"
MAX_TEXT = 20_000
REPLACEMENT = "\ufffd"

# Parts of character classes, named once.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
"""all control characters but tab and line feed"""
_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
"""embeddings, overrides and isolates: with them, text would read other than it is"""
_DIRECTION_MARKS = "\u200e\u200f"
_SURROGATES = "\ud800-\udfff"
"""in a str they are always lone ones, which UTF-8 cannot encode"""

_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,16}\b")
_SCRATCH_FOLDER = re.compile(re.escape(f"{tempfile.gettempdir()}/{SCRATCH_PREFIX}") + r"\w{8}")
_UNRECORDED = re.compile(f"[{_CONTROLS}{_DIRECTION_MARKS}{_DIRECTIONS}]")
_TERMINAL_CODE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])" + f"|[{_CONTROLS}]")
_UNSHOWN = re.compile(f"[{_SURROGATES}{_DIRECTIONS}]")
_LONE_SURROGATE = re.compile(f"[{_SURROGATES}]")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""what XML 1.0 cannot hold even as a reference"""


def normalise_run_dependent(value: Any) -> Any:
    """Text, or lists and dicts of it, without what differs between runs or cannot be stored.

    An address becomes ` at 0x…`, the scratch folder `~`, and a lone surrogate, which UTF-8 cannot encode, `?`.
    """
    if isinstance(value, str):
        return _SCRATCH_FOLDER.sub("~", _ADDRESS.sub(" at 0x…", value)).encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [normalise_run_dependent(item) for item in value]
    if isinstance(value, dict):
        return {normalise_run_dependent(key): normalise_run_dependent(item) for key, item in value.items()}
    return value


def clean(text: str, limit: int) -> str:
    """Text for a report: no control or direction characters, the same in every run, at most `limit` characters."""
    return _UNRECORDED.sub(REPLACEMENT, normalise_run_dependent(text))[:limit]


def to_plain_text(text: Any, limit: int = MAX_TEXT) -> str:
    """Text to show: without terminal codes, control and direction characters, cut to `limit` characters."""
    text = "".join(map(str, text)) if isinstance(text, list) else str(text)
    shown = _UNSHOWN.sub(REPLACEMENT, _TERMINAL_CODE.sub("", text[: 2 * limit]))
    return shown if len(shown) <= limit else shown[:limit] + "\n[cut here]"


def to_xml_text(text: str) -> str:
    """Text to show, as XML 1.0 can hold it."""
    return _NOT_IN_XML.sub(REPLACEMENT, to_plain_text(text))


def replace_lone_surrogates(text: str) -> str:
    """Text that UTF-8 can encode."""
    return _LONE_SURROGATE.sub(REPLACEMENT, text)
