"""The check cache: the inputs, requests and expected values of an assignment's checks, stored between runs.

They are the same for every submission, and drawing inputs and measuring tolerances takes longer than grading one
submission. The file contains no answers and no verdicts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

import hypothesis
import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from autograde.course import Course, Work
from autograde.disk import replace_on_success
from autograde.grading.digests import hash_checks, hash_engine, hash_parts
from autograde.grading.options import Options
from autograde.report import Outcome, Report
from autograde.testing.checks import Check
from autograde.testing.oracle import Expected, Oracle
from autograde.testing.tolerance import Part
from autograde.wire import WireError, WireTensor, decode, encode

DIGEST_BYTES = 32
PLAIN = {type(None), bool, int, float, str, bytes, torch.dtype}


class CachedCheck(msgspec.Struct, array_like=True):
    """The inputs and requests of one check."""

    cases: bytes
    """the drawn arguments, as a frame"""
    requests: list[bytes] | None
    """the frames of its requests; None if its requests depend on answers"""


class CacheContent(msgspec.Struct):
    """The content of the cache file, by the names of checks and oracles."""

    checks: dict[str, CachedCheck]
    oracles: dict[str, list[bytes]]
    """frames of (whether the value was requested, digest of the inputs, [(exact, allowed)], answer)"""


class CheckCache:
    """The checks and oracles of collected tests, and the file that caches their inputs and expected values."""

    def __init__(self, work: Work, items: list[Any], checks: str, device: str) -> None:
        """`checks` is the digest of the test files from which `items` were collected."""
        self.work, self.digest = work, checks
        self.path = work.paths.check_cache / f"{_file_name(work.course, checks, device)}.checks"
        self.checks: dict[str, Check] = {f"{item.path.stem}.{item.obj.check.name}": item.obj.check for item in items}
        self.oracles = {
            f"{item.path.stem}.{name}": value
            for item in items
            for name, value in vars(item.module).items()
            if isinstance(value, Oracle)
        }
        self.complete = self._read()
        for check in self.checks.values():
            with contextlib.suppress(Exception):  # the check raises it again and reports it
                check.draw(work.course.seed)

    def save_after(self, report: Report, options: Options) -> None:
        """Write the cache for the next run, after a submission that passed every check.

        If the file cannot be written, the next run takes some seconds longer and no grade changes.
        """
        complete_run = not options.exercises and not options.decoy and options.seed is None
        if (
            self.complete
            or not complete_run
            or not all(verdict.outcome is Outcome.PASSED for verdict in report.verdicts)
        ):
            return
        self.complete = True
        if not self.path.exists() and hash_checks(self.work) == self.digest:
            with contextlib.suppress(OSError):
                self._write()

    def _read(self) -> bool:
        try:
            data = self.path.read_bytes()
        except OSError:
            return False
        return load_cache(data, self.checks, self.oracles, self.work.course.seed)

    def _write(self) -> None:
        data = encode_cache(self.checks, self.oracles, self.work.course.seed)
        # Several graders may write at the same time, so each writes its own file and renames it when it is complete.
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        with replace_on_success(self.path, data, unfinished=unfinished):
            for other in set(self.path.parent.iterdir()) - {unfinished}:  # of other tests, or of a killed run
                other.unlink(missing_ok=True)


def _file_name(course: Course, checks: str, device: str) -> str:
    """A digest of everything that the cached values depend on: the tests (by their digest) and this environment."""
    return hash_parts([checks, hash_engine(), repr((course.seed, device)), describe_environment()])


def describe_environment() -> str:
    """The processor and the versions on which drawn inputs and numbers depend."""
    machine = platform.machine(), torch.backends.cpu.get_cpu_capability()
    return repr((machine, sys.version, str(torch.__version__), hypothesis.__version__, np.__version__))


def load_cache(data: bytes, checks: Mapping[str, Check], oracles: Mapping[str, Oracle], seed: int) -> bool:
    """Load the cached values in `data` into checks and oracles; False if it is damaged, and they compute them again.

    `data` starts with a digest, so that a flipped bit on the disk cannot change a grade.
    """
    digest, encoded = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(encoded).digest() != digest:
        return False
    content = msgspec.msgpack.decode(encoded, type=CacheContent)
    for name, check in content.checks.items():
        checks[name].restore(seed, _decode(check.cases), check.requests)
    for name, frames in content.oracles.items():
        oracles[name].cache |= dict(map(_decode_expected, frames))
    return True


def encode_cache(checks: Mapping[str, Check], oracles: Mapping[str, Oracle], seed: int) -> bytes:
    """Encode the inputs, requests and expected values, after a submission that passed every check.

    Leaves out values that frames cannot restore unchanged, such as objects of the reference's classes.
    """
    drawn = {name: _encode_check(check) for name, check in checks.items() if check.drawn_for == seed}
    expected = {
        name: list(filter(None, map(_encode_expected, oracle.cache.items()))) for name, oracle in oracles.items()
    }
    content = msgspec.msgpack.encode(CacheContent({name: check for name, check in drawn.items() if check}, expected))
    return hashlib.sha256(content).digest() + content


def _encode_check(check: Check) -> CachedCheck | None:
    cases = _encode_if_plain(check.cases)
    return CachedCheck(cases, check.script.frames if check.script else None) if cases else None


def _encode_expected(item: tuple[Any, Expected]) -> bytes | None:
    (of_value, digest), expected = item
    if expected.opaque:
        return None
    pairs = [(part.exact, part.allowed) for part in expected.parts]
    parts, answer = tree_map(_make_contiguous, (pairs, expected.answer))
    return _encode_if_plain((of_value, digest, parts, answer))


def _decode_expected(frame: bytes) -> tuple[Any, Expected]:
    of_value, digest, parts, answer = _decode(frame)
    likes = map(torch.as_tensor, tree_flatten(answer)[0])
    return (of_value, digest), Expected(
        [Part(exact, like, allowed) for (exact, allowed), like in zip(parts, likes, strict=True)], answer, []
    )


def _make_contiguous(leaf: Any) -> Any:
    return leaf.contiguous() if isinstance(leaf, Tensor) else leaf


def _encode_if_plain(value: Any) -> bytes | None:
    """Encode a value as a frame; None if the frame could not restore it unchanged."""
    try:
        return encode(value) if _is_plain(value) else None
    except WireError:
        return None


def _decode(frame: bytes) -> Any:
    return tree_map(lambda leaf: leaf.tensor if isinstance(leaf, WireTensor) else leaf, decode(frame))


def _is_plain(value: Any) -> bool:
    """Is the value data whose types a frame preserves, with contiguous tensors?"""
    kind = type(value)
    if kind in (list, tuple):
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, (*value, *value.values())))
    return kind in PLAIN or (kind is Tensor and value.is_contiguous())
