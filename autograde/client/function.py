"""The proxy of a function or class of the submission."""

from __future__ import annotations

from typing import Any

from autograde.client.reproduction import Way
from autograde.client.rpc import Remote, Rpc

WAYS = {
    "call": Way.CALL,
    "watch": Way.UNCHANGED,
    "gradients": Way.GRADIENTS,
    "without": Way.WITHOUT,
    "cost": Way.COST,
}
"""how a cell to paste does what an operation of the worker does"""


class Function:
    """A function or class of the notebook, `student.f`: call it, or pass it to a facet or to the oracle.

    - Tensors, NumPy arrays, numbers, bools, None, texts, bytes, dtypes, devices, and lists, tuples, sets and dicts of
      them are copied, both ways. A tensor keeps its dtype, shape and `requires_grad`, but not its strides, and
      arrives on the submission's device; a result arrives on the CPU, detached.
    - A `Generator` arrives as a `torch.Generator`.
    - A function is called back in the grader; its result is copied.
    - An object that the student's code returned arrives as itself.
    - Anything else that is returned stays where it is, and the check gets a proxy, `layer`. Anything else that a check
      passes is a TypeError.

    What crosses at one time is at most 256 MB of tensors, nested 32 deep.

    Example:
        # In the notebook
        def describe(x, names):
            return {"shape": tuple(x.shape), "columns": dict(zip(names, x.unbind(-1)))}

        # In the hidden test
        @check(points=1)
        @given(tensors((3, 2)))
        def test_describe(student, x):
            '''the shape, and each column by its name'''
            found = student.describe(x, names=["a", "b"])
            expect(found["shape"] == (3, 2), "the shape is wrong")
            expect(torch.equal(found["columns"]["b"], x[:, 1]), "column `b` is wrong")

    Example, a function as an argument:
        # In the notebook
        def generate(model, tokens, n_new):
            for _ in range(n_new):
                tokens = [*tokens, int(model(torch.tensor(tokens)).argmax())]
            return tokens

        # In the hidden test
        @check(points=1)
        @given(st.integers(1, 5))
        def test_calls(student, n_new):
            '''the model is asked once for each new token'''
            lengths = []

            def model(tokens):
                lengths.append(len(tokens))
                return torch.eye(7)[(tokens[-1] + 1) % 7]

            expect(student.generate(model, [3], n_new)[:2] == [3, 4], "the tokens are wrong")
            expect(lengths == list(range(1, n_new + 1)), f"the model was called with {lengths} tokens")
    """

    def __init__(self, rpc: Rpc, where: dict[str, Any], text: str) -> None:
        self._rpc = rpc
        self._where = where
        self._text = text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self._rpc.request_answer(self._call("call", args, kwargs))
        if isinstance(value, Remote):
            value._text = self._rpc.reproduction.name_last(value._handle.type_name)
        return value

    def _ask(
        self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], way: Way | None = None, **extra: Any
    ) -> dict[str, Any]:
        """Call it in another way than for its value alone; the whole reply. `way` is how a cell to paste does it."""
        return self._rpc.request(self._call(operation, args, kwargs, way or WAYS[operation], **extra))

    def _call(
        self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], way: Way = Way.CALL, **extra: Any
    ) -> dict[str, Any]:
        self._rpc.last_target = self._text.rstrip("0123456789")
        upstream = {"upstream": extra["cotangents"]} if extra.get("cotangents") is not None else {}
        self._rpc.reproduction.call(self._text, args, kwargs | upstream, way)
        return self._where | {"op": operation, "args": args, "kwargs": kwargs} | extra
