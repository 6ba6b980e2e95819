"""Tokenizers, from text to token ids and back: bytes, words, and byte-pair encoding."""

from __future__ import annotations

from typing import Protocol

from reference_impl.tokenizer.bpe import BPE
from reference_impl.tokenizer.byte_level import ByteTokenizer
from reference_impl.tokenizer.words import WordTokenizer

__all__ = ["BPE", "ByteTokenizer", "Tokenizer", "WordTokenizer"]


class Tokenizer(Protocol):
    """The interface of every tokenizer. Ids are 0, …, vocab_size − 1."""

    @property
    def vocab_size(self) -> int: ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...
