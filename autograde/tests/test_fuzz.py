"""The readers of hostile bytes take whatever comes: one clear error or plain data, soon, and without hoarding memory.

`tools/fuzz.py` does the same at length.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.tests.fuzz_readers import readers
from autograde.tests.fuzzed import Reader, withstands

INPUTS = {"wire": 2000, "replies": 1000, "cells": 1000, "notebooks": 500, "scripts": 50, "archives": 300}
ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.parametrize("name", INPUTS)
def test_fuzz_readers_withstand_mutated_inputs(released: Course, tmp_path: Path, name: str) -> None:
    reader = readers(released, tmp_path)[name]
    assert set(readers(released, tmp_path)) == set(INPUTS)
    refused = withstands(reader, range(INPUTS[name]))
    assert refused < INPUTS[name], "no input was read: they are mutated too much to say anything"
    assert refused > 0 or name == "scripts", "every input was read: they are hardly mutated"


def crashes(data: bytes) -> None:
    raise KeyError("unhandled")


def hoards(data: bytes) -> None:
    bytearray(200 << 20)


def works_for_ever(data: bytes) -> None:
    while True:
        pass


def dawdles(data: bytes) -> None:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("read", [crashes, hoards, works_for_ever, dawdles])
def test_fuzz_finds_a_reader_that_fails(monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    monkeypatch.setattr("autograde.tests.fuzzed.HANGS_S", 0.5)
    monkeypatch.setattr("autograde.tests.fuzzed.SECONDS_EACH", 0.1)
    with pytest.raises((KeyError, AssertionError)):
        withstands(Reader(read, (), [b"x"]), range(3))  # type: ignore[arg-type]


@pytest.mark.long
def test_fuzz_tool_counts_inputs(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--inputs", "40", "--seed", "7", "wire", "cells"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if " 40 inputs" in line] == ["wire", "cells"]
