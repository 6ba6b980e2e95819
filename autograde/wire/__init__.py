"""The wire format of values between the trusted grader and a submission's process.

A frame is `MAGIC | u32 structure length | u64 payload length | structure | payload`. The structure is MessagePack;
the payload is the bytes of all its tensors, in the order in which the structure names them. So a tensor carries no
offset that could be forged, and its size is known before a byte of it is allocated.

Covered: whatever bytes arrive, `decode` returns plain data or raises WireError, and allocates no more than a small
multiple of the bytes received. Nothing is executed: no pickle, no `torch.load`, no class looked up by name.
Not covered: whether the values are right. The oracle decides that.
"""

from autograde.wire.channel import Channel
from autograde.wire.codec import DTYPES, MAX_DEPTH, decode, encode
from autograde.wire.frame import HEADER, MAGIC, begins_with
from autograde.wire.values import (
    CallbackId,
    DeadlineError,
    Generator,
    Handle,
    PeerGone,
    WireError,
    WireTensor,
)

__all__ = [
    "DTYPES",
    "HEADER",
    "MAGIC",
    "MAX_DEPTH",
    "CallbackId",
    "Channel",
    "DeadlineError",
    "Generator",
    "Handle",
    "PeerGone",
    "WireError",
    "WireTensor",
    "begins_with",
    "decode",
    "encode",
]
