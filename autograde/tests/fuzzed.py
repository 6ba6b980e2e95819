"""The readers of untrusted bytes and mutated inputs for them: `test_fuzz.py` runs a few, `tools/fuzz.py` many."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import random
import signal
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import torch

from autograde.client.calls import cost, gradients, watched, without
from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.course import Course
from autograde.isolation.running_submission import parse_cell_run
from autograde.lms_import.archive import ArchiveError
from autograde.lms_import.collect import Collected, handed_in_through
from autograde.notebooks.extract import SubmissionError, submission_from_text
from autograde.testing import Oracle
from autograde.tests.edits import replace_once
from autograde.tests.tiny_course import SLUG
from autograde.wire import HEADER, MAGIC, Channel, WireError, decode, encode

SECONDS_EACH = 5.0
"""limit of processor time for one input"""
HANGS_S, STUCK_S = 60, 90
"""limits of wall time for one input: when Python raises, and when the process ends because Python could not"""
BYTES_EACH = 64 << 20
"""bytes that Python may allocate for one input, in addition to two hundred times its size"""
BYTES_ALL = 1 << 30
"""bytes by which the address space may grow over all inputs; only this limit covers torch's memory"""
PIECES = (
    b"\x00", b"\xff" * 9, b'"', b"{", b"}" * 40, b"[" * 3000, b"\\ud800", b"1e999", b"-1", b"9" * 400, b"null", b"NaN",
    b'"cells":', b'"nbgrader":{"grade_id":[]}', b"\xc0\xc1", b"\xdf\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff",
    b"\xc9\x00\x00\xff\xff\x01", "\u202e".encode(), b"\xef\xbb\xbf", b"\r\n",
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A function that reads bytes of a submission, and the only exceptions with which it may refuse them."""

    read: Callable[[bytes], object]
    refusals: tuple[type[BaseException], ...]
    originals: list[bytes]


def mutated(seed: int, originals: list[bytes]) -> bytes:
    """One of `originals` after a few changes: flipped bits; inserted, deleted, repeated, cut or foreign parts."""
    draw = random.Random(seed)
    data = bytearray(draw.choice(originals))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice((1, 4, 30, 300)))
        kind = draw.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at:at] = draw.choice(PIECES)
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = data[at:end] * draw.randint(1, 5)
        elif kind == 4 and draw.random() < 0.2:
            del data[at:]
        else:
            other = draw.choice(originals)
            start = draw.randrange(len(other))
            data[at:end] = other[start : start + 60]
    return bytes(data)


def withstands(reader: Reader, seeds: Iterable[int]) -> int:
    """Read mutated inputs; returns how many were refused. Fails on other errors, and on too much time or memory."""
    refused = 0
    grown = _address_space()
    tracemalloc.start()
    try:
        for seed in seeds:
            data = mutated(seed, reader.originals)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.process_time()
            try:
                with _given_up(seed):
                    reader.read(data)
            except reader.refusals:
                refused += 1
            except BaseException as error:
                error.add_note(f"the input is of seed {seed}")
                raise
            assert time.process_time() - start < SECONDS_EACH, seed
            assert tracemalloc.get_traced_memory()[1] - before < 200 * len(data) + BYTES_EACH, seed
    finally:
        tracemalloc.stop()
    assert _address_space() - grown < BYTES_ALL
    return refused


@contextmanager
def _given_up(seed: int) -> Iterator[None]:
    """Raise in the block after HANGS_S, and end the process after STUCK_S."""

    def hangs(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"seed {seed}: no answer within {HANGS_S} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, HANGS_S)
    faulthandler.dump_traceback_later(STUCK_S, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _address_space() -> int:
    """The peak size of this process's address space in bytes; 0 without /proc."""
    try:
        status = Path("/proc/self/status").read_text(errors="replace")
    except OSError:
        return 0
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmPeak:"))


def readers(course: Course, folder: Path) -> dict[str, Reader]:
    """All readers, for a course that has released SLUG; `folder` is for archives."""
    return {
        "wire": _wire(),
        "replies": _replies(),
        "cells": _cells(),
        "notebooks": _notebooks(course),
        "scripts": _scripts(course),
        "archives": _archives(course, folder),
    }


def _wire() -> Reader:
    """Frames as they arrive from the pipe."""
    fault = {"types": ["ValueError"], "message": "no", "frames": [["cell", 3, "line"]], "missing": False}
    originals = [
        encode({"value": torch.randn(3, 4), "more": [1, None, "text", {"a": (True, 2.5)}]}),
        encode({"error": fault}),
        encode([torch.ones(2, dtype=torch.bool), torch.zeros(0), torch.arange(5), b"bytes"]),
        encode({"callback": 3, "args": (torch.randn(2, dtype=torch.float64),), "kwargs": {}, "cotangents": None}),
    ]
    return Reader(decode, (WireError,), originals)


def _replies() -> Reader:
    """How checks and oracles read a reply with a valid frame and arbitrary contents."""
    x = torch.arange(6.0).reshape(2, 3)
    twice = Oracle(lambda value: value * 2)
    reply: dict[str, Any] = {"value": x * 2, "gradients": {0: x}, "changed": [True], "shared": [False], "called": []}
    reply |= {"flops": 3, "peak_bytes": 9, "operations": {"mul": 1}}
    fault = {"types": ["ValueError", "Exception"], "message": "no", "frames": [["c", 3, "x"]], "missing": False}
    question = {"callback": 0, "args": (1, x), "kwargs": {"a": x}, "cotangents": [x]}
    originals = [reply, reply | {"value": [1, (x, "t"), {"k": 2.5}]}, {"error": fault}, question]
    asks: list[Callable[[Student], object]] = [
        lambda student: twice.compare(student.f(x), x),
        lambda student: student.f(abs, x),
        lambda student: watched(student.f, (x,), {}),
        lambda student: gradients(student.f, (x,), {}, None),
        lambda student: cost(student.f, (x,), {}),
        lambda student: without(student.f, (x,), {}, ["aten::mul"]),
    ]

    def read(data: bytes) -> object:
        return asks[sum(data) % len(asks)](_student_that_says(_framed(data)))

    return Reader(read, (StudentError, WorkerLostError, Mismatch), [_contents(value) for value in originals])


def _student_that_says(frame: bytes) -> Student:
    """A student that answers its first request with `frame`, and then is gone."""
    read, write = os.pipe()
    os.write(write, frame[: 1 << 16])
    os.close(write)
    return Student(_Discarding(read, -1), wall_s=HANGS_S)


class _Discarding(Channel):
    """Discards what is sent, and closes its descriptor when it is deleted."""

    def send_frame(self, frame: bytes, deadline: float | None = None) -> None:
        pass

    def __del__(self) -> None:
        os.close(self.read_fd)


def _contents(value: Any) -> bytes:
    """A frame without its header: structure and payload."""
    return encode(value)[HEADER.size :]


def _framed(contents: bytes) -> bytes:
    """A frame with a valid header: the longest start of `contents` that is one MessagePack value is the structure."""
    decoder = msgspec.msgpack.Decoder(msgspec.Raw)
    for end in range(len(contents), 0, -1):
        try:
            decoder.decode(contents[:end])
        except msgspec.MsgspecError:
            continue
        return HEADER.pack(MAGIC, end, len(contents) - end) + contents
    return HEADER.pack(MAGIC, len(contents), 0) + contents


def _cells() -> Reader:
    """Reports of run cells, with a valid frame and arbitrary contents."""
    printed = {"output_type": "stream", "name": "stdout", "text": "x at 0x7fff00000000"}
    shown = {"output_type": "display_data", "data": {"text/html": "<b>", "image/png": "AAAA"}, "metadata": {}}
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}
    originals = [
        _contents({"cell": "a", "outputs": [printed, shown, error], "error": ""}),
        _contents({"cell": "a", "outputs": [], "error": "ValueError in line 3: no"}),
    ]
    return Reader(lambda data: parse_cell_run(decode(_framed(data)), "a"), (WireError,), originals)


