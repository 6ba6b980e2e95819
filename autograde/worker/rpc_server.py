"""Answers the grader's requests inside one check: calls, attributes, gradients, costs.

Student code shares this process, so each reply is a claim. The grader compares values itself; facts that only this side
can see (was an input changed, on which device a tensor was, what a call cost) are graded only as single facets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch

from autograde import wire
from autograde.wire import CallbackId, Channel, Generator, Handle, WireTensor
from autograde.worker.banned_operators import ban_operators
from autograde.worker.callback_proxies import callback_proxy
from autograde.worker.cost import count_cost
from autograde.worker.device_mixing import DeviceMixing
from autograde.worker.exceptions import MissingNameError, describe
from autograde.worker.randomness import seed_everything
from autograde.worker.tensor_arguments import differs, iterate_tensors, reverse_layout, to_meta

MAX_QUEUED_BYTES = 1 << 16
ABSENT = object()
"""the value of a name that the submission does not define"""


class RpcServer:
    """Holds the state of a check in the worker: objects behind handles, and names that the grader replaced."""

    def __init__(self, channel: Channel, namespace: dict[str, Any], device: str, seed: int) -> None:
        self.channel = channel
        self.namespace = namespace
        self.device = device
        self.seed = seed
        self.objects: dict[int, Any] = {}
        self.replaced: dict[str, Any] = {}
        self.early_requests: deque[dict[str, Any]] = deque()
        """requests that came while a callback was awaited"""
        self.queued_bytes = 0
        """bytes of replies that are queued and not sent yet"""

    def serve(self) -> None:
        """Answer until the grader closes its end."""
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "reseed": self.reseed, "call": self.call, "watch": self.watch, "get": self.get, "supply": self.supply,
            "gradients": self.gradients, "cost": self.cost, "devices": self.devices, "without": self.without,
            "load": self.load,
        }  # fmt: skip
        while True:
            try:
                request = self.early_requests.popleft() if self.early_requests else self.channel.receive()
            except wire.PeerGone:
                return
            try:
                if "begin" in request:
                    self.begin()
                reply = wire.encode(operations[request["op"]](request), self.store_object)
            except BaseException as error:
                reply = wire.encode({"error": describe(error)})
            self.send_reply(reply)

    def send_reply(self, reply: bytes) -> None:
        """Send the reply, or queue it with the next ones if their requests have already arrived."""
        self.queued_bytes += len(reply)
        if self.queued_bytes < MAX_QUEUED_BYTES and (self.early_requests or self.channel.has_frame()):
            self.channel.queue(reply)
        else:
            self.channel.send_frame(reply)
            self.queued_bytes = 0

    # Operations of the grader

    def begin(self) -> None:
        """A new example: forget its predecessor's objects, restore replaced names, draw the same random numbers."""
        self.objects.clear()
        for name, value in self.replaced.items():
            if value is ABSENT:
                self.namespace.pop(name, None)
            else:
                self.namespace[name] = value
        self.replaced.clear()
        seed_everything(self.seed, self.device)

    def reseed(self, request: dict[str, Any]) -> dict[str, Any]:
        """Seed the random generators, and leave everything else as it is."""
        seed_everything(request["seed"], self.device)
        return {"value": None}

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call; a module is moved to the submission's device, as its inputs are."""
        target, args, kwargs = self.resolve_call(request)
        value = target(*args, **kwargs)
        return {"value": value.to(self.device) if isinstance(value, torch.nn.Module) else value}

    def watch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call and report which inputs changed, and which inputs share memory with the value."""
        target, args, kwargs = self.resolve_call(request)
        inputs = [*iterate_tensors(args), *iterate_tensors(kwargs)]
        before = [tensor.detach().clone() for tensor in inputs]
        value = target(*args, **kwargs)
        changed = [differs(old, new) for old, new in zip(before, inputs, strict=True)]
        storages = {tensor.untyped_storage().data_ptr() for tensor in iterate_tensors(value) if tensor.numel()}
        shared = [tensor.numel() > 0 and tensor.untyped_storage().data_ptr() in storages for tensor in inputs]
        return {"value": None, "changed": changed, "shared": shared}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """The value of a global, or of an object's attribute; what is no data becomes a handle."""
        return {"value": self.resolve(request)}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Set the tensors that `state` names; the module keeps its others."""
        held = self.resolve(request | {"attribute": "state_dict"})()
        self.resolve(request | {"attribute": "load_state_dict"})(held | self.unpack(request["state"]))
        return {"value": None}

    def supply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replace globals of the submission by callbacks, until the next example."""
        for name, callback in request["callbacks"].items():
            self.replaced.setdefault(name, self.namespace.get(name, ABSENT))
            self.namespace[name] = callback_proxy(self.ask, callback.number, self.unpack)
        return {"value": None}

    def gradients(self, request: dict[str, Any]) -> dict[str, Any]:
        """Vector–Jacobian products: of every floating tensor argument by position, of a module's parameters by name."""
        target, args, kwargs = self.resolve_call(request)
        leaves: dict[Any, torch.Tensor] = {}
        for position, arg in [*enumerate(args), *kwargs.items()]:
            if isinstance(arg, torch.Tensor) and arg.is_floating_point():
                leaves[position] = arg.requires_grad_()
        if isinstance(target, torch.nn.Module):
            leaves |= dict(target.named_parameters())
        value = target(*args, **kwargs)
        outputs = [tensor for tensor in iterate_tensors(value) if tensor.requires_grad]
        wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}  # a module may freeze some
        if not outputs or not wanted:
            return {"value": value, "gradients": dict.fromkeys(leaves)}
        cotangents = self.cotangents(request, value, outputs)
        if [up.shape for up in cotangents] != [output.shape for output in outputs]:
            return {"value": value, "gradients": None}
        found = torch.autograd.grad(outputs, list(wanted.values()), cotangents, allow_unused=True)
        return {"value": value, "gradients": dict.fromkeys(leaves) | dict(zip(wanted, found, strict=True))}

    def cotangents(self, request: dict[str, Any], value: Any, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
        if request.get("cotangents") is None:
            return [torch.ones_like(output) for output in outputs]
        given = zip(iterate_tensors(value), self.unpack(request["cotangents"]), strict=False)
        return [up.to(output.dtype) for output, up in given if output.requires_grad]

    def cost(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call under counters: floating point operations, bytes alive at the worst moment, operators by name."""
        target, args, kwargs = self.resolve_call(request)
        return count_cost(lambda: target(*args, **kwargs))

    def devices(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call and return the devices of the result, or that tensors of different devices met in a torch function.

        With `meta` everything is moved to the meta device first. Code that needs values fails there, which is no fault.
        """
        target, args, kwargs = self.resolve_call(request)
        if request["meta"]:
            target = target.to("meta") if isinstance(target, torch.nn.Module) else target
            args, kwargs = to_meta(args), to_meta(kwargs)
        with DeviceMixing() as mixing:
            try:
                value = target(*args, **kwargs)
            except Exception:
                if not (mixing.failed or request["meta"]):
                    raise
                return {"value": [], "mixed": mixing.failed}
        return {"value": [tensor.device.type for tensor in iterate_tensors(value)], "mixed": False}

    def without(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call with operators banned; return the names of those that the submission called."""
        target, args, kwargs = self.resolve_call(request)
        with ban_operators(request["banned"]) as names:
            try:
                target(*args, **kwargs)
            except Exception:
                if not names:
                    raise
        return {"value": None, "called": sorted(set(names))}

    # Values in and out

    def resolve_call(self, request: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        target = self.resolve(request)
        args, kwargs = self.unpack(request["args"]), self.unpack(request["kwargs"])
        if request.get("noncontiguous"):
            args, kwargs = reverse_layout(args), reverse_layout(kwargs)
        if not callable(target):
            raise MissingNameError(
                f"`{request.get('attribute') or request['name']}` is a {type(target).__name__}, not a function"
            )
        return target, args, kwargs

    def resolve(self, request: dict[str, Any]) -> Any:
        if (handle := request.get("handle")) is not None:
            found = self.objects[handle.number]
        else:
            name = request["name"]
            if name not in self.namespace:
                raise MissingNameError(f"the notebook defines no `{name}`")
            found = self.namespace[name]
        if (attribute := request.get("attribute")) is None:
            return found
        if not hasattr(found, attribute):
            raise MissingNameError(f"`{type(found).__name__}` has no attribute `{attribute}`")
        value = getattr(found, attribute)
        if attribute in ("named_parameters", "named_buffers") and not request.get("args"):
            return dict(value())
        return value

    def unpack(self, value: Any) -> Any:
        """Turn wire data into what submissions expect: tensors on their device, objects, callback proxies."""
        if isinstance(value, WireTensor):
            return value.tensor.to(self.device).requires_grad_(value.requires_grad)
        if isinstance(value, Handle):
            return self.objects[value.number]
        if isinstance(value, CallbackId):
            return lambda *args, **kwargs: self.unpack(self.ask(value.number, args, kwargs))
        if isinstance(value, Generator):
            return torch.Generator(device=self.device).manual_seed(value.seed)
        if isinstance(value, (list, tuple)):
            return type(value)(self.unpack(item) for item in value)
        if isinstance(value, dict):
            return {key: self.unpack(item) for key, item in value.items()}
        return value

    def store_object(self, thing: Any) -> Handle:
        number = len(self.objects)
        self.objects[number] = thing
        return Handle(number, type(thing).__name__)

    def ask(self, number: int, args: Any, kwargs: Any, cotangents: Any = None) -> Any:
        """Call a callback in the grader; an exception that it raises is raised here as a RuntimeError."""
        question = {"callback": number, "args": tuple(args), "kwargs": dict(kwargs), "cotangents": cotangents}
        self.channel.send(question, self.store_object)
        while "op" in (answer := self.channel.receive()):
            self.early_requests.append(answer)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]
