"""The smallest tokenizer: the ids are the UTF-8 bytes of the text. It encodes every text, but sequences are long."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.tokenizer.special import split_at

__all__ = ["ByteTokenizer"]


class ByteTokenizer:
    """Ids 0 to 255 are bytes; special tokens follow in the order given."""

    def __init__(self, special: Sequence[str] = ()) -> None:
        self.special = {token: 256 + index for index, token in enumerate(special)}
        self._special_bytes = {index: token.encode() for token, index in self.special.items()}

    @property
    def vocab_size(self) -> int:
        return 256 + len(self.special)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part, is_special in split_at(self.special, text):
            ids += [self.special[part]] if is_special else part.encode()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Invalid UTF-8, such as part of a character, becomes the replacement character U+FFFD."""
        return b"".join(self._special_bytes.get(index) or bytes([index]) for index in ids).decode(errors="replace")
