"""The exchange log: what a check requested and what came back, up to a size."""

from __future__ import annotations

import hashlib

MAX_BYTES = 4 << 20


class ExchangeLog:
    """The requests, the answers to callbacks, and a digest of everything that the submission sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answers: dict[bytes, bytes] = {}
        """digest of everything received up to a callback -> the answer to it"""
        self._received = hashlib.sha256()
        self._space = MAX_BYTES

    @property
    def is_complete(self) -> bool:
        """False if there was too much to keep it all."""
        return self._space >= 0

    @property
    def digest(self) -> bytes:
        """Of everything received."""
        return self._received.digest()

    def add_request(self, frame: bytes) -> None:
        self._space -= len(frame)
        if self.is_complete:
            self.requests.append(frame)

    def add_answer(self, frame: bytes) -> None:
        self._space -= len(frame)
        if self.is_complete:
            self.answers[self.digest] = frame

    def add_received(self, frame: bytes) -> None:
        self._received.update(frame)
