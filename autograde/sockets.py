"""Message sockets between the grader, the zygote and the wardens, and descriptors sent over them."""

from __future__ import annotations

import errno
import socket
import time

WAIT_S = 10.0
PAUSE_S = 0.005


def message_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends; one reads an empty message once the other is closed."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_descriptors(to: socket.socket, message: bytes, fds: list[int]) -> None:
    """Send `message` with `fds`, and retry while too many descriptors are in flight.

    The kernel limits the descriptors that all processes of an account have sent and no process has received yet to the
    sender's limit of open files, which is low in a worker.
    """
    end = time.monotonic() + WAIT_S
    while True:
        try:
            socket.send_fds(to, [message], fds)
            return
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS or time.monotonic() > end:
                raise
        time.sleep(PAUSE_S)
