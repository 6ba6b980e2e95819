"""Passages of a story, labelled as speech or narration by its quotation marks.

A classification task that needs no manual labels: the marks give the class and are removed from the passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Passage", "passages"]

SPEECH = re.compile(r"`([^`]*?)'(?![a-z])")
"""`speech', as quoted in the shipped text; an apostrophe inside a word does not end it"""
MARKS = re.compile(r"[`\"]|(?<![A-Za-z])'|'(?![a-z])")
SHORTEST = 20  # characters


class Passage(NamedTuple):
    """Words of a story without quotation marks, and whether a character speaks them."""

    text: str
    spoken: bool


def passages(documents: Sequence[str]) -> list[Passage]:
    """Speech and narration in the order of the text; a passage never spans two paragraphs.

    Punctuation and blanks at the ends are removed, because they would reveal where a quotation was; passages of fewer
    than twenty characters are dropped.
    """
    result = []
    for document in documents:
        for paragraph in document.split("\n\n"):
            # `split` on a pattern with one group alternates between the text around quotations and the quotations.
            for index, piece in enumerate(SPEECH.split(paragraph)):
                text = " ".join(MARKS.sub("", piece).split()).strip(" ,;:.!?()-")
                if len(text) >= SHORTEST:
                    result.append(Passage(text, spoken=index % 2 == 1))
    return result
