"""Permits forks: only the session may fork, once for each check that the grader announces.

The session sends its warden a listener (seccomp_unotify(2)); each fork then waits for the warden's answer. So the
number of a submission's processes is exact, whatever its code or threads do, without a control group or a separate
user.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from contextlib import suppress

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_QUESTION, _REPLY = struct.Struct("QII64x"), struct.Struct("Qqii")
_CONTINUE = 1


class Permits:
    """The warden's side of the listener."""

    def __init__(self, listener: int, session: int) -> None:
        self.listener = listener
        self.session = session
        self.left = 0
        """forks that the grader announced and that the session has not made yet"""

    def answer(self) -> None:
        """Answer one waiting question."""
        question = bytearray(_QUESTION.size)
        with suppress(OSError):  # the process that asked has been killed
            fcntl.ioctl(self.listener, _RECEIVE, question)
            identity, pid, _ = _QUESTION.unpack(question)
            fcntl.ioctl(self.listener, _SEND, self._reply(identity, pid))

    def _reply(self, identity: int, pid: int) -> bytes:
        if pid == self.session and self.left > 0:
            self.left -= 1
            return _REPLY.pack(identity, 0, 0, _CONTINUE)
        return _REPLY.pack(identity, 0, -errno.EPERM, 0)
