"""Changes to a text that a test depends on: an edit that finds nothing to change fails."""

from __future__ import annotations

from pathlib import Path
from typing import AnyStr


def replace_once(text: AnyStr, old: AnyStr, new: AnyStr) -> AnyStr:
    """Replace `old`, which must occur exactly once."""
    count = text.count(old)
    assert count == 1, f"{old!r} occurs {count} times in the text, not once"
    return text.replace(old, new)


def edit(file: Path, old: str, new: str) -> None:
    """Replace `old` in the file, where it must occur exactly once."""
    file.write_text(replace_once(file.read_text(), old, new))
