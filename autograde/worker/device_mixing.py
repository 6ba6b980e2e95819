"""Notices that a torch function failed because its tensors were on different devices.

Torch has no exception class for that, and the text of its messages is not a fact to decide by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from autograde.worker.tensor_arguments import iterate_tensors


class DeviceMixing(TorchFunctionMode):
    """While active, `failed` becomes True if a torch function raises with tensors of different devices as arguments.

    A NotImplementedError does not count: an operator without a kernel for the meta device raises it for any arguments.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        try:
            return func(*args, **kwargs)
        except NotImplementedError:
            raise
        except Exception:
            devices = {tensor.device for tensor in (*iterate_tensors(args), *iterate_tensors(kwargs))}
            self.failed = self.failed or len(devices) > 1
            raise
