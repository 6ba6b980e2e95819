"""Submissions that change what is not theirs. Those that stay inside their process hurt only themselves."""

# %% write_into_the_course
import os

for name in ("hidden_tests/a01_scale/test_scale.py", "gradebook.db", "course_config.py", "reports/x.json"):
    path = "COURSE/" + name
    for attempt in (
        lambda: open(path, "w").write("gone"),
        lambda: open(path, "a").write("gone"),
        lambda: os.truncate(path, 0),
        lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
        lambda: os.unlink(path),
        lambda: os.rename(path, path + ".old"),
        lambda: os.chmod(path, 0o777),
        lambda: os.chown(path, 65534, 65534),
        lambda: os.utime(path, (0, 0)),
        lambda: os.setxattr(path, "user.x", b"x"),
        lambda: os.link(path, "mine"),
        lambda: os.symlink(path, "mine"),
    ):
        try:
            attempt()
            print("SEEN changed", name)
        except OSError:
            pass

# %% gradebook_by_sqlite
import sqlite3

with sqlite3.connect("COURSE/gradebook.db", timeout=0) as gradebook:
    gradebook.execute("update secrets set value = 'gone'")

# %% classmate_rewritten
open("COURSE/submitted/honest/a01_scale/a01_scale.ipynb", "w").write("{}")

# %% libraries_on_disk
import os
import torch

for path in (torch.__file__, os.__file__):
    try:
        open(path, "a").write("\nraise SystemExit\n")
        print("SEEN changed", path)
    except OSError as error:
        print(error)

# %% modules_that_shadow
import importlib
import sys

for name in ("torch", "numpy", "json", "hypothesis", "conftest", "sitecustomize", "usercustomize"):
    open(name + ".py", "w").write("raise SystemExit(0)")
sys.path.insert(0, "")
importlib.invalidate_caches()


def scale(x, factor):
    import conftest

    return x

# %% grader_killed
import os
import signal

for pid in (os.getppid(), 1, -1, 0):
    try:
        os.kill(pid, signal.SIGKILL)
        print("SEEN killed", pid)
    except OSError as error:
        print(error)

# %% grader_signalled_by_other_ways
import ctypes
import fcntl
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()
read, write = os.pipe()
attempts = {
    "tgkill": lambda: libc.syscall(234, parent, parent, 9),
    "tkill": lambda: libc.syscall(200, parent, 9),
    "sigqueue": lambda: libc.syscall(129, parent, 9, ctypes.create_string_buffer(128)),
    "pidfd": lambda: libc.syscall(434, parent, 0),
}
for name, attempt in attempts.items():
    if attempt() >= 0:
        print("SEEN", name)
for command in (8, 10):
    try:
        fcntl.fcntl(read, command, parent if command == 8 else signal.SIGKILL)
        print("SEEN fcntl", command)
    except OSError as error:
        print(error)

# %% priorities_and_cores
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for name, attempt in {
    "priority": lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19),
    "affinity": lambda: os.sched_setaffinity(os.getppid(), {0}),
    "realtime": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
}.items():
    try:
        attempt()
        print("SEEN", name)
    except OSError as error:
        print(error)
if libc.mlockall(3) == 0:
    print("SEEN mlockall")

# %% limits_raised
import os
import resource

for which in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    try:
        resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print("SEEN raised", which)
    except (OSError, ValueError) as error:
        print(error)
try:
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))
    print("SEEN prlimit")
except (OSError, ValueError) as error:
    print(error)

# %% user_regained
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for name, attempt in {"setuid": lambda: os.setuid(0), "setgroups": lambda: os.setgroups([])}.items():
    try:
        attempt()
        print("SEEN", name)
    except OSError as error:
        print(error)
if libc.prctl(1, 0, 0, 0, 0) == 0:
    print("SEEN outlives its parent")
if libc.prctl(36, 1, 0, 0, 0) == 0:
    print("SEEN gathers orphans")

# %% state_of_torch
import torch

torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.set_default_device("meta")
torch.use_deterministic_algorithms(True)


def scale(x, factor):
    return x

# %% methods_of_tensors
import torch

torch.Tensor.detach = torch.Tensor.cpu = torch.Tensor.contiguous = lambda self, *a, **k: torch.zeros(1)


def scale(x, factor):
    return x

# %% integers_corrupted
import ctypes


def scale(x, factor):
    ctypes.memmove(id(257) + 24, (258).to_bytes(4, "little"), 4)
    ctypes.memmove(id(True) + 24, id(False) + 24, 4)
    return x

# %% descriptors_closed
import os


def scale(x, factor):
    os.closerange(0, 300)
    return x

# %% descriptors_crossed
import os


def scale(x, factor):
    for fd in range(3, 40):
        try:
            os.dup2(0, fd)
        except OSError:
            pass
    return x

# %% own_input_returned
def scale(x, factor):
    return x.add_(1)

# %% shell_of_the_notebook
ip = get_ipython()
ip.input_transformers_cleanup.append(lambda lines: ["pass\n"])
ip.events.register("post_run_cell", lambda result: None)
ip.set_custom_exc((BaseException,), lambda *args, **kwargs: None)
ip.run_cell("1 / 0")
ip.user_ns["scale"] = None
