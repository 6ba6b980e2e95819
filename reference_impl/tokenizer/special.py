"""Special tokens: strings such as <|endoftext|> with an id of their own, never split, merged or trained on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

__all__ = ["split_at"]


def split_at(special: Collection[str], text: str) -> Iterator[tuple[str, bool]]:
    """The parts of `text` in order, each with whether it is a special token; where two start, the longer one wins."""
    longest_first = sorted(special, key=len, reverse=True)
    if not longest_first:
        yield text, False
        return
    pattern = "(" + "|".join(map(re.escape, longest_first)) + ")"
    for index, part in enumerate(re.split(pattern, text)):
        if part:
            yield part, index % 2 == 1  # re.split puts the matches of the group at odd indices
