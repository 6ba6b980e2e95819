"""The readers of untrusted bytes, each with inputs to mutate and the only exceptions with which it may refuse them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from autograde.cli.collect_text import describe_outcome
from autograde.client.calls import find_banned_calls, measure_cost, request_gradients, watch_call
from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.course import Course
from autograde.isolation.cell_runs import parse_cell_run
from autograde.lms_import.archive import ArchiveError
from autograde.lms_import.collect import Collection, read_submissions
from autograde.lms_import.options import Options
from autograde.notebooks.extract import SubmissionError, submission_from_text
from autograde.testing import Oracle
from autograde.tests.edits import replace_once
from autograde.tests.fuzzed import HANGS_S, Reader
from autograde.tests.tiny_course import SLUG
from autograde.wire import HEADER, MAGIC, Channel, WireError, decode, encode


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
        lambda student: watch_call(student.f, (x,), {}),
        lambda student: request_gradients(student.f, (x,), {}, None),
        lambda student: measure_cost(student.f, (x,), {}),
        lambda student: find_banned_calls(student.f, (x,), {}, ["aten::mul"]),
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
        [f"HW 1_ada_attempt_2027-01-30-12-00-00_{SLUG}.ipynb", "HW 1_ada_attempt_2027-01-30-12-00-00.txt"],
        [f"9-77 - Ada Lovelace - Jan 30, 2027 926 PM/{SLUG}.ipynb"],
    ]
    originals = [an_archive(names, kind) for names in layouts for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    path = folder / "mutated.zip"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        done = Collection()
        for submission in read_submissions(course.open(SLUG), path, Options(accept_unknown=True), done):
            assert "/" not in submission.student
            assert not submission.student.startswith((".", "-"))
            assert len(submission.data) <= course.open(SLUG).limits.notebook_bytes
        sentences = [describe_outcome(outcome) for outcome in done.outcomes]
        assert all(sentence.isprintable() for sentence in sentences), sentences
        return done

    return Reader(read, (ArchiveError,), originals)


def an_archive(names: list[str], compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name in names:
            archive.writestr(name, name * 20)
    return written.getvalue()
