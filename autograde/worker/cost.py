"""Counts what a call costs: floating point operations, peak bytes, operators. Counted, never timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


class AllocationMode(TorchDispatchMode):
    """Tracks the storages that operators return: how many of their bytes are alive now, and at the peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak_bytes = 0
        self.operations: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = {
            get_id(tensor) for tensor in torch.utils._pytree.tree_leaves(args) if isinstance(tensor, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        self.operations[str(func).removeprefix("aten.").split(".")[0]] += 1
        for tensor in torch.utils._pytree.tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and get_id(tensor) not in inputs:
                storage = tensor.untyped_storage()
                self.alive[get_id(tensor)] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {key: entry for key, entry in self.alive.items() if not entry[0].expired()}
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self.alive.values()))
        return result


def get_id(tensor: torch.Tensor) -> int:
    number: int = tensor.untyped_storage()._cdata
    return number


def count_cost(call: Callable[[], Any]) -> dict[str, Any]:
    """Run `call` and report its value with `flops`, `peak_bytes` and `operations` (operator name to times called)."""
    flops = FlopCounterMode(display=False)
    allocations = AllocationMode()
    with flops, allocations:
        value = call()
    counts = {"flops": flops.get_total_flops(), "peak_bytes": allocations.peak_bytes}
    return {"value": value, **counts, "operations": dict(allocations.operations)}
