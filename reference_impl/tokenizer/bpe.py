"""Byte-pair encoding: bytes joined to longer tokens, the most frequent pair of the training text first.

After Sennrich et al. (2016), on bytes as in GPT-2 (Radford et al., 2019, section 2.2). A text is first cut into chunks
(words with the space before them, numbers, punctuation), and nothing is joined across chunks. Within one, the pair
whose joint token has the lowest rank is joined first, the leftmost of equals: what tiktoken does, so that the same
ranks give the same ids. `bpe_training` finds the ranks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import regex

from reference_impl.tokenizer.bpe_training import learn_ranks
from reference_impl.tokenizer.special import split_at

__all__ = ["BPE", "GPT2_PATTERN"]

GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
REMEMBERED = 50_000
"""chunks whose ids are kept; most words of a text have been seen before"""


class BPE:
    """ranks: a token's bytes -> its id, all 256 single bytes among them; special: a text -> its id."""

    def __init__(
        self, ranks: Mapping[bytes, int], special: Mapping[str, int] | None = None, pattern: str = GPT2_PATTERN
    ) -> None:
        missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
        if missing:
            raise ValueError(f"BPE needs a rank for each of the 256 bytes; {len(missing)} have none: {missing[:5]} …")
        self.ranks, self.special, self.pattern = dict(ranks), dict(special or {}), pattern
        self._chunks = regex.compile(pattern)
        self._bytes = {index: token for token, index in self.ranks.items()}
        self._bytes |= {index: token.encode() for token, index in self.special.items()}
        if len(self._bytes) != len(self.ranks) + len(self.special):
            raise ValueError("BPE: two tokens have the same id")
        self._known: dict[str, list[int]] = {}

    @classmethod
    def train(cls, text: str, vocab_size: int, special: Sequence[str] = (), pattern: str = GPT2_PATTERN) -> BPE:
        """At most `vocab_size` tokens, with `special` last. Fewer, if the text has no pair left that occurs twice."""
        chunks = [
            chunk
            for part, is_special in split_at(special, text)
            if not is_special
            for chunk in regex.findall(pattern, part)
        ]
        ranks = learn_ranks(chunks, vocab_size - len(special))
        return cls(ranks, {token: len(ranks) + index for index, token in enumerate(special)}, pattern)

    @property
    def vocab_size(self) -> int:
        return 1 + max(self._bytes)

    def encode(self, text: str) -> list[int]:
        """Special tokens in `text` become their ids: for a text that others wrote, use `encode_ordinary`."""
        ids: list[int] = []
        for part, is_special in split_at(self.special, text):
            ids += [self.special[part]] if is_special else self.encode_ordinary(part)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """As if there were no special tokens: "<|endoftext|>" is thirteen characters."""
        return [index for chunk in self._chunks.findall(text) for index in self._encode_chunk(chunk)]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._bytes[index] for index in ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Bytes that are no UTF-8, as when a character is cut in two, become the replacement character U+FFFD."""
        return self.decode_bytes(ids).decode(errors="replace")

    def extended(self, special: Sequence[str]) -> BPE:
        """This tokenizer with more special tokens behind all others: no old id changes, and old weights stay valid."""
        new = [token for token in special if token not in self.special]
        return BPE(self.ranks, self.special | {token: self.vocab_size + i for i, token in enumerate(new)}, self.pattern)

    def save(self, path: Path) -> None:
        """As JSON; the bytes of a token in hexadecimal, in the order of their ranks."""
        ranks = [[token.hex(), index] for token, index in sorted(self.ranks.items(), key=lambda item: item[1])]
        path.write_text(json.dumps({"pattern": self.pattern, "special": self.special, "ranks": ranks}))

    @classmethod
    def load(cls, path: Path) -> BPE:
        found = json.loads(path.read_text())
        return cls({bytes.fromhex(token): index for token, index in found["ranks"]}, found["special"], found["pattern"])

    def _encode_chunk(self, chunk: str) -> list[int]:
        if chunk not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[chunk] = [self.ranks[piece] for piece in self._join(chunk.encode())]
        return self._known[chunk]

    def _join(self, chunk: bytes) -> list[bytes]:
        """The tokens of one chunk. Takes a time quadratic in its length, so bound the length of what others send."""
        pieces = [bytes([byte]) for byte in chunk]
        while len(pieces) > 1:
            ranks = [self.ranks.get(left + right) for left, right in zip(pieces, pieces[1:], strict=False)]
            possible = [(rank, index) for index, rank in enumerate(ranks) if rank is not None]
            if not possible:
                break
            _, index = min(possible)
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
        return pieces
