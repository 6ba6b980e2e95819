"""The proxy of an object that stays in the submission's process."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from autograde.client.errors import StudentError
from autograde.client.function import Function
from autograde.client.reproduction import Way
from autograde.client.rpc import Remote, Rpc
from autograde.wire import Handle, WireTensor

Kind = TypeVar("Kind")


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
        value = self._get(name)
        if isinstance(value, RemoteObject):
            value._text = f"{self._text}.{name}"
        return value

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
        # The same request for every submission, however its module orders its parameters.
        state = dict(sorted(state.items()))
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
        self._rpc.request(self._function("train")._call("call", (mode,), {}))  # which returns the module again
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

    def _show_parameters(self) -> None:
        """Print the parameters in the cell that reproduces a failure, because they are what a student is to look at."""
        self._rpc.reproduction.read(f"dict({self._text}.named_parameters())")

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

    def _ask(
        self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], way: Way | None = None, **extra: Any
    ) -> dict[str, Any]:
        return self._function()._ask(operation, args, kwargs, way, **extra)

    def _dict_of(self, kind: type[Kind], what: str, value: Any) -> dict[str, Kind]:
        if isinstance(value, dict) and all(type(k) is str and isinstance(v, kind) for k, v in value.items()):
            return value
        raise StudentError(["TypeError"], f"`{self._handle.type_name}.{what}()` gave no dict of tensors", [], False)
