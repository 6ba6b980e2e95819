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
