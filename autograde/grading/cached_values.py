"""What checks ask and what they expect, as bytes to keep: the same for every submission, so it is found out once.

Drawing inputs and measuring tolerances takes longer than grading a submission. There is nothing else in the bytes: no
answer and no verdict comes from them. Whoever keeps them sees to it that they are used for the same tests only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from autograde.testing.checks import Check
from autograde.testing.oracle import Expected, Oracle
from autograde.testing.tolerance import Part
from autograde.wire import WireError, WireTensor, decode, encode

DIGEST_BYTES = 32
PLAIN = {type(None), bool, int, float, str, bytes, torch.dtype}


class Asked(msgspec.Struct, array_like=True):
    """What one check asks."""

    cases: bytes
    """the drawn arguments, as a frame"""
    questions: list[bytes] | None
    """its script's frames; None where questions depend on answers"""


class Known(msgspec.Struct):
    """All of it, by the names of checks and oracles."""

    checks: dict[str, Asked]
    oracles: dict[str, list[bytes]]
    """frames of (asked for the value, digest of the inputs, [(exact, allowed)], answer)"""


def apply(data: bytes, checks: Mapping[str, Check], oracles: Mapping[str, Oracle], seed: int) -> bool:
    """Give checks and oracles what `data` knows of them; False if it is damaged, and then they find out again.

    A disk that turns over one bit may not change a grade, so a digest comes first.
    """
    digest, content = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return False
    known = msgspec.msgpack.decode(content, type=Known)
    for name, asked in known.checks.items():
        checks[name].know(seed, _read(asked.cases), asked.questions)
    for name, frames in known.oracles.items():
        oracles[name].known |= dict(map(_expected, frames))
    return True


def found(checks: Mapping[str, Check], oracles: Mapping[str, Oracle], seed: int) -> bytes:
    """What is known now, after a submission that passed every check.

    Left out is what would not come back from frames as it is: an object of the reference's, say.
    """
    asked = {name: _asked(check) for name, check in checks.items() if check.drawn_for == seed}
    measured = {name: list(filter(None, map(_measured, oracle.known.items()))) for name, oracle in oracles.items()}
    content = msgspec.msgpack.encode(Known({name: part for name, part in asked.items() if part}, measured))
    return hashlib.sha256(content).digest() + content


def _asked(check: Check) -> Asked | None:
    cases = _written(check.cases)
    return Asked(cases, check.script.frames if check.script else None) if cases else None


def _measured(item: tuple[Any, Expected]) -> bytes | None:
    (of_value, digest), expected = item
    if expected.held:
        return None
    parts, answer = tree_map(_in_rows, ([(part.exact, part.allowed) for part in expected.parts], expected.answer))
    return _written((of_value, digest, parts, answer))


def _expected(frame: bytes) -> tuple[Any, Expected]:
    of_value, digest, parts, answer = _read(frame)
    likes = map(torch.as_tensor, tree_flatten(answer)[0])
    return (of_value, digest), Expected(
        [Part(exact, like, allowed) for (exact, allowed), like in zip(parts, likes, strict=True)], answer, []
    )


def _in_rows(leaf: Any) -> Any:
    return leaf.contiguous() if isinstance(leaf, Tensor) else leaf


def _written(value: Any) -> bytes | None:
    """As a frame; None if it would not come back as it is."""
    try:
        return encode(value) if _is_plain(value) else None
    except WireError:
        return None


def _read(frame: bytes) -> Any:
    return tree_map(lambda leaf: leaf.tensor if isinstance(leaf, WireTensor) else leaf, decode(frame))


def _is_plain(value: Any) -> bool:
    """Whether it is data whose types a frame keeps, its tensors laid out row by row."""
    kind = type(value)
    if kind in (list, tuple):
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, (*value, *value.values())))
    return kind in PLAIN or (kind is Tensor and value.is_contiguous())
