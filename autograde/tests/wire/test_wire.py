"""The border: any value survives it, and any garbage on it is one clear error."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograde import sockets, wire

PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=8) | st.binary(max_size=8)
)  # fmt: skip
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(PLAIN, inner, max_size=3)
    ),
    max_leaves=12,
)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@given(VALUES)
def test_wire_round_trips_any_plain_value(value: Any) -> None:
    again = wire.decode(wire.encode(value))
    assert again == value
    assert repr(again) == repr(value)


@given(SHAPES, st.sampled_from(sorted(wire.DTYPES)), st.integers(0, 99))
def test_wire_round_trips_any_tensor_bit_for_bit(shape: tuple[int, ...], dtype: str, seed: int) -> None:
    size = torch.Size(shape).numel() * wire.DTYPES[dtype].itemsize
    raw = torch.randint(0, 2 if dtype == "bool" else 256, (size,), generator=torch.Generator().manual_seed(seed)).to(
        torch.uint8
    )
    tensor = (raw.view(wire.DTYPES[dtype]) if size else torch.empty(0, dtype=wire.DTYPES[dtype])).reshape(shape)
    again = wire.decode(wire.encode({"t": tensor}))["t"].tensor
    assert again.dtype == tensor.dtype
    assert again.shape == tensor.shape
    assert again.contiguous().reshape(-1).view(torch.uint8).equal(raw) or size == 0


@given(st.binary(max_size=200))
def test_wire_garbage_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(data)


@settings(max_examples=300)
@given(st.data())
def test_wire_damaged_frame_is_a_value_or_one_clear_error(data: st.DataObject) -> None:
    frame = bytearray(wire.encode({"a": [torch.ones(2, 3), 1, "text"], "b": (True, 2.5)}))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        wire.decode(frame)
    except wire.WireError as error:
        assert str(error)


@pytest.mark.parametrize(
    "node",
    [
        ["t", "float32", [2**40, 2**40], False],
        ["t", "float32", [-1], False],
        ["t", "float32", [1], False],
        ["t", "object", [], False],
        ["q"],
        ["d", 1],
        ["d", ["l"], 1],
        ["i", "9" * 5000],
        {"plain": "dict"},
    ],
)
def test_wire_refuses_a_false_size_before_allocating(node: Any) -> None:
    import msgspec

    structure = msgspec.msgpack.encode(node)
    with pytest.raises(wire.WireError):
        wire.decode(wire.HEADER.pack(wire.MAGIC, len(structure), 0) + structure)


def test_wire_refuses_an_announced_gigabyte_at_the_header() -> None:
    read_fd, write_fd = os.pipe()
    channel = wire.Channel(read_fd, write_fd)
    os.write(write_fd, wire.HEADER.pack(wire.MAGIC, 10, 1 << 40))
    with pytest.raises(wire.WireError, match="larger"):
        channel.receive()
    channel.close()


@pytest.mark.parametrize("thing", [object(), print, torch.eye(2).to_sparse(), [torch.empty(1, device="meta")]])
def test_wire_refuses_objects_that_are_not_data(thing: Any) -> None:
    with pytest.raises(wire.WireError):
        wire.encode(thing)


@pytest.mark.parametrize("tag", ["s", "d"])
def test_wire_refuses_colliding_keys_quickly(tag: str) -> None:
    """Python hashes -1 and -2 alike, so all these tuples have one hash: a table of them takes minutes to fill."""
    tuples = [["u", *(-1 - (number >> bit & 1) for bit in range(16))] for number in range(30_000)]
    node = [tag, *tuples] if tag == "s" else [tag, *(part for key in tuples for part in (key, None))]
    structure = msgspec.msgpack.encode(node)
    start = time.process_time()
    with pytest.raises(wire.WireError, match="collide"):
        wire.decode(wire.HEADER.pack(wire.MAGIC, len(structure), 0) + structure)
    assert time.process_time() - start < 5


def test_wire_round_trips_a_large_dict() -> None:
    merges = {(left, right): left * right for left in range(150) for right in range(-3, 150)}
    assert wire.decode(wire.encode(merges)) == merges
    assert wire.decode(wire.encode(set(merges))) == set(merges)


def test_wire_nesting_is_limited() -> None:
    value: list[Any] = []
    for _ in range(wire.MAX_DEPTH + 2):
        value = [value]
    with pytest.raises(wire.WireError, match="nested"):
        wire.encode(value)


def test_wire_round_trips_a_single_value_with_any_stride() -> None:
    expanded = torch.tensor([2.5])[0].expand(1, 1)
    assert wire.decode(wire.encode(expanded)).tensor.tolist() == [[2.5]]


def test_sockets_send_descriptors_waits_while_too_many_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's own processes are exempt from that limit, so the kernel's refusal is played."""
    refused, send = [errno.ETOOMANYREFS] * 3, socket.send_fds

    def refusing(*arguments: Any) -> int:
        if refused:
            raise OSError(refused.pop(), "Too many references")
        return send(*arguments)

    monkeypatch.setattr(socket, "send_fds", refusing)
    here, there = socket.socketpair()
    with here, there:
        sockets.send_descriptors(here, b"two", [0, 1])
        message, fds, _, _ = socket.recv_fds(there, 10, 2)
        assert (message, len(fds), refused) == (b"two", 2, [])
        for fd in fds:
            os.close(fd)
        refused.append(errno.EPIPE)
        with pytest.raises(BrokenPipeError):
            sockets.send_descriptors(here, b"two", [0, 1])
