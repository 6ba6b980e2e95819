"""Submissions that start something else, or end badly."""

# %% shell_escape
!cat COURSE/gradebook.db
listing = !ls COURSE
print("SEEN", *listing) if len(listing) else None

# %% bash_cell
%%bash
cat COURSE/gradebook.db

# %% run_magic
%run COURSE/hidden_tests/a01_scale/test_scale.py

# %% load_and_write_magics
%load COURSE/hidden_tests/a01_scale/test_scale.py
%pip install something
%cd COURSE

# %% writefile_magic
%%writefile COURSE/course_config.py
gone

# %% subprocess
import subprocess
import sys

print("SEEN", subprocess.check_output([sys.executable, "-c", "print(1)"]))

# %% exec
import os

os.execv("/bin/cat", ["cat", "COURSE/gradebook.db"])

# %% spawn_without_fork
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
arguments = (ctypes.c_char_p * 2)(b"true", None)
if libc.posix_spawn(ctypes.byref(ctypes.c_int()), b"/bin/true", None, None, arguments, None) == 0:
    print("SEEN a program")
if libc.system(b"true") == 0:
    print("SEEN a shell")

# %% worker_processes
import multiprocessing

multiprocessing.Process(target=print).start()
print("SEEN a process")

# %% machine_code_in_a_file
import ctypes

open("evil.so", "wb").write(b"\x7fELF" + bytes(100))
ctypes.CDLL("./evil.so")

# %% segmentation_fault
import ctypes


def scale(x, factor):
    ctypes.string_at(0)

# %% segmentation_fault_in_the_notebook
import ctypes

ctypes.string_at(0)

# %% fault_handler_that_returns
import ctypes
import signal

signal.signal(signal.SIGSEGV, lambda *args: None)


def scale(x, factor):
    ctypes.string_at(0)

# %% stack_overflow
import sys


def scale(x, factor):
    sys.setrecursionlimit(10**8)
    nest = ()
    for _ in range(10**6):
        nest = (nest,)
    return hash(nest)

# %% recursion
def scale(x, factor):
    return scale(x, factor)

# %% abort
import os


def scale(x, factor):
    os.chdir(os.environ["HOME"])
    os.abort()

# %% exit
import os


def scale(x, factor):
    os._exit(0)

# %% system_exit
def scale(x, factor):
    raise SystemExit(0)

# %% keyboard_interrupt
def scale(x, factor):
    raise KeyboardInterrupt

# %% exit_by_a_thread
import os
import threading
import time


def scale(x, factor):
    threading.Timer(0.05, lambda: os._exit(0)).start()
    time.sleep(0.3)
    return x

# %% stop_iteration
def scale(x, factor):
    raise StopIteration

# %% generator_exit
class Base(BaseException):
    pass


def scale(x, factor):
    raise Base("x") from GeneratorExit()

# %% cuda_without_a_card
import torch


def scale(x, factor):
    return torch.zeros(10, device="cuda:7")[torch.tensor([10**9], device="cuda:7")]

# %% fault_in_the_hook
import sys

sys.excepthook = lambda *args: 1 / 0
sys.stdout = sys.stderr = None
print("SEEN")

# %% syntax_error
def scale(x, factor)
    return x * factor

# %% name_missing
def scaled(x, factor):
    return x * factor

# %% warning_raised
import warnings


def scale(x, factor):
    warnings.warn("heard by nobody", stacklevel=1)
    raise UserWarning("an odd exception")

# %% library_that_is_not_there
def scale(x, factor):
    import a_library_nobody_has

    return a_library_nobody_has.scale(x, factor)

# %% library_of_the_graders
def scale(x, factor):
    import autograde.testing.oracle

    return autograde.testing.oracle.Oracle

# %% message_without_end
class Loud(Exception):
    def __str__(self):
        return "A" * 10**8

    __repr__ = __str__


def scale(x, factor):
    raise Loud
