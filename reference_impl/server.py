"""A small server: one model behind HTTP, which streams its answers.

    GET  /health     → {"status": "ok", "parameters": …}
    POST /generate   {"question": "Repeat: moon", "max_new_tokens": 20, "temperature": 0.0, "stream": true}

The answer is {"text": …, "tokens": …, "finished": …}; with "stream", server-sent events: {"text": …} for each piece as
it is decoded, then the whole as above. A request that is wrong gets status 400 and {"error": what, where and why}.

Whoever can reach the port is not trusted: bodies, texts, answers and waiting requests are bounded; only JSON is taken,
and only for a loopback name, so that no web page can talk to it through a browser; there is no file to read and nothing
to write. It has no accounts and no encryption, so it listens on loopback unless told otherwise.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import TracebackType
from typing import Annotated, Any, NoReturn

import msgspec
import torch
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, Finish, RequestHandler

from reference_impl.chat import ChatTokenizer
from reference_impl.model import LanguageModel, parameter_count
from reference_impl.sampling import generate_stream

__all__ = ["Question", "Server", "stream_answer"]

LARGEST_BODY = 64 * 1024  # bytes
LONGEST_WAIT = 8  # requests that may wait for the model; the next one is told to come back
IDLE_TIMEOUT_S = 30.0
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "[::1]"}


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What a request may ask for."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
    max_new_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 64
    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=5.0)] = 0.0
    top_p: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    stream: bool = False


class TooLongError(ValueError):
    """The question leaves no room for the answer."""


class Answer(msgspec.Struct):
    """The whole answer; `finished` is False where it was cut at `max_new_tokens`."""

    text: str
    tokens: int
    finished: bool


def stream_answer(model: LanguageModel, tokenizer: ChatTokenizer, asked: Question) -> Iterator[str | Answer]:
    """The answer's text, piece by piece, and at last the whole. Raises TooLongError at the first.

    A piece never ends within a character, though a token may: what cannot be decoded yet waits for the next.
    """
    prompt = tokenizer.prompt(asked.question)
    room = model.config.context_length - asked.max_new_tokens
    if len(prompt) > room:
        raise TooLongError(
            f"question: {len(prompt)} tokens are too many: with max_new_tokens={asked.max_new_tokens} there is room "
            f"for {max(0, room)}"
        )
    device = model.unembed.weight.device
    ids, sent, finished = [], "", False
    tokens = generate_stream(
        model,
        torch.tensor([prompt], device=device),
        asked.max_new_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        stop=tokenizer.end,
        generator=torch.Generator(device).manual_seed(asked.seed),
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

    def refuse(self, status: int, why: str) -> NoReturn:
        self.set_status(status)
        self.finish({"error": why})
        raise Finish

    def write_error(self, status_code: int, **details: Any) -> None:
        self.finish({"error": self._reason})  # the server's own mistakes are logged, not shown


class _Health(_Handler):
    def get(self) -> None:
        self.write({"status": "ok", "parameters": parameter_count(self.server.model)})


class _Generate(_Handler):
    async def post(self) -> None:
        asked = self._asked()
        if self.server.waiting >= LONGEST_WAIT:
            self.set_header("Retry-After", "5")
            self.refuse(503, "too many requests are waiting: try again in a few seconds")
        self.server.waiting += 1
        try:
            async with aclosing(self.server.pieces(asked)) as pieces:
                await (self._stream(pieces) if asked.stream else self._whole(pieces))
        except TooLongError as error:
            self.refuse(400, str(error))
        except (StreamClosedError, TimeoutError):
            self.request.connection.close()  # the client has left or does not read, and no more is generated for it
        finally:
            self.server.waiting -= 1

    def _asked(self) -> Question:
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            self.refuse(415, "send the request as Content-Type: application/json")
        try:
            return msgspec.json.decode(self.request.body, type=Question)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self.refuse(400, str(error))

    async def _whole(self, pieces: AsyncIterator[str | Answer]) -> None:
        async for piece in pieces:
            if isinstance(piece, Answer):
                self.finish(msgspec.to_builtins(piece))

    async def _stream(self, pieces: AsyncIterator[str | Answer]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        async for piece in pieces:
            content = {"text": piece} if isinstance(piece, str) else msgspec.to_builtins(piece)
            self.write(b"data: " + msgspec.json.encode(content) + b"\n\n")
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                await self.flush()


class Server:
    """A model on a port of its own thread, as long as the `with` block lasts; port 0 takes a free one.

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
        # One thread: the model answers one request at a time, and the others wait their turn.
        self._model_thread = ThreadPoolExecutor(1)
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def pieces(self, asked: Question) -> AsyncIterator[str | Answer]:
        """`stream_answer`, with each token computed in the thread of the model."""
        answer = stream_answer(self.model, self.tokenizer, asked)
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
            max_body_size=LARGEST_BODY,
            max_buffer_size=2 * LARGEST_BODY,
            idle_connection_timeout=IDLE_TIMEOUT_S,
            body_timeout=IDLE_TIMEOUT_S,
        )
        http.add_sockets(self._sockets)
        self._ready.set()
        await self._stop.wait()
        http.stop()
        await http.close_all_connections()

    def wait(self) -> None:
        """Until the server is stopped, which Ctrl-C does."""
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
