"""The oracle: the reference implementation run live, in float64, on the inputs that the submission got."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.calls import Target, request_gradients
from autograde.client.dependence import explain_no_gradient
from autograde.client.mismatch import Mismatch
from autograde.client.parameters import describe_missing_parameter
from autograde.client.remote_object import RemoteObject
from autograde.testing import decoys, diagnosis
from autograde.testing.difference import Answer, NoGradientMismatch, find_difference, has_equal_kinds
from autograde.testing.misconceptions import MisconceptionRegistry, Reference
from autograde.testing.tolerance import Part, measure, sort_keys
from autograde.testing.trial import current_trial
from autograde.testing.vjp import choose_transform, find_floating_positions, make_exact_cotangent
from autograde.wire import encode

MAX_CACHED = 4096
Key = tuple[bool, str]
"""for the value, not for gradients; a digest of the inputs"""


@dataclass(frozen=True)
class Expected:
    """What the reference gives for some inputs."""

    parts: list[Part]
    answer: Any
    opaque: list[Any]
    """inputs that are no data and are identified by `id`: kept alive, or another object could get the same one"""


class Oracle(MisconceptionRegistry):
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
        super().__init__()
        self.reference = reference
        self.forms = forms
        self.cache: OrderedDict[Key, Expected] = OrderedDict()
        """what was measured so far, the latest used last"""

    def compare(
        self,
        got: Any,
        *args: Any,
        what: str = "the result",
        reason: str = "",
        hint: str = "",
        shown: tuple[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Raise Mismatch unless `got` is `reference(*args, **kwargs)` as far as rounding allows.

        Compared are tensors, numbers, and dicts, lists and tuples of them: structure, shapes, dtypes, then values,
        where NaN and infinities must be at the same positions. Turn a text or a set into numbers first. Pass the
        inputs that the student's code received.

        `what` names the answer in messages. `reason` says in the check's own words what differs; then `shown`, what
        came and what was expected as texts, replaces the numbers. `hint` is given if no misconception explains the
        answer.

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
        try:
            self._compare(got, None, args, kwargs, what)
        except Mismatch as mismatch:
            mismatch.hint = hint or mismatch.hint
            if reason:
                mismatch.reason, mismatch.args = reason, (reason,)
                mismatch.got, mismatch.expected = shown or ("", "")
                mismatch.compared = None
            raise

    def compare_gradients(
        self,
        target: Target,
        *args: Any,
        parameters: Mapping[str, Tensor] | None = None,
        built_with: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Raise Mismatch unless the gradient in every floating tensor passed by position is that of the reference.

        Calls `target` and back-propagates a fixed gradient from above. Tensors passed by keyword are constants: no
        gradient is asked of them. Without a floating tensor by position it is a TypeError. For a module, construct the
        oracle with a function of the same arguments, followed by `parameters`: their gradients are compared too.
        `built_with` are keyword arguments of the reference alone, for what the module was made with, such as a size.

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
        positions = find_floating_positions(args)
        if not positions:
            raise TypeError("compare_gradients needs a floating tensor, passed by position, to differentiate by")
        inputs, named = (*args, *(parameters or {}).values()), {**kwargs, **(built_with or {})}
        value = self.reference(*inputs, **named)
        cotangents = [make_exact_cotangent(torch.as_tensor(leaf)) for leaf in tree_flatten(value)[0]]
        got_value, got_gradients = request_gradients(target, args, kwargs, cotangents)
        if got_gradients is None:
            self.compare(got_value, *inputs, **named)
            raise Mismatch("the result has another shape than expected, so its gradient cannot be taken")
        if not has_equal_kinds(got_value, value):
            self.compare(got_value, *inputs, **named)
            raise Mismatch("the result is of another kind than expected, so its gradient says nothing")
        missing = [name for name in parameters or {} if name not in got_gradients]
        if missing and isinstance(target, RemoteObject):
            raise describe_missing_parameter(target, target.named_parameters(), missing)
        keys: list[int | str] = [*positions, *(parameters or {})]
        try:
            self._compare([got_gradients.get(key) for key in keys], cotangents, inputs, named)
        except NoGradientMismatch as mismatch:
            key = keys[-1 - mismatch.left]
            name = key if isinstance(key, str) else self._list_names(args)[positions.index(key)]
            found = explain_no_gradient(f"`{name}`", target, args, kwargs, key)
            found.explain = mismatch.explain
            raise found from None

    def _compare(
        self,
        got: Any,
        cotangents: list[Tensor] | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        what: str = "the gradient",
    ) -> None:
        """Compare values, or with `cotangents` gradients, and keep what was answered as evidence."""
        now, transform = current_trial(), choose_transform(cotangents)
        expected = self._find_expected(cotangents, args, kwargs)
        parts, answer = expected.parts, expected.answer
        if now.decoy is not None:
            likes = [part.like for part in parts]
            considered = self._list_considered(now.check)
            got = now.decoy(got, decoys.Question(answer, likes, transform, args, kwargs, considered))
        got = sort_keys(got)
        names = None if cotangents is None else self._list_names(args)
        problem = find_difference(got, Answer(answer, parts, what, names))
        # No gradient is a gradient of zeros.
        leaves = [
            torch.zeros_like(parts[index].like) if leaf is None and index < len(parts) else leaf
            for index, leaf in enumerate(tree_flatten(got)[0])
        ]
        if all(isinstance(leaf, (Tensor, int, float)) for leaf in leaves):
            key = self, now.last_target
            allowed = [part.allowed for part in parts]
            structure = diagnosis.describe_structure(got)
            observation = diagnosis.Observation(transform, args, kwargs, leaves, allowed, now.check, structure)
            now.evidence.add(key, observation)
            if problem is not None:
                considered = self._list_considered(now.check)
                problem.explain = functools.partial(now.evidence.find_explanations, key, considered, self.scopes)
        if problem is not None:
            raise problem

    def _find_expected(
        self, cotangents: list[Tensor] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Expected:
        """Measured once for the same inputs: every submission of a course gets the same requests."""
        opaque: list[Any] = []

        def name(thing: Any) -> int:
            opaque.append(thing)
            return id(thing)

        key = cotangents is None, hashlib.sha256(encode((args, kwargs), name)).hexdigest()
        if key not in self.cache:
            transform = choose_transform(cotangents)
            forms = [transform(form) for form in self.forms]
            self.cache[key] = Expected(*measure(transform(self.reference), args, kwargs, forms), opaque)
            if len(self.cache) > MAX_CACHED:
                self.cache.popitem(last=False)
        self.cache.move_to_end(key)
        return self.cache[key]

    def _list_names(self, args: tuple[Any, ...]) -> list[str]:
        """Of the arguments whose gradients are compared."""
        kinds = inspect.signature(self.reference).parameters.values()
        names = [parameter.name for parameter in kinds if parameter.kind is not parameter.VAR_POSITIONAL]
        positions = find_floating_positions(args)
        return [names[index] if index < len(names) else f"argument {index + 1}" for index in positions]
