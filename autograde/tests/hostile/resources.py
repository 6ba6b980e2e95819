"""Submissions that take more than their share. All of them run only in a confined worker with limits and a deadline."""

# %% forks
import os


def scale(x, factor):
    for _ in range(400):
        if os.fork() == 0:
            os._exit(0)
        print("SEEN a process")
    return x

# %% forks_by_threads_during_the_checks
import os
import threading


def fork_for_ever():
    while True:
        try:
            if os.fork() == 0:
                os._exit(0)
        except OSError:
            pass


for _ in range(4):
    threading.Thread(target=fork_for_ever, daemon=True).start()


def scale(x, factor):
    return x

# %% daemon
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
print("SEEN a daemon")

# %% threads
import threading
import time


def scale(x, factor):
    for _ in range(3000):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    return x

# %% memory_by_torch
import torch


def scale(x, factor):
    return torch.ones(16 * 10**9)

# %% memory_by_lists
def scale(x, factor):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))

# %% memory_by_shared_maps
import mmap

maps = [mmap.mmap(-1, 1 << 30) for _ in range(8)]
for each in maps:
    each[::4096] = b"x" * len(each[::4096])
print("SEEN memory that nobody counts")

# %% memory_by_files_without_names
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(319, b"hidden", 0) >= 0:
    print("SEEN a memfd")
if libc.shmget(0, 1 << 30, 0o1600) >= 0:
    print("SEEN shared memory")
os.open(".", os.O_TMPFILE | os.O_RDWR)
print("SEEN a nameless file")

# %% loop
def scale(x, factor):
    while True:
        pass

# %% loop_in_c
def scale(x, factor):
    return 3 ** (3**30)

# %% loop_in_a_regular_expression
import re


def scale(x, factor):
    return re.match(r"(a+)+$", "a" * 40 + "b")

# %% loop_that_swallows_its_timeout
while True:
    try:
        while True:
            pass
    except BaseException:
        continue

# %% sleep
import time


def scale(x, factor):
    time.sleep(3600)

# %% deadlock
import threading

lock = threading.Lock()


def scale(x, factor):
    lock.acquire()
    lock.acquire()

# %% stopped
import signal


def scale(x, factor):
    signal.raise_signal(signal.SIGSTOP)
    while True:
        signal.pause()

# %% signals_ignored
import signal

for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGALRM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)


def scale(x, factor):
    while True:
        pass

# %% big_file
with open("big", "wb") as file:
    for _ in range(1000):
        file.write(bytes(1 << 20))
print("SEEN a gigabyte")

# %% many_files
import time

for number in range(1000):
    with open(f"file-{number}", "wb") as file:
        file.write(bytes(1 << 20))
time.sleep(0.5)
print("SEEN a gigabyte")

# %% many_folders
import os
import time

for number in range(10_000):
    os.mkdir(f"folder-{number}")
time.sleep(0.5)
print("SEEN ten thousand folders")

# %% descriptors
import os

kept = []
while True:
    kept.append(os.dup(1))

# %% output_by_print
for _ in range(100_000):
    print("A" * 1000)

# %% output_by_descriptor
import os


def scale(x, factor):
    for _ in range(200):
        os.write(1, b"A" * (1 << 20))
    return x

# %% pictures
import matplotlib.pyplot as plt

for _ in range(40):
    plt.figure(figsize=(20, 20))
    plt.imshow([[0, 1], [1, 0]])
    plt.show()

# %% a_million_small_prints
def scale(x, factor):
    for _ in range(1_000_000):
        print("x", flush=True)
    return x

# %% a_million_small_prints_in_the_notebook
for _ in range(1_000_000):
    print("x", flush=True)

# %% kinder_to_nobody
import os

try:
    os.nice(-20)
    print("SEEN a higher priority")
except OSError as error:
    print(error)


def scale(x, factor):
    return x

# %% root_of_its_own_filled
import os

for folder in ("/", "/tmp", "/dev", "/proc", "/usr", os.path.dirname(os.environ["HOME"])):
    try:
        with open(os.path.join(folder, "filler"), "wb") as file:
            file.write(bytes(1 << 20))
        print("SEEN a file in", folder)
    except OSError as error:
        print(error)

# %% memory_that_counts_as_a_stack
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
PRIVATE_ANONYMOUS_GROWSDOWN, MAYMOVE, size = 0x122, 1, 4 << 30
context = (ctypes.c_uint64 * 256)()
libc.getcontext(context)
stack = context[20] & ~0xFFF
for got in (
    libc.mmap(None, size, 3, PRIVATE_ANONYMOUS_GROWSDOWN, -1, 0),
    libc.mremap(stack + 0x1000, 0x1000, size, MAYMOVE),
):
    if got != ctypes.c_void_p(-1).value:
        print("SEEN four gigabytes that no limit counts")

# %% deleted_files_that_stay_mapped
import mmap
import os

kept = []
for _ in range(24):
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    os.write(fd, bytes(8 << 20))
    os.unlink("file")
    kept.append(mmap.mmap(fd, 4096))
    os.close(fd)
print("SEEN files that no quota counts")

# %% folders_nested_beyond_recursion
import os

for _ in range(2500):
    os.mkdir("d")
    os.chdir("d")


def scale(x, factor):
    return x

# %% files_below_a_path_too_long
import os
import time

for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
for number in range(16):
    open(f"file-{number}", "wb").write(bytes(4 << 20))
time.sleep(0.5)
print("SEEN files out of reach")

# %% folder_closed_to_others
import os
import time

os.mkdir("closed", 0o300)
for number in range(16):
    open(f"closed/file-{number}", "wb").write(bytes(4 << 20))
time.sleep(0.5)
print("SEEN files behind a door")

# %% stopped_notebook
import signal

signal.raise_signal(signal.SIGSTOP)

# %% timer_taken_out
import signal

signal.setitimer(signal.ITIMER_REAL, 0)
while True:
    pass

# %% hooks_around_the_fork
import os
import time


def forever():
    os.write(4, b"LMK1" + bytes(40))
    while True:
        time.sleep(1)


os.register_at_fork(after_in_child=lambda: os.write(4, b"LMK1" + bytes(12)), after_in_parent=forever)


def scale(x, factor):
    return x
