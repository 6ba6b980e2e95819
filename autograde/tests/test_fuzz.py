"""The readers of hostile bytes take whatever comes: one clear error or plain data, soon, and without hoarding memory.

`FUZZ_INPUTS=100000 pytest -m long autograde/tests/test_fuzz.py` is the long run.
"""

from __future__ import annotations

import io
import json
import os
import random
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from autograde.course import Course
from autograde.inbox.archive import ArchiveError
from autograde.inbox.collect import Collected, handed_in_through
from autograde.notebooks.extract import SubmissionError, submission_from_text
from autograde.tests.tiny_course import SLUG
from autograde.wire import WireError, decode, encode

INPUTS = int(os.environ.get("FUZZ_INPUTS", "2000"))
SECONDS_EACH = 5.0
PIECES = (
    b"\x00", b"\xff" * 9, b'"', b"{", b"}" * 40, b"[" * 3000, b"\\ud800", b"1e999", b"-1", b"9" * 400, b"null", b"NaN",
    b'"cells":', b'"nbgrader":{"grade_id":[]}', b"\xc0\xc1", b"\xdf\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff",
    b"\xc9\x00\x00\xff\xff\x01", "\u202e".encode(), b"\xef\xbb\xbf", b"\r\n",
)  # fmt: skip


def mutated(seed: int, originals: list[bytes]) -> bytes:
    """One of `originals` after a few changes: bits, pieces in, pieces out, parts twice, the end gone, another's part."""
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


def withstands(read: Callable[[bytes], object], refusal: type[Exception], originals: list[bytes], seeds: range) -> int:
    """Read mutated inputs; returns how many were refused. Anything but `refusal` fails, as does a slow or hungry read."""
    refused = 0
    tracemalloc.start()
    try:
        for seed in seeds:
            data = mutated(seed, originals)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.process_time()
            try:
                read(data)
            except refusal:
                refused += 1
            assert time.process_time() - start < SECONDS_EACH, seed
            assert tracemalloc.get_traced_memory()[1] - before < 200 * len(data) + (64 << 20), seed
    finally:
        tracemalloc.stop()
    return refused


@pytest.mark.long
def test_the_wire() -> None:
    originals = [
        encode({"value": torch.randn(3, 4), "more": [1, None, "text", {"a": (True, 2.5)}]}),
        encode(
            {"error": {"types": ["ValueError"], "message": "no", "frames": [["cell", 3, "line"]], "missing": False}}
        ),
        encode([torch.ones(2, dtype=torch.bool), torch.zeros(0), torch.arange(5), b"bytes"]),
        encode({"callback": 3, "args": (torch.randn(2, dtype=torch.float64),), "kwargs": {}, "cotangents": None}),
    ]
    refused = withstands(decode, WireError, originals, range(INPUTS))
    assert INPUTS * 0.5 < refused < INPUTS


@pytest.mark.long
def test_notebooks(released: Course) -> None:
    notebook = released.paths(SLUG).released_notebook
    text = notebook.read_bytes()
    wild = json.dumps(json.loads(text) | {"metadata": {"widgets": {}, "kernelspec": {"name": "../x"}}}).encode()
    old = json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": []}], "metadata": {}}).encode()

    def read(data: bytes) -> object:
        return submission_from_text(data, notebook, "ada", SLUG)

    refused = withstands(read, SubmissionError, [text, wild, old], range(INPUTS // 4))
    assert 0 < refused < INPUTS // 4


@pytest.mark.long
def test_scripts(released: Course) -> None:
    script = released.paths(SLUG).source.read_bytes()

    def read(data: bytes) -> object:
        return submission_from_text(data, released.paths(SLUG).released_notebook, "ada", SLUG, ".py")

    assert withstands(read, SubmissionError, [script], range(INPUTS // 10)) < INPUTS // 10


def an_archive(names: list[str], compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name in names:
            archive.writestr(name, name * 20)
    return written.getvalue()


def test_archives(released: Course, tmp_path: Path) -> None:
    """Whatever the archive, what comes out has a harmless name and a bounded size."""
    layouts = [
        [f"ada/{SLUG}/{SLUG}.ipynb", f"ada/{SLUG}/timestamp.txt"],
        [f"doe_12_34_{SLUG}.ipynb", f"roe_LATE_13_35_{SLUG}-1.py"],
        [f"Ann Lee_7_assignsubmission_file_/{SLUG}.ipynb"],
        ["submission_metadata.yml", f"submission_1/{SLUG}.ipynb"],
    ]
    originals = [an_archive(names, kind) for names in layouts for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    path = tmp_path / "mutated.zip"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        done = Collected()
        for handed_in in handed_in_through(released, SLUG, path, done):
            assert "/" not in handed_in.student
            assert not handed_in.student.startswith((".", "-"))
            assert len(handed_in.data) <= released.limits_of(SLUG).notebook_bytes
        assert all(sentence.isprintable() for sentence in done.refused), done.refused
        return done

    refused = withstands(read, ArchiveError, originals, range(INPUTS // 4))
    assert 0 < refused < INPUTS // 4
