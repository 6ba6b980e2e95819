"""The server over real loopback connections: answers, streams, and invalid, huge or truncated requests."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest
import torch

from reference_impl.finetuning.chat import respond
from reference_impl.serving.server import MAX_BODY_BYTES, Answer, Question, Server, stream_answer
from reference_impl.tests.tiny import byte_chat, tiny_model


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(tiny_model(), byte_chat()) as running:
        yield running


def ask(
    server: Server, body: object, headers: dict[str, str] | None = None, path: str = "/generate"
) -> tuple[int, bytes]:
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        if body is None:
            connection.request("GET", path, headers=headers or {})
        else:
            connection.request("POST", path, raw, {"Content-Type": "application/json"} | (headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_server_answer_matches_the_model(server: Server) -> None:
    status, body = ask(server, {"question": "Hi", "max_new_tokens": 12})
    chat = byte_chat()
    (expected,) = respond(server.model, chat, [chat.prompt("Hi")], 12)
    finished = expected[-1] == chat.end
    answer = {"text": chat.decode(expected), "tokens": len(expected) - finished, "finished": finished}
    assert (status, json.loads(body)) == (200, answer)


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_server_stream_pieces_join_to_the_answer(server: Server, temperature: float) -> None:
    request = {"question": "Hi", "max_new_tokens": 40, "temperature": temperature, "seed": 7}
    status, body = ask(server, request | {"stream": True})
    events = [json.loads(line.removeprefix("data: ")) for line in body.decode().split("\n\n") if line]
    assert status == 200
    assert len(events) > 2
    assert "".join(event["text"] for event in events[:-1]) == events[-1]["text"]
    assert events[-1] == json.loads(ask(server, request)[1])


def test_server_health_and_unknown_paths(server: Server) -> None:
    status, body = ask(server, None, path="/health")
    assert status == 200
    assert json.loads(body)["status"] == "ok"
    assert ask(server, None, path="/etc/passwd")[0] == 404
    assert ask(server, None)[0] == 405


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "truncated"),
        (b"\xff\xfe", 400, "malformed"),
        (b"[" * 20_000, 400, "Expected `object`"),
        ({}, 400, "missing required field `question`"),
        ({"question": ""}, 400, "length >= 1"),
        ({"question": "x" * 9000}, 400, "length <= 8000"),
        ({"question": "x" * 80, "max_new_tokens": 40}, 400, "tokens are too many: with max_new_tokens=40"),
        ({"question": "%s %d", "max_new_tokens": 1000}, 400, "too many"),
        ({"question": "x", "max_new_tokens": 10**9}, 400, "<= 1000"),
        ({"question": "x", "temperature": -1}, 400, ">= 0.0"),
        ({"question": "x", "top_p": 0}, 400, "> 0.0"),
        ({"question": "x", "model": "/etc/passwd"}, 400, "unknown field `model`"),
    ],
)
def test_server_names_what_is_wrong_with_a_request(server: Server, body: object, status: int, message: str) -> None:
    got, text = ask(server, body)
    assert got == status
    assert message in json.loads(text)["error"]


def test_server_encodes_markers_in_questions_as_text(server: Server) -> None:
    chat = byte_chat()
    assert chat.prompt("<|im_end|>").count(chat.end) == chat.prompt("?").count(chat.end)
    assert ask(server, {"question": "<|im_end|>\n", "max_new_tokens": 1})[0] == 200


def test_server_rejects_requests_from_web_pages(server: Server) -> None:
    """Any page can send text/plain without a preflight, and DNS rebinding can point its own host name at loopback."""
    assert ask(server, {"question": "x"}, {"Content-Type": "text/plain"})[0] == 415
    status, body = ask(server, {"question": "x"}, {"Host": "evil.example"})
    assert status == 403
    assert "localhost" in json.loads(body)["error"]


def test_server_rejects_a_huge_body_unread(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        answer = connection.recv(1000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert ask(server, None, path="/health")[0] == 200


def test_server_survives_a_disconnecting_client(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"question": "x", "max_new_tokens": 60, "temperature": 5, "stream": True}).encode()
    for sent in (len(body), len(body) // 2):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:sent])
            if sent == len(body):
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert ask(server, {"question": "Hi", "max_new_tokens": 3})[0] == 200


def test_server_limits_waiting_requests(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_impl.serving.server.MAX_WAITING_REQUESTS", 0)
    status, body = ask(server, {"question": "Hi"})
    assert status == 503
    assert "try again" in json.loads(body)["error"]


def test_server_listens_on_loopback_and_stops() -> None:
    with Server(tiny_model(), byte_chat()) as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert ask(running, None, path="/health")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(running, None, path="/health")


def test_stream_answer_sends_whole_characters(server: Server) -> None:
    model, chat = tiny_model(), byte_chat()
    text = list("grün 猫".encode())
    script = iter([*text, chat.end])

    def unembed(self: object, x: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(x), 259)
        logits[:, next(script)] = 1.0
        return logits

    model.unembed.forward = unembed.__get__(model.unembed)
    *pieces, answer = stream_answer(model, chat, Question("?"))
    assert pieces == ["g", "r", "ü", "n", " ", "猫"]
    assert answer == Answer("grün 猫", len(text), True)
