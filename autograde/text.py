"""Takes out of a submission's text what only the moment decides (addresses, its scratch folder) or no file can hold."""

from __future__ import annotations

import re
import tempfile
from typing import Any

SCRATCH_PREFIX = "course-scratch-"
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,16}\b")
_FOLDER = re.compile(re.escape(f"{tempfile.gettempdir()}/{SCRATCH_PREFIX}") + r"\w{8}")


def normalise(value: Any) -> Any:
    """The same text, or lists and dicts of texts, with ` at 0x…` for addresses, `~` for the scratch folder and `?` for
    half a surrogate pair, which Python can print and UTF-8 cannot say."""
    if isinstance(value, str):
        return _FOLDER.sub("~", _ADDRESS.sub(" at 0x…", value)).encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [normalise(item) for item in value]
    if isinstance(value, dict):
        return {normalise(key): normalise(item) for key, item in value.items()}
    return value
