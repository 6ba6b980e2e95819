"""Proxies for what lives in the worker: the submission's functions, and objects that they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from autograde.client.errors import DISTURBED, StudentError, WorkerLostError
from autograde.client.rpc import Remote, Rpc
from autograde.wire import Handle, WireTensor

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Cost:
    """What a call cost, counted in the submission's process.

    Example:
        # In the notebook
        def power(x, n):
            result = torch.eye(x.shape[-1])
            for _ in range(n):
                result = result @ x
            return result

        # In the hidden test
        @check(points=1, examples=3)
        @given(tensors((4, 4)))
        def test_products(student, x):
            '''the eighth power takes three matrix products'''
            products = student.cost(student.power, x, 8).operations.get("mm", 0)
            expect(products <= 3, f"{products} matrix products", "Square the square.")

        # A student reads
        # 8 matrix products
        # hint: Square the square.
    """

    result: Any
    """what the call returned"""
    flops: int
    """floating point operations of matrix products, convolutions and attention; elementwise operators count 0"""
    peak_bytes: int
    """the most bytes that tensors made by the call held at one time"""
    operations: dict[str, int]
    """name of an operator of torch, such as `mm` or `add` -> how many times it ran"""


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
        value = self._rpc.request_value(self._call("call", args, kwargs))
        if isinstance(value, RemoteObject):
            value._text = self._rpc.reproduction.name_last(value._handle.type_name)
        return value

    def _ask(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> dict[str, Any]:
        """Call it in another way than for its value alone; the whole reply."""
        return self._rpc.request(self._call(operation, args, kwargs) | extra)

    def _call(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        self._rpc.last_target = self._text.rstrip("0123456789")
        self._rpc.reproduction.call(self._text, args, kwargs)
        return self._where | {"op": operation, "args": args, "kwargs": kwargs}


class RemoteObject(Remote):
    """An object that stays in the submission's process: a module, an optimizer, a cache, a function that was returned.

    `layer(x)` calls it, and `layer.name` is an attribute: data is copied, anything else is a proxy, so `layer.step(x)`
    calls a method. It can be passed to the student's functions, to facets and to the oracle. It is forgotten before the
    next drawn example. StudentError if it has no such attribute; names with a leading underscore are refused.

    Example:
        # In the notebook
        class Cache:
            def __init__(self, width):
                self.keys = torch.zeros(0, width)

            def append(self, key):
                self.keys = torch.cat([self.keys, key[None]])

        def cached(cache):
            return len(cache.keys)

        # In the hidden test
        @check(points=1)
        @given(tensors((3,)))
        def test_append(student, key):
            '''an appended key is the last row'''
            cache = student.Cache(3)
            cache.append(key)
            expect(student.cached(cache) == 1, "the cache does not hold one key")
            expect(torch.equal(cache.keys[-1], key), "the last row is not the key")
    """

    def __init__(self, rpc: Rpc, handle: Handle) -> None:
        self._rpc = rpc
        self._handle = handle
        self._text = f"<{handle.type_name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """An attribute: data as a value, anything else as another RemoteObject (so that methods can be called)."""
        if name.startswith("_"):
            raise AttributeError(f"{name}: a check asks for public names only")
        found = self._get(name)
        if isinstance(found, RemoteObject):
            found._text = f"{self._text}.{name}"
        return found

    def state_dict(self) -> dict[str, torch.Tensor]:
        """A copy of a module's parameters and persistent buffers, by name.

        Example:
            # In the notebook
            class Tied(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = torch.nn.Embedding(5, 2)
                    self.unembed = torch.nn.Linear(2, 5, bias=False)
                    self.unembed.weight = self.embed.weight

            # In the hidden test
            @check(points=1)
            def test_tied(student):
                '''embedding and output matrix are one'''
                state = student.Tied().state_dict()
                expect(torch.equal(state["embed.weight"], state["unembed.weight"]), "the matrices differ")
        """
        return self._dict_of(torch.Tensor, "state_dict", self._function("state_dict")())

    def named_parameters(self) -> dict[str, torch.Tensor]:
        """A copy of a module's parameters by name, frozen ones among them. `expect_parameters` compares them.

        Example:
            # In the notebook
            def make_mlp(width):
                return torch.nn.Sequential(torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width))

            # In the hidden test
            @check(points=1)
            def test_size(student):
                '''the two matrices have 4 times width times width entries each'''
                found = student.make_mlp(8).named_parameters()
                sizes = [value.numel() for value in found.values() if value.dim() == 2]
                expect(sizes == [256, 256], f"the matrices have {sizes} entries")
        """
        return {name: parameter.tensor for name, parameter in self._parameters().items()}

    def named_buffers(self) -> dict[str, torch.Tensor]:
        """A copy of a module's buffers by name, also of those that its state does not hold.

        Example:
            # In the notebook
            class Masked(torch.nn.Module):
                def __init__(self, context):
                    super().__init__()
                    self.register_buffer("mask", torch.ones(context, context).tril(), persistent=False)

            # In the hidden test
            @check(points=1)
            def test_mask(student):
                '''the mask is a buffer, so it follows the module to its device'''
                expect("mask" in student.Masked(4).named_buffers(), "there is no buffer `mask`")
        """
        return self._dict_of(torch.Tensor, "named_buffers", self._get("named_buffers"))

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Set the parameters and buffers that `state` names; others, such as a mask in a buffer, keep their values.

        StudentError if the module has no tensor of that name, or one of another shape.

        Example:
            # In the notebook
            class Head(torch.nn.Module):
                def __init__(self, width):
                    super().__init__()
                    self.proj = torch.nn.Linear(width, 1, bias=False)

                def forward(self, x):
                    return self.proj(x).squeeze(-1)

            # In the hidden test
            oracle = Oracle(lambda x, weight: (x @ weight.mT).squeeze(-1))

            @check(points=1)
            @given(tensors((2, 4)), tensors((1, 4)))
            def test_forward(student, x, weight):
                '''a score for each row'''
                head = student.Head(4)
                head.load_state_dict({"proj.weight": weight})
                oracle.compare(head(x), x, weight)
        """
        state = dict(sorted(state.items()))  # the same for everybody, in whatever order a module names its parameters
        self._rpc.reproduction.call(f"{self._text}.load_state_dict", (state,), {"strict": False})
        self._rpc.request_value({"op": "load", "handle": self._handle, "state": state})

    def train(self, mode: bool = True) -> RemoteObject:
        """Put a module in training mode, or with False in eval mode; returns it.

        Example:
            # In the notebook
            class Dropped(torch.nn.Module):
                def forward(self, x):
                    return torch.nn.functional.dropout(x, 0.5, self.training)

            # In the hidden test
            @check(points=1)
            def test_training(student):
                '''dropout is active in training'''
                dropped = student.Dropped().train()(torch.ones(1000))
                expect((dropped == 0).any(), "nothing is dropped in training mode", "Pass `self.training` on.")
        """
        self._function("train")(mode)
        return self

    def eval(self) -> RemoteObject:
        """Put a module in eval mode; returns it.

        Example:
            # In the notebook
            class Averaged(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.norm = torch.nn.BatchNorm1d(3, affine=False)

                def forward(self, x):
                    return self.norm(x)

            # In the hidden test
            @check(points=1)
            @given(tensors((4, 3)))
            def test_eval(student, x):
                '''before any training, eval mode leaves x as it is'''
                Oracle(lambda x: x / (1 + 1e-5) ** 0.5).compare(student.Averaged().eval()(x), x)
        """
        return self.train(False)

    def _parameters(self) -> dict[str, WireTensor]:
        """As they came: `requires_grad` tells which are trained."""
        reply = self._rpc.request(self._attribute("named_parameters"))
        return self._dict_of(WireTensor, "named_parameters", reply["value"])

    def _get(self, attribute: str) -> Any:
        return self._rpc.request_value(self._attribute(attribute))

    def _attribute(self, attribute: str) -> dict[str, Any]:
        return {"op": "get", "handle": self._handle, "attribute": attribute}

    def _function(self, method: str | None = None) -> Function:
        text = self._text if method is None else f"{self._text}.{method}"
        return Function(self._rpc, {"handle": self._handle, "attribute": method}, text)

    def _ask(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> dict[str, Any]:
        return self._function()._ask(operation, args, kwargs, **extra)

    def _dict_of(self, kind: type[Kind], what: str, value: Any) -> dict[str, Kind]:
        if isinstance(value, dict) and all(type(k) is str and isinstance(v, kind) for k, v in value.items()):
            return value
        raise StudentError(["TypeError"], f"`{self._handle.type_name}.{what}()` gave no dict of tensors", [], False)


Target = Function | RemoteObject


def gradients(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], cotangents: Any) -> tuple[Any, Any]:
    """(value, gradients): position of a floating tensor argument, or name of a parameter, -> gradient or None.

    `cotangents` are one per tensor of the value; None means ones. Gradients are None if their shapes do not fit.
    """
    reply = target._ask("gradients", args, kwargs, cotangents=cotangents)
    from_wire = target._rpc.from_wire
    found = from_wire(reply.get("gradients"))
    if not (found is None or (isinstance(found, dict) and all(type(name) in (int, str) for name in found))):
        raise WorkerLostError(DISTURBED)
    return from_wire(reply["value"]), found


