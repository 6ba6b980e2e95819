"""Who speaks, a character or the narrator? Passages of a story with that for a label, read off its quotation marks.

A real task for a classifier that needs no hand: the marks say the class, and are taken out of the passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Passage", "passages"]

SPEECH = re.compile(r"`([^`]*?)'(?![a-z])")
"""`as the shipped text has it'; an apostrophe within a word ends nothing"""
MARKS = re.compile(r"[`\"]|(?<![A-Za-z])'|'(?![a-z])")
SHORTEST = 20  # characters


class Passage(NamedTuple):
    """Some words of a story without quotation marks, and whether a character says them."""

    text: str
    spoken: bool


def passages(documents: Sequence[str]) -> list[Passage]:
    """What is said and what is told between, in the order of the text; each piece within one paragraph.

    Marks and blanks at the ends are left out, since they would tell where a quotation stood, and so are pieces of fewer
    than twenty characters.
    """
    found = []
    for document in documents:
        for paragraph in document.split("\n\n"):
            # `split` on a pattern with one group: what lies between the quotations, and the quotations, in turn.
            for place, piece in enumerate(SPEECH.split(paragraph)):
                text = " ".join(MARKS.sub("", piece).split()).strip(" ,;:.!?()-")
                if len(text) >= SHORTEST:
                    found.append(Passage(text, spoken=place % 2 == 1))
    return found
