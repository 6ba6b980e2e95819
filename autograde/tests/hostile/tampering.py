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

# %% name_that_is_no_text
import ctypes

ctypes.CDLL(None).prctl(15, b"\xff\xfe) Z", 0, 0, 0)


def scale(x, factor):
    ctypes.CDLL(None).prctl(15, b"\xff\n) Z 1", 0, 0, 0)
    while True:
        pass

# %% leases_on_libraries
import fcntl
import glob
import os

held = []
for path in glob.glob(os.path.dirname(os.__file__) + "/*.py"):
    held.append(open(path))
    for command, argument in ((1024, fcntl.F_WRLCK), (1024, fcntl.F_RDLCK)):
        try:
            fcntl.fcntl(held[-1], command, argument)
            print("SEEN whoever opens this waits:", path)
        except OSError:
            pass
    if len(held) > 30:
        break

# %% folders_watched
import fcntl
import os

fd = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_ACCESS)
print("SEEN who reads the library")

# %% session_stopped_by_its_check
import ctypes
import os


def scale(x, factor):
    ctypes.CDLL(None).syscall(234, os.getppid(), os.getppid(), 19)
    return x

# %% kernel_interfaces
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
calls = {"userfaultfd": 323, "bpf": 321, "perf_event_open": 298, "io_setup": 206, "execveat": 322, "kcmp": 312}
calls |= {"pidfd_getfd": 438, "clock_settime": 227, "seccomp": 317, "process_madvise": 440, "fanotify_init": 300}
for name, number in calls.items():
    if libc.syscall(number, 1, ctypes.create_string_buffer(512), 0, 0, 0) >= 0:
        print("SEEN", name)
for number in (0x40000000 | 41, 0x40000000 | 57, 0x40000000 | 520):
    if libc.syscall(ctypes.c_long(number), 2, 1, 0) >= 0:
        print("SEEN a call by its x32 number")

# %% calls_of_another_architecture
import ctypes


def scale(x, factor):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    place = libc.mmap(None, 4096, 7, 0x22, -1, 0)
    code = b"\xb8\x02\x00\x00\x00\xcd\x80\xc3"  # mov eax, 2 (fork on i386); int 0x80; ret
    ctypes.memmove(place, code, len(code))
    if ctypes.CFUNCTYPE(ctypes.c_int)(place)() >= 0:
        return [x * factor, "a process by another door"]

# %% modes_that_stay
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return args[0] if args else True


class Operators(TorchDispatchMode):
    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        return args[0] if args else True


Functions().__enter__()
Operators().__enter__()


def scale(x, factor):
    return x

# %% operators_of_torch
import torch

library = torch.library.Library("aten", "IMPL")
for name in ("detach", "clone", "_to_copy", "view", "eq.Tensor", "allclose"):
    library.impl(name, lambda *args, **kwargs: args[0], "CPU")


def scale(x, factor):
    return x

# %% guard_by_its_socket
import os
import socket

for fd in range(0, 80):
    for family, kind in ((socket.AF_UNIX, socket.SOCK_SEQPACKET), (socket.AF_UNIX, socket.SOCK_DGRAM)):
        try:
            found = socket.socket(family, kind, fileno=os.dup(fd))
            found.send(b"fork" * 10)
            print("SEEN a socket", fd)
        except OSError:
            pass


# %% builtins_replaced
import builtins
import sys

sys.modules["autograde"] = None
builtins.isinstance = lambda *args: True
builtins.type = lambda *args: str
builtins.len = lambda *args: 0


def scale(x, factor):
    return x


# %% libraries_mapped_writable
import mmap
import os

import torch

fd = os.open(torch.__file__, os.O_RDONLY)
mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)[:4] = b"gone"
mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
print("SEEN a library that others load, writable")
