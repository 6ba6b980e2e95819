"""A small HTTP server for one model, with streaming.

    GET  /health     → {"status": "ok", "parameters": …}
    POST /generate   {"question": "Repeat: moon", "max_new_tokens": 20, "temperature": 0.0, "stream": true}

The answer is {"text": …, "tokens": …, "finished": …}; with "stream", server-sent events: {"text": …} for each piece as
it is decoded, then the complete answer as above. An invalid request gets status 400 and {"error": what, where, why}.

Clients are not trusted: bodies, questions, answers and waiting requests are bounded; only JSON is accepted, and only
for a loopback host name, so that no web page can use the server through a browser; it reads and writes no files. It has
no accounts and no encryption, so it listens on loopback by default.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import TracebackType
from typing import Annotated, Any, NoReturn

import msgspec
import torch
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, Finish, RequestHandler

from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel, parameter_count
from reference_impl.model.sampling import generate_stream

__all__ = ["Question", "Server", "stream_answer"]

MAX_BODY_BYTES = 64 * 1024
MAX_WAITING_REQUESTS = 8  # further requests get status 503
IDLE_TIMEOUT_S = 30.0
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "[::1]"}


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
    max_new_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 64
    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=5.0)] = 0.0
    top_p: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    stream: bool = False


class TooLongError(ValueError):
    """The question leaves no space for the answer."""


class Answer(msgspec.Struct):
    """The complete answer; `finished` is False if it was cut at `max_new_tokens`."""

    text: str
    tokens: int
    finished: bool


def stream_answer(
    model: LanguageModel, tokenizer: ChatTokenizer, question: Question
) -> Generator[str | Answer, None, None]:
    """Yields the answer's text in pieces, then the complete answer. Raises TooLongError before the first piece.

    A piece never ends inside a character, though a token may: incomplete bytes wait for the next token.
    """
    prompt = tokenizer.prompt(question.question)
    available = model.config.context_length - question.max_new_tokens
    if len(prompt) > available:
        raise TooLongError(
            f"question: {len(prompt)} tokens are too many: with max_new_tokens={question.max_new_tokens} there is "
            f"space for {max(0, available)}"
        )
    device = model.unembed.weight.device
    ids, sent, finished = [], "", False
    tokens = generate_stream(
        model,
        torch.tensor([prompt], device=device),
        question.max_new_tokens,
        temperature=question.temperature,
        top_p=question.top_p,
        stop=tokenizer.end,
        generator=torch.Generator(device).manual_seed(question.seed),
    )
    for token in tokens:
        finished = token.item() == tokenizer.end
        ids.append(int(token.item()))
        text = tokenizer.decode(ids)
        if not text.endswith("\ufffd") and text.startswith(sent) and len(text) > len(sent):
            yield text[len(sent) :]
            sent = text
    text = tokenizer.decode(ids)
    if text != sent:
        yield text[len(sent) :]
    yield Answer(text, len(ids) - finished, finished)


class _Handler(RequestHandler):
    def initialize(self, server: Server) -> None:
        self.server = server

    def prepare(self) -> None:
        if self.server.loopback and self.request.host_name not in {*LOOPBACK_NAMES, "::1"}:
            self.refuse(403, f"this server answers to {', '.join(sorted(LOOPBACK_NAMES))} only")

    def refuse(self, status: int, message: str) -> NoReturn:
        self.set_status(status)
        self.finish({"error": message})
        raise Finish

    def write_error(self, status_code: int, **details: Any) -> None:
        self.finish({"error": self._reason})  # internal errors are logged, not shown to clients


class _Health(_Handler):
    def get(self) -> None:
        self.write({"status": "ok", "parameters": parameter_count(self.server.model)})


class _Generate(_Handler):
    async def post(self) -> None:
        question = self._parse_question()
        if self.server.waiting >= MAX_WAITING_REQUESTS:
            self.set_header("Retry-After", "5")
            self.refuse(503, "too many requests are waiting: try again in a few seconds")
        self.server.waiting += 1
        try:
            async with aclosing(self.server.pieces(question)) as pieces:
                await (self._send_stream(pieces) if question.stream else self._send_whole(pieces))
        except TooLongError as error:
            self.refuse(400, str(error))
        except (StreamClosedError, TimeoutError):
            assert isinstance(self.request.connection, HTTP1Connection)
            self.request.connection.close()  # the client has disconnected or does not read: stop generating
        finally:
            self.server.waiting -= 1

    def _parse_question(self) -> Question:
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            self.refuse(415, "send the request as Content-Type: application/json")
        try:
            return msgspec.json.decode(self.request.body, type=Question)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self.refuse(400, str(error))

    async def _send_whole(self, pieces: AsyncIterator[str | Answer]) -> None:
        async for piece in pieces:
            if isinstance(piece, Answer):
                self.finish(msgspec.to_builtins(piece))

    async def _send_stream(self, pieces: AsyncIterator[str | Answer]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        async for piece in pieces:
            content = {"text": piece} if isinstance(piece, str) else msgspec.to_builtins(piece)
            self.write(b"data: " + msgspec.json.encode(content) + b"\n\n")
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                await self.flush()


class Server:
    """Serves a model from a thread of its own while the `with` block runs; port 0 takes a free port.

    with Server(model, tokenizer) as server:
        print(server.url)
    """

    def __init__(self, model: LanguageModel, tokenizer: ChatTokenizer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.loopback = host in {"127.0.0.1", "::1", "localhost"}
        self.waiting = 0
        self._sockets = bind_sockets(port, host)
        address = self._sockets[0].getsockname()
        self.url = f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}"
        # One thread: the model answers one request at a time, and the others wait.
        self._model_thread = ThreadPoolExecutor(1)
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def pieces(self, question: Question) -> AsyncGenerator[str | Answer, None]:
        """`stream_answer`, with each piece computed in the model's thread."""
        answer = stream_answer(self.model, self.tokenizer, question)
        loop = asyncio.get_running_loop()
        try:
            while (piece := await loop.run_in_executor(self._model_thread, next, answer, None)) is not None:
                yield piece
        finally:
            answer.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        routes = [(r"/health", _Health, {"server": self}), (r"/generate", _Generate, {"server": self})]
        http = HTTPServer(
            Application(routes, log_function=lambda handler: None),
            max_body_size=MAX_BODY_BYTES,
            max_buffer_size=2 * MAX_BODY_BYTES,
            idle_connection_timeout=IDLE_TIMEOUT_S,
            body_timeout=IDLE_TIMEOUT_S,
        )
        http.add_sockets(self._sockets)
        self._ready.set()
        await self._stop.wait()
        http.stop()
        await http.close_all_connections()

    def wait(self) -> None:
        """Blocks until the server stops, for example on Ctrl-C."""
        self._thread.join()

    def __enter__(self) -> Server:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._model_thread.shutdown(cancel_futures=True)
