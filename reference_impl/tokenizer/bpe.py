"""Byte-pair encoding: merges bytes into longer tokens, the most frequent pair of the training text first.

After Sennrich et al. (2016), on bytes as in GPT-2 (Radford et al., 2019, section 2.2). Text is first split into
chunks (words with the space before them, numbers, punctuation), and no pair is merged across chunks. Within a chunk the
pair whose merged token has the lowest rank is merged first, the leftmost if there are several, as in tiktoken, so the
same ranks give the same ids. `bpe_training` learns the ranks.
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
CACHED_CHUNKS = 50_000
"""chunks whose ids are cached; most words of a text occur more than once"""


class BPE:
    """ranks: a token's bytes -> its id, including all 256 single bytes; special: a special token -> its id.

    Raises ValueError if a byte has no rank, or two tokens have the same id.
    """

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
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def train(cls, text: str, vocab_size: int, special: Sequence[str] = (), pattern: str = GPT2_PATTERN) -> BPE:
        """Learns at most `vocab_size` tokens from `text`, with `special` last; fewer once no pair occurs twice.

        Raises ValueError if `vocab_size` leaves no space for the 256 bytes.
        """
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
        """Special tokens in `text` become their ids: use `encode_ordinary` for untrusted text."""
        ids: list[int] = []
        for part, is_special in split_at(self.special, text):
            ids += [self.special[part]] if is_special else self.encode_ordinary(part)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """Encodes `text` as if there were no special tokens: "<|endoftext|>" is thirteen characters."""
        return [index for chunk in self._chunks.findall(text) for index in self._encode_chunk(chunk)]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._bytes[index] for index in ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Invalid UTF-8, such as part of a character, becomes the replacement character U+FFFD."""
        return self.decode_bytes(ids).decode(errors="replace")

    def with_special_tokens(self, special: Sequence[str]) -> BPE:
        """A copy with more special tokens after all others: no id changes, so trained weights stay valid."""
        new = [token for token in special if token not in self.special]
        return BPE(self.ranks, self.special | {token: self.vocab_size + i for i, token in enumerate(new)}, self.pattern)

    def save(self, path: Path) -> None:
        """Writes JSON; a token's bytes are hexadecimal, in the order of ranks."""
        ranks = [[token.hex(), index] for token, index in sorted(self.ranks.items(), key=lambda item: item[1])]
        path.write_text(json.dumps({"pattern": self.pattern, "special": self.special, "ranks": ranks}))

    @classmethod
    def load(cls, path: Path) -> BPE:
        saved = json.loads(path.read_text())
        return cls({bytes.fromhex(token): index for token, index in saved["ranks"]}, saved["special"], saved["pattern"])

    def _encode_chunk(self, chunk: str) -> list[int]:
        if chunk not in self._cache:
            if len(self._cache) >= CACHED_CHUNKS:
                self._cache.clear()
            self._cache[chunk] = [self.ranks[piece] for piece in self._merge(chunk.encode())]
        return self._cache[chunk]

    def _merge(self, chunk: bytes) -> list[bytes]:
        """The tokens of one chunk. Takes time quadratic in its length, so bound the length of untrusted text."""
        pieces = [bytes([byte]) for byte in chunk]
        while len(pieces) > 1:
            ranks = [self.ranks.get(left + right) for left, right in zip(pieces, pieces[1:], strict=False)]
            mergeable = [(rank, index) for index, rank in enumerate(ranks) if rank is not None]
            if not mergeable:
                break
            _, index = min(mergeable)
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
        return pieces
