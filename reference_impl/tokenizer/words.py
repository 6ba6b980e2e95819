"""Words and punctuation marks as tokens: easy to read, but every word outside the training text is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reference_impl.tokenizer.special import split_at

__all__ = ["END_OF_TEXT", "UNKNOWN", "WordTokenizer"]

UNKNOWN, END_OF_TEXT = "<|unk|>", "<|endoftext|>"
PIECE = re.compile(r"--|\w+|[^\w\s]")


class WordTokenizer:
    """Ids number the pieces of the training text in sorted order, then the special tokens.

    White space is dropped, so `decode` restores the words but not the layout: it puts one space between pieces, none
    before a closing mark. Raises ValueError without the token for unknown words.
    """

    def __init__(self, text: str, special: Sequence[str] = (UNKNOWN, END_OF_TEXT)) -> None:
        if UNKNOWN not in special:
            raise ValueError(f"a word tokenizer needs {UNKNOWN} among its special tokens, got {list(special)}")
        pieces = {
            piece for part, is_special in split_at(special, text) if not is_special for piece in PIECE.findall(part)
        }
        self.tokens = [*sorted(pieces), *special]
        self.special = tuple(special)
        self._ids = {token: index for index, token in enumerate(self.tokens)}

    @property
    def vocab_size(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part, is_special in split_at(self.special, text):
            pieces = [part] if is_special else PIECE.findall(part)
            ids += [self._ids.get(piece, self._ids[UNKNOWN]) for piece in pieces]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        spaced = " ".join(self.tokens[index] for index in ids)
        return re.sub(r" (?=[.,;:!?)\]])", "", spaced)
