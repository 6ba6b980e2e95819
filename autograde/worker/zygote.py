"""The zygote: imports torch and IPython once, then forks a warden for every submission it is asked for.

It is executed, never forked from the grader, so its memory never held a test, a reference or an expected value.
It keeps to one thread: a fork from a process whose thread pool is in use can hang in the child.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import io
import os
import select
import signal
import socket
import sys

import msgspec
import torch

from autograde.worker import confinement, limits, notebook, warden
from autograde.worker.launch_request import LaunchRequest

MAX_REQUEST = 1 << 16
MAX_FDS = 250
PARENT_MS = 1000


def serve(control_fd: int, modules: list[str], left_out: list[str]) -> None:
    """Fork a warden per request until the grader sends an empty one, closes the control socket or is gone."""
    grader = os.getppid()
    layers = confinement.detect_layers(left_out)
    confinement.isolate_zygote(layers)
    # After entering a user namespace, because new credentials reset both.
    limits.die_with_parent(grader)
    limits.hide_memory()
    torch.set_num_threads(1)
    shell = notebook.make_shell()
    for name in modules:
        with contextlib.suppress(Exception):  # the notebook that imports it will report the error
            importlib.import_module(name)
    _warm_up(shell)
    gc.freeze()  # forks share these objects' pages while no collection touches them
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens are reaped by the kernel
    control = socket.socket(fileno=control_fd)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    with contextlib.suppress(BrokenPipeError):  # the grader is gone; the loop below notices
        control.send(msgspec.json.encode(layers))
    while True:
        while not poll.poll(PARENT_MS):
            if os.getppid() != grader:
                return
        data, fds = _receive_request(control)
        if not data:
            return
        if os.fork() == 0:
            control.close()
            warden.watch(msgspec.json.decode(data, type=LaunchRequest), fds, shell, layers)
            os._exit(0)
        for fd in fds:
            os.close(fd)


def _warm_up(shell: notebook.NotebookShell) -> None:
    """Use what is initialised at first use, so that no submission waits for it.

    IPython reads its own source before it formats its first traceback, for 0.1 seconds; the first plot looks up fonts.
    """
    shell.run_cell("raise KeyError", silent=True)  # type: ignore[no-untyped-call]
    del sys.last_type, sys.last_value, sys.last_traceback
    with torch.random.fork_rng(devices=[]):
        torch.nn.Linear(2, 2)(torch.ones(1, 2)).softmax(-1).sum().backward()
    if "matplotlib.pyplot" in sys.modules:
        _draw()


def _draw() -> None:
    """Draw a small picture and discard it. Larger pictures of more kinds did not speed up those of submissions."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(2, 2))
    axes.plot([1, 2], label="drawn")
    axes.set(title="a title", xlabel="x", ylabel="y", yscale="log")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")
    plt.close(figure)


def _receive_request(control: socket.socket) -> tuple[bytes, list[int]]:
    """The next request and its descriptors; nothing once the grader has closed its end."""
    try:
        data, ancillary, _, _ = control.recvmsg(MAX_REQUEST, socket.CMSG_SPACE(4 * MAX_FDS))
    except ConnectionResetError:  # the grader closed it before it read that the zygote is ready
        return b"", []
    return data, _descriptors(ancillary)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
