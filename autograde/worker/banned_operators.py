"""Calls a submission's function while some of torch's operators raise BannedCallError.

The operator itself is replaced where torch dispatches it, so no spelling, no thread and no mode gets around it. This
happens in the submission's process: it stops shortcuts, but not code that undoes the replacement.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.attention.flex_attention  # a function that is often refused; here it is imported before any fork
from torch.library import Library

AUTOGRAD = "autograd"
"""name for .backward(), torch.autograd and all that is built on them"""
Refusal = Callable[..., Any]
KEYS = (
    "CompositeImplicitAutograd", "CompositeExplicitAutograd", "CPU", "CUDA", "FuncTorchBatched", "FuncTorchVmapMode",
)  # fmt: skip
"""where an operator may have a kernel; the last two are vmap's"""
REFUSAL = "__refused_here__"


class BannedCallError(Exception):
    """The submission called what the exercise asks to be written by hand."""


@contextmanager
def ban_operators(operators: Iterable[str]) -> Iterator[list[str]]:
    """Inside, operators (`namespace::name`), functions (`module.name`) and "autograd" raise BannedCallError.

    Yields the names that were called. An operator that this torch does not have is left out.
    """
    called: list[str] = []
    with ExitStack() as stack:
        for name in operators:
            refusal = _refusal(name, called)
            if name == AUTOGRAD:
                stack.enter_context(_ban_autograd(refusal))
            elif "::" not in name:
                stack.enter_context(_ban_function(name, refusal))
            elif torch._C._dispatch_has_kernel(name):
                stack.enter_context(_ban_operator(name, refusal))
        yield called


@contextmanager
def _ban_operator(name: str, refusal: Refusal) -> Iterator[None]:
    namespace, _, operator = name.partition("::")
    library = Library(namespace, "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch remarks on each kernel that is replaced
        for key in KEYS:
            if torch._C._dispatch_has_kernel_for_dispatch_key(name, key):
                library.impl(operator, refusal, key)
    try:
        yield
    finally:
        library._destroy()


@contextmanager
def _ban_function(name: str, refusal: Refusal) -> Iterator[None]:
    """Replace the function's code, so that each of its aliases is refused too."""
    module, _, attribute = name.rpartition(".")
    try:
        function = getattr(importlib.import_module(module), attribute)
        written = function.__code__
    except (ImportError, AttributeError):
        yield
        return
    function.__globals__[REFUSAL] = refusal
    function.__code__ = _call_refusal.__code__
    try:
        yield
    finally:
        function.__code__ = written


def _call_refusal(*args: Any, **kwargs: Any) -> Any:
    """Runs among the globals of the function whose code it replaces."""
    return globals()["__refused_here__"](*args, **kwargs)


@contextmanager
def _ban_autograd(refusal: Refusal) -> Iterator[None]:
    variable: Any = torch.autograd.Variable
    engine = variable._execution_engine
    variable._execution_engine = _NoEngine(refusal)
    try:
        yield
    finally:
        variable._execution_engine = engine


class _NoEngine:
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal

    def __getattr__(self, name: str) -> Refusal:
        return self.refusal


def _refusal(name: str, called: list[str]) -> Refusal:
    def refuse(*_: Any, **__: Any) -> Any:
        called.append(name)
        raise BannedCallError(f"{name} is to be written by hand here")

    return refuse