def _notebooks(course: Course) -> Reader:
    released = course.open(SLUG).paths.released_notebook
    text = released.read_bytes()
    wild = json.dumps(json.loads(text) | {"metadata": {"widgets": {}, "kernelspec": {"name": "../x"}}}).encode()
    old = json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": []}], "metadata": {}}).encode()
    odd = replace_once(text, b'"nbformat": 4', b'"nbformat": 4e0').replace(
        b'"metadata": {', b'"metadata": {"n": NaN, ', 2
    )
    return Reader(
        lambda data: submission_from_text(data, released, "ada", SLUG), (SubmissionError,), [text, wild, old, odd]
    )


def _scripts(course: Course) -> Reader:
    released = course.open(SLUG).paths.released_notebook
    return Reader(
        lambda data: submission_from_text(data, released, "ada", SLUG, ".py"),
        (SubmissionError,),
        [course.open(SLUG).paths.source.read_bytes()],
    )


def _archives(course: Course, folder: Path) -> Reader:
    """Files extracted from any archive must have a harmless name and a bounded size."""
    layouts = [
        [f"ada/{SLUG}/{SLUG}.ipynb", f"ada/{SLUG}/timestamp.txt"],
        [f"doe_12_34_{SLUG}.ipynb", f"roe_LATE_13_35_{SLUG}-1.py"],
        [f"Ann Lee_7_assignsubmission_file_/{SLUG}.ipynb"],
        ["submission_metadata.yml", f"submission_1/{SLUG}.ipynb"],
    ]
    originals = [an_archive(names, kind) for names in layouts for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    path = folder / "mutated.zip"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        done = Collected()
        for handed_in in handed_in_through(course.open(SLUG), path, done):
            assert "/" not in handed_in.student
            assert not handed_in.student.startswith((".", "-"))
            assert len(handed_in.data) <= course.open(SLUG).limits.notebook_bytes
        assert all(sentence.isprintable() for sentence in done.refused), done.refused
        return done

    return Reader(read, (ArchiveError,), originals)


def an_archive(names: list[str], compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name in names:
            archive.writestr(name, name * 20)
    return written.getvalue()
