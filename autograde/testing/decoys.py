"""Decoys: answers that `course verify` compares instead of right ones, to see that every check notices them.

Some are trivial (zeros, the input unchanged); others are what a known misconception gives, which must be named.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

Misconception = Callable[..., Any]


@dataclass(frozen=True)
class Question:
    """What a decoy knows of a comparison."""

    answer: Any
    """the right one, in the student's dtype"""
    right: list[Tensor]
    """its tensors"""
    transform: Callable[[Misconception], Misconception]
    """makes of a function what is compared: its value, or its gradients"""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    misconceptions: list[Misconception]
    """the misconceptions of this oracle"""


Kind = Callable[[Any], Any]
"""makes a value of another kind from a right answer"""
Decoy = Callable[[Any, Question], Any]
"""(what the submission answered, the question) -> what is compared instead"""


def _answer_zeros(got: Any, question: Question) -> Any:
    return _rebuild(question, [torch.zeros_like(part) for part in question.right])


def _answer_input(got: Any, question: Question) -> Any:
    right = question.right
    same = [arg for arg in question.args if isinstance(arg, Tensor) and right and arg.shape == right[0].shape]
    return _rebuild(question, [same[0].to(right[0].dtype), *right[1:]]) if same else _answer_zeros(got, question)


def _double_answer(got: Any, question: Question) -> Any:
    return _rebuild(question, [part * 2 for part in question.right])


DECOYS: dict[str, Decoy] = {
    "zeros": _answer_zeros,
    "the input unchanged": _answer_input,
    "the answer doubled": _double_answer,
}


class SomeObject:
    """Stands for an object that a submission returns instead of data."""


KINDS: dict[str, Kind] = {
    "lists of numbers": lambda answer: _map_tensors(answer, lambda tensor: tensor.tolist()),
    "complex numbers": lambda answer: _map_tensors(answer, lambda tensor: tensor.to(torch.complex128)),
    "NumPy arrays": lambda answer: _map_tensors(answer, lambda tensor: tensor.detach().float().numpy()),
    "a list around the answer": lambda answer: [answer],
    "nothing": lambda answer: None,
    "a text": lambda answer: "tensor(0.)",
    "a number": lambda answer: 0.5,
    "nan": lambda answer: float("nan"),
    "a huge integer": lambda answer: 10**40,
    "an empty tensor": lambda answer: torch.zeros(0),
    "an empty dict": lambda answer: {},
    "an object": lambda answer: SomeObject(),
}
"""Values of other types, made of a right answer and given to the check instead of it, before the check looks at it. A
check must say what is wrong with each, and not break on it."""


def _map_tensors(answer: Any, change: Callable[[Tensor], Any]) -> Any:
    """The answer with every tensor changed; without a tensor, its text, which is wrong too."""
    leaves, structure = tree_flatten(answer)
    if not any(isinstance(leaf, Tensor) for leaf in leaves):
        return repr(answer)
    return tree_unflatten([change(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves], structure)


COMMON_KINDS = ("lists of numbers", "complex numbers", "nothing", "an object")
"""the kinds that `course verify` tries on every assignment"""


def keep_answer(got: Any, question: Question) -> Any:
    """The submission's answer, which has been replaced by a value of another kind already."""
    return got


def make_misconception_decoy(name: str) -> Decoy:
    """The answers of a misconception, and right ones where it has none."""

    def answer(got: Any, question: Question) -> Any:
        for misconception in question.misconceptions:
            if misconception.__name__ == name:
                with suppress(Exception):  # it has no answer to these inputs
                    return question.transform(misconception)(*question.args, **question.kwargs)
        return got

    return answer


def find_decoy(name: str) -> Decoy | None:
    """One of the decoys, else the decoy of the misconception of that name; None for no name."""
    if name in KINDS:
        return keep_answer
    return DECOYS.get(name) or (make_misconception_decoy(name) if name else None)


def _rebuild(question: Question, tensors: list[Tensor]) -> Any:
    return tree_unflatten(tensors, tree_flatten(question.answer)[1])
