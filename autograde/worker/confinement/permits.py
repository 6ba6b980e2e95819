"""Who may become a process: the submission's session, once for each check that the grader announces, and nobody else.

The session hands its warden a listener (seccomp_unotify(2)); each fork then waits for the warden's word. So the number
of a submission's processes is exact, whatever its code or threads do, without a control group or a user of its own.
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
        """forks that the grader announced and that have not been asked for"""

    def answer(self) -> None:
        """Answer one waiting question."""
        question = bytearray(_QUESTION.size)
        with suppress(OSError):  # whoever asked has been killed since
            fcntl.ioctl(self.listener, _RECEIVE, question)
            identity, pid, _ = _QUESTION.unpack(question)
            fcntl.ioctl(self.listener, _SEND, self._reply(identity, pid))

    def _reply(self, identity: int, pid: int) -> bytes:
        if pid == self.session and self.left > 0:
            self.left -= 1
            return _REPLY.pack(identity, 0, 0, _CONTINUE)
        return _REPLY.pack(identity, 0, -errno.EPERM, 0)
