"""Requests that were sent ahead find their replies in memory, in order, and nothing else does."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

import pytest

from autograde.client import pipelined
from autograde.client.errors import OffScriptError
from autograde.client.pipelined import PipelinedConnection
from autograde.wire import encode

REQUESTS = [b"first", b"second"]
CALLBACK = encode({"callback": 0, "args": (), "kwargs": {}})
REPLIES = [encode({"value": 1}), encode({"value": 2})]


class FakeConnection:
    """Gives `frames` as they are asked for, and notes what is sent."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = deque(frames)
        self.sent: list[bytes] = []
        self.deadline_checks = 0

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def queue(self, frames: list[bytes]) -> None:
        self.sent += frames

    def receive(self) -> bytes:
        return self.frames.popleft()

    def check_deadline(self) -> None:
        self.deadline_checks += 1


def pipelined_over(*frames: bytes) -> tuple[PipelinedConnection, FakeConnection]:
    fake: Any = FakeConnection(*frames)
    return PipelinedConnection(fake), fake


def sha256(*frames: bytes) -> bytes:
    return hashlib.sha256(b"".join(frames)).digest()


def test_send_ahead_sends_each_request_once() -> None:
    connection, fake = pipelined_over(*REPLIES)
    connection.send_ahead(REQUESTS)
    assert connection.receive_ahead(lambda digest: None) == sha256(*REPLIES)
    received = []
    for request in REQUESTS:
        assert connection.has_unmade_requests
        connection.send_request(request)
        received.append(connection.receive())
    assert (received, fake.sent) == (REPLIES, REQUESTS)
    assert not connection.has_unmade_requests
    connection.send_request(b"third")
    assert fake.sent == [*REQUESTS, b"third"]


def test_send_request_refuses_another_request_than_was_sent_ahead() -> None:
    connection, _ = pipelined_over(*REPLIES)
    connection.send_ahead(REQUESTS)
    with pytest.raises(OffScriptError):
        connection.send_request(REQUESTS[1])


def test_receive_ahead_answers_a_callback_that_it_recalls_and_the_check_does_not_answer_it_again() -> None:
    connection, fake = pipelined_over(CALLBACK, *REPLIES)
    connection.send_ahead(REQUESTS)
    answers = {sha256(CALLBACK): b"answer"}
    assert connection.receive_ahead(answers.get) == sha256(CALLBACK, *REPLIES)
    assert fake.sent == [*REQUESTS, b"answer"]
    connection.send_request(REQUESTS[0])
    assert connection.receive() == CALLBACK
    connection.send_answer(b"answer")
    assert connection.receive() == REPLIES[0]
    assert fake.sent == [*REQUESTS, b"answer"]
    assert connection.log.answers == answers


def test_receive_ahead_stops_at_an_unknown_callback_which_the_check_answers() -> None:
    connection, fake = pipelined_over(CALLBACK, *REPLIES)
    connection.send_ahead(REQUESTS)
    assert connection.receive_ahead(lambda digest: None) is None
    connection.send_request(REQUESTS[0])
    assert connection.receive() == CALLBACK
    connection.send_answer(b"computed")
    assert fake.sent == [*REQUESTS, b"computed"]
    assert fake.deadline_checks == 1
    assert connection.receive() == REPLIES[0]


def test_receive_ahead_keeps_no_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelined, "MAX_BYTES_AHEAD", 1)
    connection, fake = pipelined_over(*REPLIES)
    connection.send_ahead(REQUESTS)
    assert connection.receive_ahead(lambda digest: None) is None
    assert list(fake.frames) == REPLIES[1:]
    for request, reply in zip(REQUESTS, REPLIES, strict=True):
        connection.send_request(request)
        assert connection.receive() == reply


def test_log_digest_is_the_same_whether_or_not_requests_were_sent_ahead() -> None:
    digests = []
    for ahead in (False, True):
        connection, _ = pipelined_over(*REPLIES)
        if ahead:
            connection.send_ahead(REQUESTS)
            connection.receive_ahead(lambda digest: None)
        for request in REQUESTS:
            connection.send_request(request)
            connection.receive()
        digests.append(connection.log.digest)
        assert connection.log.requests == REQUESTS
    assert digests == [sha256(*REPLIES)] * 2