def watched(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[bool], list[bool]]:
    """Per tensor argument: did the call write to it, and does its result share its memory. The worker's word."""
    reply = target._ask("watch", args, kwargs)
    changed, shared = reply.get("changed"), reply.get("shared")
    if not (isinstance(changed, list) and isinstance(shared, list)):
        raise WorkerLostError(DISTURBED)
    return [flag is True for flag in changed], [flag is True for flag in shared]


def called(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> tuple[Any, list[str]]:
    """(value, devices of its tensors) of a call; noncontiguous=True lays the inputs out the other way round."""
    devices: list[str] = []
    reply = target._ask("call", args, kwargs, **extra)
    return target._rpc.from_wire(reply["value"], devices), devices


def without(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], banned: list[str]) -> list[str]:
    """Which of the `banned` operators a call asks for. The worker's word."""
    names = target._ask("without", args, kwargs, banned=banned).get("called")
    if not (isinstance(names, list) and all(name in banned for name in names)):
        raise WorkerLostError(DISTURBED)
    return names


def cost(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cost:
    """Call under the worker's counters."""
    reply = target._ask("cost", args, kwargs)
    flops, peak, operations = reply.get("flops"), reply.get("peak_bytes"), reply.get("operations")
    if not (type(flops) is int and type(peak) is int and isinstance(operations, dict)):
        raise WorkerLostError(DISTURBED)
    if not all(type(name) is str and type(count) is int for name, count in operations.items()):
        raise WorkerLostError(DISTURBED)
    return Cost(target._rpc.from_wire(reply["value"]), flops, peak, operations)
