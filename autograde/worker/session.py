"""A submission's own process: runs the notebook once, then forks itself whenever the grader asks for it.

From the first cell on nothing here can be trusted: the submission may have changed any of it. That spoils only the
answers to its own checks.
"""

from __future__ import annotations

import os
import socket

from autograde.wire import Channel, PeerGone
from autograde.worker import confinement, limits, notebook, rpc_server
from autograde.worker.launch_request import LaunchRequest
from autograde.worker.randomness import seed_everything

NOTEBOOK_IN, NOTEBOOK_OUT, FIRST_CHECK = 3, 4, 5


def run(
    request: LaunchRequest,
    fds: list[int],
    shell: notebook.NotebookShell,
    layers: confinement.Layers,
    warden: socket.socket,
) -> None:
    """`fds` are: notebook in, notebook out, then in and out of each check. `warden` receives the listener for forks."""
    limits.keep_only([*fds, warden.detach()])
    limits.hide_memory()
    limits.apply(request.limits, request.scratch, len(fds), request.device)
    channel = Channel(NOTEBOOK_IN, NOTEBOOK_OUT)
    try:
        listeners = socket.socket(fileno=NOTEBOOK_IN + len(fds))
        confinement.apply_layers(layers, request.scratch, request.limits.scratch_bytes, request.device, listeners)
        limits.limit_files(request.limits)
    except OSError as error:
        channel.send({"confined": False, "why": str(error)})
        return
    seed_everything(request.seed, request.device)
    channel.send({"confined": True})
    cells = channel.receive()["cells"]
    for account in notebook.run_cells(shell, cells, request.limits):
        channel.send(account)  # one by one, so that the grader knows which cell ended this process
    checks = (len(fds) - 2) // 2
    while True:
        try:
            number = channel.receive()["check"]
        except PeerGone:
            return
        _fork_check(number, checks, request, shell)
        channel.send({"done": number})


def _fork_check(number: int, checks: int, request: LaunchRequest, shell: notebook.NotebookShell) -> None:
    read_fd = FIRST_CHECK + 2 * number
    session = os.getpid()
    pid = os.fork()
    if pid:
        os.close(read_fd)
        os.close(read_fd + 1)
        os.waitpid(pid, 0)
        return
    try:
        limits.die_with_parent(session)
        os.closerange(NOTEBOOK_IN, read_fd)
        os.closerange(read_fd + 2, FIRST_CHECK + 2 * checks)
        limits.limit_check(request.limits)
        rpc_server.RpcServer(Channel(read_fd, read_fd + 1), shell.user_ns, request.device, request.seed).serve()
    finally:
        os._exit(0)
