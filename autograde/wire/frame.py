"""The header of a frame."""

from __future__ import annotations

import struct

import msgspec

from autograde.wire.values import WireError

MAGIC = b"LMK1"
HEADER = struct.Struct("<4sIQ")
STRUCTURE_BYTES = 1 << 20
PAYLOAD_BYTES = 256 << 20
LONGEST_LENGTH = 5
"""most bytes of a list's length in MessagePack"""


def begins_with(frame: bytes, key: str) -> bool:
    """Does the frame look like a dict whose first key is `key`? It is not decoded."""
    start = msgspec.msgpack.encode("d") + msgspec.msgpack.encode(key)
    return start in frame[HEADER.size : HEADER.size + LONGEST_LENGTH + len(start)]


def sizes(header: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Bytes of structure and payload that a header announces; WireError if no frame may be so large."""
    magic, structure_size, payload_size = HEADER.unpack(header)
    if magic != MAGIC:
        raise WireError("bytes that are no frame")
    if structure_size > STRUCTURE_BYTES or payload_size > PAYLOAD_BYTES:
        raise WireError("a frame larger than the border lets through")
    return structure_size, payload_size
