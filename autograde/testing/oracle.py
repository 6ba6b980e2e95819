"""The oracle: the reference implementation run live, in float64, on the inputs that the submission got."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.mismatch import Mismatch
from autograde.client.proxies import Target, gradients
from autograde.testing import decoys, diagnosis
from autograde.testing.difference import difference
from autograde.testing.tolerance import Part, in_order, measure
from autograde.testing.trial import trial
from autograde.wire import encode

CACHED = 4096
Reference = Callable[..., Any]
Key = tuple[bool, str]
"""asked for the value, not for gradients; a digest of the inputs"""


@dataclass(frozen=True)
class Expected:
    """What the reference gives for some inputs."""

    parts: list[Part]
    answer: Any
    held: list[Any]
    """inputs that are no data, known by their identity: kept, or that would soon be another's"""


class Oracle:
    """Compares answers with those of `reference`, and recognises misconceptions by their numbers.

    `reference` is a pure function. It runs in float64 for the expected value, and in the dtype of the inputs to
    measure how far a right program may be off by rounding; no tolerance is typed by hand. So it must run in any
    floating dtype.

    `forms` are other right ways to compute the same that round more, such as torch's fused GELU beside the formula. The
    tolerance then holds for them too.

    The tolerance comes from tensors. If a function takes numbers only, as `f(d_head, base)`, pass the oracle the
    number that matters as a float32 tensor; otherwise only four rounding steps are allowed. Where an exact tie
    decides (argmax, a share of equal scores), draw whole numbers: the measurement moves floating inputs a little.

    Example, another right form:
        # In the notebook
        def gelu(x):
            return torch.nn.functional.gelu(x, approximate="tanh")

        # In the hidden test
        def tanh_gelu(x):
            return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

        def fused(x):
            return torch.nn.functional.gelu(x, approximate="tanh")

        oracle = Oracle(tanh_gelu, fused)

        @check(points=1)
        @given(tensors((8,)))
        def test_formula(student, x):
            '''gelu follows its tanh form'''
            oracle.compare(student.gelu(x), x)
    """

    def __init__(self, reference: Reference, *forms: Reference) -> None:
        self.reference = reference
        self.forms = forms
        self.misconceptions: list[Reference] = []
        self.known: OrderedDict[Key, Expected] = OrderedDict()
        """what was measured so far, the latest used last"""

    def misconception(self, misconception: Reference) -> Reference:
        """Register a wrong formula that students write. Its docstring is the hint; ValueError if there is none.

        It takes the arguments of the reference. A student reads the hint only if this is the one registered
        misconception that explains every answer so far, right and wrong. `course verify` demands that a program of
        the same name in `wrong/` is caught and gets this hint.

        Example:
            # In the notebook
            def attention_scores(query, key):
                return query @ key.mT

            # In the hidden test
            oracle = Oracle(lambda query, key: query @ key.mT / query.shape[-1] ** 0.5)

            @oracle.misconception
            def no_scale(query, key):
                '''You do not divide by the root of the width.'''
                return query @ key.mT

            @check(points=1)
            @given(tensors((2, 4)), tensors((3, 4)))
            def test_scores(student, query, key):
                '''scores are scaled products of queries and keys'''
                oracle.compare(student.attention_scores(query, key), query, key)

            # A student reads
            # the result: 6 of 6 values wrong, the worst at index (1, 2): got 69.5
            # hint: You do not divide by the root of the width.
        """
        if not (misconception.__doc__ or "").strip():
            raise ValueError(f"misconception {misconception.__name__} has no docstring; it is the hint a student reads")
        self.misconceptions.append(misconception)
        return misconception

    def compare(self, got: Any, *args: Any, **kwargs: Any) -> None:
        """Raise Mismatch unless `got` is `reference(*args, **kwargs)` as far as rounding allows.

        Compared are tensors, numbers, and dicts, lists and tuples of them: structure, shapes, dtypes, then values,
        where NaN and infinities must be at the same positions. Turn a text or a set into numbers first. Pass the
        inputs that the student's code received.

        Example:
            # In the notebook
            def route(logits, k):
                weights, experts = torch.softmax(logits, -1).topk(k)
                return {"weights": weights, "experts": experts}

            # In the hidden test
            def top_k(logits, k):
                weights, experts = logits.softmax(-1).topk(k)
                return {"weights": weights, "experts": experts}

            oracle = Oracle(top_k)

            @check(points=1)
            @given(tensors((2, 4)), st.integers(1, 4))
            def test_route(student, logits, k):
                '''the k experts with the largest weights are chosen'''
                oracle.compare(student.route(logits, k), logits, k)
        """
        self._compare(got, "the result", _as_it_is, args, kwargs)

    def compare_gradients(self, target: Target, *args: Any, **kwargs: Any) -> None:
        """Raise Mismatch unless the gradient in every floating tensor argument is that of the reference.

        Calls `target` and back-propagates a fixed gradient from above. Pass floating tensors by position, or it is a
        TypeError. For a module, construct the oracle with a function of the same arguments; the gradients of parameters
        are in `student.gradients`.

        Example:
            # In the notebook
            class Square(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    ctx.save_for_backward(x)
                    return x * x

                @staticmethod
                def backward(ctx, upstream):
                    (x,) = ctx.saved_tensors
                    return 2 * x * upstream

            square = Square.apply

            # In the hidden test
            oracle = Oracle(lambda x: x * x)

            @check(points=1)
            @given(tensors((4,)))
            def test_backward(student, x):
                '''the backward pass is the derivative of the square'''
                oracle.compare_gradients(student.square, x)
        """
        if not _floating(args) or any(isinstance(arg, Tensor) and arg.is_floating_point() for arg in kwargs.values()):
            raise TypeError("compare_gradients compares the gradients of floating tensors: pass each by position")
        value = self.reference(*args, **kwargs)
        cotangents = [exact_cotangent(torch.as_tensor(leaf)) for leaf in tree_flatten(value)[0]]
        got_value, found = gradients(target, args, kwargs, cotangents)
        if found is None:
            self.compare(got_value, *args, **kwargs)
            raise Mismatch("the result has another shape than expected, so its gradient cannot be taken")
        got = [found.get(index) for index in _floating(args)]
        self._compare(got, "the gradient", lambda function: vjp_of(function, cotangents), args, kwargs)

    def _compare(self, got: Any, what: str, asked: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        now = trial()
        expected = self._expected(asked, args, kwargs)
        parts, answer = expected.parts, expected.answer
        if (decoy := now.decoy) is not None:
            question = decoys.Question(answer, [part.like for part in parts], asked, args, kwargs, self.misconceptions)
            got = decoy(got, question)
        got = in_order(got)
        problem = difference(got, answer, parts, what, self._names(what, args))
        # No gradient is a gradient of zeros.
        leaves = [
            torch.zeros_like(parts[index].like) if leaf is None and index < len(parts) else leaf
            for index, leaf in enumerate(tree_flatten(got)[0])
        ]
        data = all(isinstance(leaf, (Tensor, int, float)) for leaf in leaves)
        if data:
            seen = diagnosis.Observation(asked, args, kwargs, leaves, [part.allowed for part in parts])
            now.evidence.add((self, now.last_target), seen)
        if problem is None:
            return
        if data:
            problem.explain = functools.partial(now.evidence.explanations, (self, now.last_target), self.misconceptions)
        raise problem

    def _expected(self, asked: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Expected:
        """Measured once for the same inputs: every submission of a course is asked the same questions."""
        held: list[Any] = []

        def name(thing: Any) -> int:
            held.append(thing)
            return id(thing)

        key = asked is _as_it_is, hashlib.sha256(encode((args, kwargs), name)).hexdigest()
        if key not in self.known:
            parts, answer = measure(asked(self.reference), args, kwargs, [asked(form) for form in self.forms])
            self.known[key] = Expected(parts, answer, held)
            if len(self.known) > CACHED:
                self.known.popitem(last=False)
        self.known.move_to_end(key)
        return self.known[key]

    def _names(self, what: str, args: tuple[Any, ...]) -> list[str]:
        """What to call each part of the answer in a message."""
        if what == "the result":
            return []
        names = list(inspect.signature(self.reference).parameters)
        return [f"the gradient of `{names[index]}`" for index in _floating(args)]


def _as_it_is(function: Reference) -> Reference:
    return function


def _floating(args: tuple[Any, ...]) -> list[int]:
    return [index for index, arg in enumerate(args) if isinstance(arg, Tensor) and arg.is_floating_point()]


def exact_cotangent(like: Tensor) -> Tensor:
    """An upstream gradient of varied multiples of 1/8 in [-1, 1], which every floating dtype holds exactly."""
    pattern = (torch.arange(like.numel()) * 7 + 3) % 17 - 8
    return (
        (pattern.to(torch.float64) / 8)
        .reshape(like.shape)
        .to(like.dtype if like.is_floating_point() else torch.float64)
    )


def vjp_of(function: Reference, cotangents: list[Tensor]) -> Reference:
    """The function that maps the same arguments to the list of gradients of its floating tensor arguments."""

    def vjp(*args: Any, **kwargs: Any) -> list[Tensor]:
        where = _floating(args)
        leaves = [arg.detach().clone().requires_grad_() if index in where else arg for index, arg in enumerate(args)]
        outputs = [leaf for leaf in tree_flatten(function(*leaves, **kwargs))[0] if isinstance(leaf, Tensor)]
        pairs = [(out, up.to(out.dtype)) for out, up in zip(outputs, cotangents, strict=True) if out.requires_grad]
        wanted = [leaves[index] for index in where]
        if not pairs:
            return [torch.zeros_like(leaf) for leaf in wanted]
        found = torch.autograd.grad([out for out, _ in pairs], wanted, [up for _, up in pairs], allow_unused=True)
        return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(wanted, found, strict=True)]

    return vjp
