"""Values to frames and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import torch

from autograde.exception_names import public_name
from autograde.wire.frame import HEADER, MAGIC, PAYLOAD_BYTES, STRUCTURE_BYTES, sizes
from autograde.wire.values import CallbackId, Generator, Handle, WireError, WireTensor

MAX_DEPTH = 32
MAX_DIMS = 16
MAX_DIM = 1 << 40
MAX_INT_BITS = 4096
MAX_COLLISIONS = 500
"""keys of one set or dict that may have one hash"""

DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
        torch.uint8, torch.uint16, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
    )
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
NUMPY_DTYPES = {
    np.dtype(name).str: np.dtype(name)
    for name in (
        "float16", "float32", "float64", "complex64", "complex128",
        "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool",
    )
}  # fmt: skip


StandIn = Callable[[Any], Any]


def encode(value: Any, stand_in: StandIn | None = None) -> bytes:
    """`value` as one frame. `stand_in` turns an object that is no data into a Handle or CallbackId, or raises."""
    writer = _Writer(stand_in)
    node = writer.node(value, 0)
    structure = msgspec.msgpack.encode(node)
    if len(structure) > STRUCTURE_BYTES:
        raise WireError(f"a value with too many parts: {len(structure)} bytes, at most {STRUCTURE_BYTES} can be sent")
    return b"".join([HEADER.pack(MAGIC, len(structure), writer.size), structure, *writer.payload])


def decode(frame: bytes | bytearray | memoryview) -> Any:
    """The value of one whole frame; anything malformed is a WireError and nothing else."""
    view = memoryview(frame)
    if len(view) < HEADER.size:
        raise WireError("a frame shorter than its header")
    structure_size, payload_size = sizes(view[: HEADER.size])
    if len(view) != HEADER.size + structure_size + payload_size:
        raise WireError("a frame whose length is not what its header says")
    try:
        node = msgspec.msgpack.decode(view[HEADER.size : HEADER.size + structure_size])
        reader = _Reader(view[HEADER.size + structure_size :])
        value = reader.value(node, 0)
    except WireError:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError, RuntimeError) as error:
        raise WireError(f"a malformed frame ({public_name(error)})") from None
    if reader.used != payload_size:
        raise WireError("a frame with bytes that belong to no tensor")
    return value


class _Writer:
    """Turns values into nodes: data as it is, everything else as a list that starts with its tag."""

    def __init__(self, stand_in: StandIn | None) -> None:
        self.stand_in = stand_in
        self.payload: list[bytes] = []
        self.size = 0

    def node(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"a value nested more than {MAX_DEPTH} deep")
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return _int_node(value)
        if isinstance(value, str):
            return _text_node(str.__str__(value))
        if isinstance(value, (bytes, bytearray)):
            return ["b", bytes(value)]
        if isinstance(value, (list, tuple, set, frozenset)):
            tag = "l" if isinstance(value, list) else "u" if isinstance(value, tuple) else "s"
            return [tag, *(self.node(item, depth + 1) for item in value)]
        if isinstance(value, dict):
            return ["d", *(self.node(part, depth + 1) for item in dict.items(value) for part in item)]
        return self._object_node(value, depth)

    def _object_node(self, value: Any, depth: int) -> Any:
        if isinstance(value, WireTensor):
            return self._tensor_node(value.tensor, value.requires_grad)
        if isinstance(value, torch.Tensor):
            return self._tensor_node(value, value.requires_grad)
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.str in NUMPY_DTYPES:
            array = np.ascontiguousarray(value)
            self._append(array.tobytes())
            return ["n", value.dtype.str, list(value.shape)]
        if isinstance(value, torch.dtype):
            return ["T", str(value).removeprefix("torch.")]
        if isinstance(value, torch.device):
            return ["D", str(value)]
        if isinstance(value, Handle):
            return ["h", value.number, value.type_name[:200]]
        if isinstance(value, CallbackId):
            return ["c", value.number]
        if isinstance(value, Generator):
            return ["g", value.seed]
        if self.stand_in is None:
            raise WireError(f"a {type(value).__name__}, which is no data")
        return self.node(self.stand_in(value), depth + 1)

    def _tensor_node(self, tensor: torch.Tensor, requires_grad: bool) -> list[Any]:
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
            raise WireError(f"a {tensor.layout} tensor on {tensor.device}; only dense tensors with values can be sent")
        name = NAMES.get(tensor.dtype)
        if name is None:
            raise WireError(f"a tensor of dtype {tensor.dtype}, which cannot be sent")
        if tensor.numel() * tensor.element_size() > PAYLOAD_BYTES:
            raise WireError(f"a tensor of shape {tuple(tensor.shape)}, which is too large to send")
        plain = tensor.detach().cpu()
        if plain.is_complex():
            plain = plain.resolve_conj().resolve_neg()
        # NumPy knows no bfloat16 and copies any strides, also the 0 that `expand` leaves; so bits of the same size go.
        self._append((plain.view(torch.int16) if plain.dtype is torch.bfloat16 else plain).numpy().tobytes())
        return ["t", name, list(tensor.shape), requires_grad]

    def _append(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > PAYLOAD_BYTES:
            raise WireError(f"a value with more than {PAYLOAD_BYTES} bytes of tensors")
        self.payload.append(data)


def _int_node(value: int) -> Any:
    if -(2**63) <= value < 2**63:
        return value
    if value.bit_length() > MAX_INT_BITS:
        raise WireError(f"an integer of {value.bit_length()} bits; at most {MAX_INT_BITS} can be sent")
    return ["i", hex(value)]


def _text_node(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return ["x", value.encode("utf-8", "surrogatepass")]
    return value


def _check_collisions(keys: list[Any]) -> list[Any]:
    """Return `keys`, or raise WireError if too many have the same hash: their table would take quadratic time."""
    if len(keys) > MAX_COLLISIONS and max(Counter(map(hash, keys)).values()) > MAX_COLLISIONS:
        raise WireError("a set or dict whose keys all collide")
    return keys


class _Reader:
    """Validates nodes and turns them back into values."""

    def __init__(self, payload: memoryview) -> None:
        self.payload = payload
        self.used = 0

    def value(self, node: Any, depth: int) -> Any:
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        if depth > MAX_DEPTH or not isinstance(node, list) or not node or not isinstance(node[0], str):
            raise WireError("a value of no known kind, or nested too deep")
        tag, *rest = node
        if tag in ("l", "u", "s"):
            items = [self.value(item, depth + 1) for item in rest]
            return items if tag == "l" else tuple(items) if tag == "u" else set(_check_collisions(items))
        if tag == "d":
            return self._dict([self.value(item, depth + 1) for item in rest])
        return self._leaf(tag, rest)

    def _dict(self, parts: list[Any]) -> dict[Any, Any]:
        if len(parts) % 2:
            raise WireError("a dict with a key but no value")
        return dict(zip(_check_collisions(parts[::2]), parts[1::2], strict=True))

    def _leaf(self, tag: str, rest: list[Any]) -> Any:
        match tag, rest:
            case "t", [str(name), list(shape), bool(requires_grad)] if name in DTYPES:
                return WireTensor(self._tensor(DTYPES[name], shape), requires_grad)
            case "n", [str(name), list(shape)] if name in NUMPY_DTYPES:
                return self._array(NUMPY_DTYPES[name], shape)
            case "i", [str(digits)] if len(digits) <= MAX_INT_BITS // 4 + 4:
                return int(digits, 16)
            case "b", [bytes(data)]:
                return data
            case "x", [bytes(data)]:
                return data.decode("utf-8", "surrogatepass")
            case "T", [str(name)] if name in DTYPES:
                return DTYPES[name]
            case "D", [str(name)] if len(name) <= 20:
                return torch.device(name)
            case "h", [int(number), str(type_name)]:
                return Handle(number, type_name[:200])
            case "c", [int(number)]:
                return CallbackId(number)
            case "g", [int(seed)]:
                return Generator(seed)
        raise WireError("a value of no known kind")

    def _take(self, shape: list[Any], item_size: int) -> memoryview:
        if len(shape) > MAX_DIMS or any(type(size) is not int or not 0 <= size <= MAX_DIM for size in shape):
            raise WireError("a tensor with an impossible shape")
        size = math.prod(shape) * item_size
        if size > len(self.payload) - self.used:
            raise WireError("a tensor larger than the bytes that came with it")
        self.used += size
        return self.payload[self.used - size : self.used]

    def _tensor(self, dtype: torch.dtype, shape: list[Any]) -> torch.Tensor:
        data = self._take(shape, dtype.itemsize)
        if not data:
            return torch.empty(shape, dtype=dtype)
        if dtype is torch.bool and bytes(data).translate(None, b"\x00\x01"):
            raise WireError("a bool that is neither true nor false")
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)

    def _array(self, dtype: np.dtype[Any], shape: list[Any]) -> np.ndarray[Any, Any]:
        data = self._take(shape, dtype.itemsize)
        if dtype == np.bool_ and bytes(data).translate(None, b"\x00\x01"):
            raise WireError("a bool that is neither true nor false")
        return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
