"""Compares names as people write them: accents, punctuation, case and the order of words do not matter."""

from __future__ import annotations

import unicodedata

_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"})
_ACCENTS = range(0x0300, 0x0370)
"""combining marks of Latin, Greek and Cyrillic letters; those of other scripts are parts of words"""


def fold(name: str, joiner: str = "") -> str:
    """The words of a name without accents, in lower case, with one space between them.

    Punctuation inside a word, as in O'Brien, becomes `joiner`.
    """
    decomposed = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
    kept = "".join(
        character if unicodedata.category(character)[0] in "LNM" else " " if character.isspace() else joiner
        for character in decomposed
        if ord(character) not in _ACCENTS
    )
    return " ".join(kept.replace(",", " ").split())


def spell_name(name: str) -> set[str]:
    """Spellings of a name as a platform writes it: equal names share one of them with `spell_roster_name`."""
    spaced = name.replace(",", " ").replace("_", " ")
    spellings = {_sort_words(fold(spaced)), _sort_words(fold(spaced, " ")), fold(spaced).replace(" ", "")}
    return spellings - {""}


def spell_roster_name(first: str, last: str) -> set[str]:
    """Spellings of a roster's name. Canvas writes the words without spaces, from any of them on."""
    words = fold(f"{first} {last}".replace(",", " "), " ").split()
    joined = {"".join(words[start:] + words[:start]) for start in range(len(words))}
    return spell_name(f"{first} {last}") | joined


def _sort_words(folded: str) -> str:
    return " ".join(sorted(folded.split()))
