"""The calls of one example as Python lines that a student can paste under their own notebook and run."""

from __future__ import annotations

import base64
import itertools
import math
import re
import zlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import torch

from autograde.client.replay_helpers import HELPERS
from autograde.wire import Generator

MAX_NUMBERS = 64
"""of a tensor that is written out; a longer one is packed"""
MAX_PACKED = 12_000
"""characters of packed tensors in one cell; what does not fit is named by its shape"""
MAX_LINES = 30
SHORTEST = {torch.float32: np.float32, torch.float16: np.float16, torch.float64: np.float64}
PRECISION = "torch.set_printoptions(precision=12)  # the error is in digits that are not shown otherwise\n"
STANDS_IN = "# torch.randn(...) stands for numbers too many to give here: yours differ from the check's.\n"
UNPASTEABLE = "# This cannot be pasted: it uses functions or objects of the check.\n"


class Way(Enum):
    """How a check asked the submission. HELPED ones are named after the helper that a cell needs for them."""

    CALL = "call"
    READ = "read a global"
    SETUP = "setup"
    """a call whose result says nothing"""
    SUPPLIED = "supplied"
    """functions that replace the notebook's own"""
    NONCONTIGUOUS = "noncontiguous"
    ON_META = "on the meta device"
    WITHOUT = "without some operators"
    """no cell shows what it does"""
    GRADIENTS = "gradients"
    UNCHANGED = "call_unchanged"
    UNSHARED = "call_unshared"
    COST = "flops"


HELPED = (Way.GRADIENTS, Way.UNCHANGED, Way.UNSHARED, Way.COST)
SILENT = (Way.SETUP, Way.SUPPLIED, Way.UNCHANGED, Way.UNSHARED)
SETUP_METHODS = ("load_state_dict", "train", "manual_seed")


@dataclass(frozen=True)
class Line:
    """A call, or without arguments a global that was read."""

    function: str
    arguments: tuple[tuple[Any, ...], dict[str, Any]] | None
    result: str = ""
    """the name that later lines use for it"""
    way: Way = Way.CALL


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
        self.lines.append(Line(name, None, way=Way.READ))

    def supply(self, names: list[str]) -> None:
        """Functions of the check replace these of the notebook."""
        self.lines.append(Line(", ".join(f"`{name}`" for name in names), None, way=Way.SUPPLIED))

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any], way: Way = Way.CALL) -> None:
        is_setup = way is Way.CALL and function.rpartition(".")[2] in SETUP_METHODS
        self.lines.append(Line(function, (args, kwargs), way=Way.SETUP if is_setup else way))

    def name_last(self, type_name: str) -> str:
        """The last call made an object: give it a name that later lines use."""
        word = re.sub(r"\W", "", type_name)[:30].lower() or "thing"
        name = f"{word}_{next(self.names)}"
        if self.lines:
            self.lines[-1] = replace(self.lines[-1], result=name)
        return name


def render_calls(lines: list[Line], *, precise: bool = False) -> str:
    """The lines of an example as a cell; empty if it called nothing. `precise`: its error is in the last digits.

    Of a long example these are the last lines, and those before them that make an object.
    """
    if not lines or lines[-1].way is Way.WITHOUT:
        return ""
    skipped = [line for line in lines[:-MAX_LINES] if line.result]
    return Cell().render([*skipped, *lines[-MAX_LINES:]], precise)


class Cell:
    """One notebook cell in the making: what it still has space for, and what it needs above its first call."""

    def __init__(self) -> None:
        self.space = MAX_PACKED
        self.helpers: dict[str, str] = {}
        self.objects: set[str] = set()
        """names of what earlier lines made"""
        self.stands_in = False
        self.is_pasteable = True

    def render(self, lines: list[Line], precise: bool) -> str:
        shows = [index for index, line in enumerate(lines) if not line.result and line.way not in SILENT]
        # A notebook shows the last value of a cell only.
        rendered = [self._render_line(line, printed=index in shows[:-1]) for index, line in enumerate(lines)]
        if not self.is_pasteable:
            return UNPASTEABLE + "\n".join(f"# {line}" for line in "\n".join(rendered).split("\n"))
        above = PRECISION * precise + STANDS_IN * self.stands_in
        return above + "".join(f"{helper}\n" for helper in self.helpers.values()) + "\n".join(rendered)

    def _render_line(self, line: Line, printed: bool) -> str:
        text = self._render_call(line)
        if line.result:
            self.objects.add(line.result)
            return f"{line.result} = {text}"
        return f"print({text})" if printed else text

    def _render_call(self, line: Line) -> str:
        if line.way is Way.SUPPLIED:
            return f"# The check supplies a right {line.function}; this cell uses yours."
        if line.arguments is None:
            return line.function
        if line.way in HELPED:
            self._add_helper(line.way.value)
            return f"{line.way.value}({', '.join([line.function, *self._render_arguments(line)])})"
        function = line.function
        if line.way is Way.ON_META and function in self.objects:
            function = f'{function}.to("meta")'
        return f"{function}({', '.join(self._render_arguments(line))})"

    def _add_helper(self, helper: str) -> None:
        self.helpers[helper] = HELPERS[helper]

    def _render_arguments(self, line: Line) -> list[str]:
        args, kwargs = line.arguments or ((), {})
        named = [f"{key}={self._render_argument(value, line.way)}" for key, value in kwargs.items()]
        return [*(self._render_argument(arg, line.way) for arg in args), *named]

    def _render_argument(self, value: Any, way: Way) -> str:
        text = self.literal(value)
        if way is Way.NONCONTIGUOUS and isinstance(value, torch.Tensor):
            self._add_helper("noncontiguous")
            return f"noncontiguous({text})"
        return f'{text}.to("meta")' if way is Way.ON_META and isinstance(value, torch.Tensor) else text

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
        text = str(getattr(value, "_text", "")) or f"<{type(value).__name__}>"
        self.is_pasteable &= re.fullmatch(r"[\w.]+", text) is not None
        return text

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
            self._add_helper("unpacked")
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
