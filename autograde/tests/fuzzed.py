"""Mutated inputs for the readers of untrusted bytes: `test_fuzz.py` runs a few, `tools/fuzz.py` many."""

from __future__ import annotations

import faulthandler
import random
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

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
