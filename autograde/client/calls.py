"""Calls of a submission's function for more than its value: gradients, costs, and what only its process can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograde.client.errors import DISTURBED, WorkerLostError
from autograde.client.function import Function
from autograde.client.remote_object import RemoteObject
from autograde.client.reproduction import Way

Target = Function | RemoteObject


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


def request_gradients(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], cotangents: Any
) -> tuple[Any, Any]:
    """Return (value, gradients): position of a floating tensor argument, or name of a parameter, -> gradient or None.

    `cotangents` are one per tensor of the value; None means ones. Gradients are None if their shapes do not fit.
    """
    reply = target._ask("gradients", args, kwargs, cotangents=cotangents)
    from_wire = target._rpc.from_wire
    by_name = from_wire(reply.get("gradients"))
    if not (by_name is None or (isinstance(by_name, dict) and all(type(name) in (int, str) for name in by_name))):
        raise WorkerLostError(DISTURBED)
    return target._rpc.substitute(from_wire(reply["value"])), by_name


def watch_call(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], way: Way = Way.UNCHANGED
) -> tuple[list[bool], list[bool]]:
    """Per tensor argument: did the call write to it, and does its result share its memory? The worker claims it."""
    reply = target._ask("watch", args, kwargs, way)
    changed, shared = reply.get("changed"), reply.get("shared")
    if not (isinstance(changed, list) and isinstance(shared, list)):
        raise WorkerLostError(DISTURBED)
    return [flag is True for flag in changed], [flag is True for flag in shared]


def call_noncontiguous(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call with the axes of each tensor in reverse order in memory; return the value."""
    return target._rpc.from_wire(target._ask("call", args, kwargs, Way.NONCONTIGUOUS, noncontiguous=True)["value"])


def run_call(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call for its errors alone: the value is not an answer that the check judges."""
    target._ask("call", args, kwargs)


def find_devices(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], *, meta: bool
) -> tuple[list[str], bool]:
    """Return the devices of a call's result, and whether it failed because it mixed devices. The worker claims it.

    With `meta` the call is made on torch's meta device; if it fails there for another reason, nothing is known.
    """
    reply = target._ask("devices", args, kwargs, Way.ON_META if meta else Way.CALL, meta=meta)
    if not isinstance(reply["value"], list):
        raise WorkerLostError(DISTURBED)
    return [str(device) for device in reply["value"]], reply.get("mixed") is True


def find_banned_calls(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], banned: list[str]) -> list[str]:
    """Find which of the `banned` operators a call uses. The worker claims it."""
    names = target._ask("without", args, kwargs, banned=banned).get("called")
    if not (isinstance(names, list) and all(name in banned for name in names)):
        raise WorkerLostError(DISTURBED)
    return names


def measure_cost(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cost:
    """Call and count the cost in the worker."""
    reply = target._ask("cost", args, kwargs)
    flops, peak, operations = reply.get("flops"), reply.get("peak_bytes"), reply.get("operations")
    if not (type(flops) is int and type(peak) is int and isinstance(operations, dict)):
        raise WorkerLostError(DISTURBED)
    if not all(type(name) is str and type(count) is int for name, count in operations.items()):
        raise WorkerLostError(DISTURBED)
    return Cost(target._rpc.substitute(target._rpc.from_wire(reply["value"])), flops, peak, operations)
