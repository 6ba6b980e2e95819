"""Collects the outputs of a cell, up to what the course allows and what one frame holds."""

from __future__ import annotations

from typing import Any

from autograde.wire.frame import STRUCTURE_BYTES

CUT = "\n[output cut here: the notebook printed more than the course allows]\n"
ITEM_BYTES = 64
"""what an output takes beyond its text, about"""
CELL_BYTES = STRUCTURE_BYTES - (1 << 14)
"""of one cell's outputs: they share a frame with the rest of the cell's account"""


class Outputs:
    """The nbformat outputs of the running cell, and how many bytes may still be added."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.left = 0
        """bytes left for the notebook; negative once the cut was announced"""
        self.cell_left = 0
        """bytes left for this cell, whose account must fit into one frame; negative once the cut was announced"""

    def begin(self) -> None:
        """A new cell."""
        self.items = []
        self.cell_left = min(self.left, CELL_BYTES)

    def add(self, output: dict[str, Any]) -> None:
        size = _count_bytes(repr(output)) + ITEM_BYTES
        if size <= self.cell_left:
            self._use(size)
            self.items.append(output)
        else:
            self._cut()

    def stream(self, name: str, text: str) -> None:
        """Text is kept in parts: a string that grows with each print would be copied each time."""
        if not text or self.cell_left < 0:
            return
        size, last = _count_bytes(text), self.items[-1] if self.items else {}
        kept = text if size <= self.cell_left else _first(text, self.cell_left)
        if last.get("name") == name:
            last["text"].append(kept)
        else:
            self.items.append({"output_type": "stream", "name": name, "text": [kept]})
            size += ITEM_BYTES
        if size > self.cell_left:
            self._cut()
        else:
            self._use(size)

    def take(self) -> list[dict[str, Any]]:
        """Return the outputs so far in nbformat, and start an empty list."""
        taken, self.items = self.items, []
        return [item | {"text": "".join(item["text"])} if "text" in item else item for item in taken]

    def _use(self, size: int) -> None:
        self.cell_left -= size
        self.left -= size

    def _cut(self) -> None:
        """Announce once that the rest is left out."""
        if self.cell_left >= 0:
            self.left = -1 if self.left == self.cell_left else self.left - self.cell_left
            self.cell_left = -1
            self.items.append({"output_type": "stream", "name": "stderr", "text": [CUT]})


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _first(text: str, size: int) -> str:
    """As much of the text as fits into `size` bytes."""
    return text[:size].encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")


class Stream:
    """Replaces sys.stdout and sys.stderr."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, outputs: Outputs, name: str) -> None:
        self.outputs = outputs
        self.name = name

    def write(self, text: str) -> int:
        self.outputs.stream(self.name, str(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False
