"""The calls of one example as Python lines that a student can paste under their own notebook and run."""

from __future__ import annotations

import base64
import itertools
import math
import re
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from autograde.wire import Generator

MAX_NUMBERS = 64
"""of a tensor that is written out; a longer one is packed"""
MAX_PACKED = 12_000
"""characters of packed tensors in one cell; what does not fit is named by its shape"""
MAX_LINES = 12
SHORTEST = {torch.float32: np.float32, torch.float16: np.float16, torch.float64: np.float64}
UNPACK = """import base64, zlib

def unpacked(text, dtype, *shape):  # the check's own numbers, too many to write out
    return torch.frombuffer(bytearray(zlib.decompress(base64.b64decode(text))), dtype=dtype).reshape(shape)
"""
STANDS_IN = "# torch.randn(...) stands for numbers too many to give here: yours differ from the check's.\n"


@dataclass(frozen=True)
class Line:
    """A call, or without arguments a global that was read."""

    function: str
    arguments: tuple[tuple[Any, ...], dict[str, Any]] | None
    result: str = ""
    """the name that later lines use for it"""


class Reproduction:
    """Records calls as they are made; `render_calls` turns them into text, which takes longer than making them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.names = itertools.count(1)

    def clear(self) -> None:
        self.lines.clear()
        self.names = itertools.count(1)

    def read(self, name: str) -> None:
        """The example read a global."""
        self.lines.append(Line(name, None))

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.lines.append(Line(function, (args, kwargs)))

    def name_last(self, type_name: str) -> str:
        """The last call made an object: give it a name that later lines use."""
        word = re.sub(r"\W", "", type_name)[:30].lower() or "thing"
        name = f"{word}_{next(self.names)}"
        if self.lines:
            self.lines[-1] = replace(self.lines[-1], result=name)
        return name


def render_calls(lines: list[Line]) -> str:
    """The last lines of an example; empty if it called nothing."""
    return Cell().render(lines[-MAX_LINES:])


class Cell:
    """One notebook cell in the making: what it still has space for, and what it needs above its first call."""

    def __init__(self) -> None:
        self.space = MAX_PACKED
        self.packs = False
        self.stands_in = False

    def render(self, lines: list[Line]) -> str:
        body = "\n".join(self._line(line) for line in lines)
        return (STANDS_IN if self.stands_in else "") + (f"{UNPACK}\n" if self.packs else "") + body

    def _line(self, line: Line) -> str:
        assigned = f"{line.result} = " if line.result else ""
        if line.arguments is None:
            return f"{assigned}{line.function}"
        args, kwargs = line.arguments
        parts = [self.literal(arg) for arg in args] + [f"{key}={self.literal(value)}" for key, value in kwargs.items()]
        return f"{assigned}{line.function}({', '.join(parts)})"

    def literal(self, value: Any) -> str:
        """Python that rebuilds `value`."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, (list, tuple)):
            inner = ", ".join(self.literal(item) for item in value)
            return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self.literal(item)}" for key, item in value.items()) + "}"
        if isinstance(value, (set, frozenset)):
            return f"{{{', '.join(map(self.literal, sorted(value, key=repr)))}}}" if value else "set()"
        if isinstance(value, np.ndarray):
            return f"{self._tensor(torch.from_numpy(value))}.numpy()"
        if isinstance(value, np.generic):
            return self.literal(value.item())
        if isinstance(value, Generator):
            return f"torch.Generator().manual_seed({value.seed})"
        if isinstance(value, torch.device):
            return f"torch.{value!r}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        if value is None or isinstance(value, (bool, int, float, str, bytes, torch.dtype)):
            return repr(value)
        return getattr(value, "_text", None) or f"<{type(value).__name__}>"

    def _tensor(self, tensor: torch.Tensor) -> str:
        tensor = tensor.detach().cpu()
        plain = {torch.float32: "", torch.int64: "", torch.bool: ""}
        dtype = plain.get(tensor.dtype, f", dtype={tensor.dtype}")
        if tensor.numel() == 0:
            return f"torch.zeros({tuple(tensor.shape)}{dtype})"
        if tensor.numel() <= MAX_NUMBERS:
            return f"torch.tensor({_format_numbers(tensor)}{dtype})"
        shape = ", ".join(map(str, tensor.shape))
        text = _pack(tensor) if tensor.numel() <= MAX_PACKED else ""
        if text and len(text) <= self.space:
            self.space -= len(text)
            self.packs = True
            return f'unpacked("{text}", {tensor.dtype}, {shape})'
        self.stands_in = True
        return f"torch.randn({shape})" + (f".to({tensor.dtype})" if dtype or not tensor.is_floating_point() else "")


def _pack(tensor: torch.Tensor) -> str:
    """The tensor's bytes, compressed, as letters and digits."""
    numbers = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return base64.b64encode(zlib.compress(numbers, 9)).decode()


def _format_numbers(tensor: torch.Tensor) -> str:
    if tensor.dim():
        return "[" + ", ".join(_format_numbers(row) for row in tensor) + "]"
    if not tensor.is_floating_point():
        return repr(tensor.item())
    value = tensor.item()
    if not math.isfinite(value):
        return f'float("{value}")'
    text = _format_shortest(value, tensor.dtype)
    return text if "." in text or "e" in text else f"{text}."


def _format_shortest(value: float, dtype: torch.dtype) -> str:
    """The shortest text that gives the same number back in this dtype."""
    if dtype in SHORTEST:
        text = str(SHORTEST[dtype](value))
        return text.removesuffix("0") if text.endswith(".0") else text
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if torch.tensor(float(text), dtype=dtype).item() == value:
            break
    return text
