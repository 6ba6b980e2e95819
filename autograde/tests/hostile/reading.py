"""Submissions that look for what they may not know. Each prints all that it finds."""

# %% hidden_tests_by_path
try:
    print(open("COURSE/hidden_tests/a01_scale/test_scale.py").read())
except OSError as error:
    print(error)

# %% course_by_listing
import os

for folder in ("COURSE", "COURSE/hidden_tests", "COURSE/submitted", "/home", "/root", "/tmp", "..", "../.."):
    try:
        for name in os.listdir(folder):
            print("SEEN", name, open(os.path.join(folder, name), errors="replace").read())
    except OSError as error:
        print(error)

# %% everything_below_the_root
import glob

for name in glob.iglob("COURSE/**/*", recursive=True):
    print("SEEN", name)

# %% classmate
def scale(x, factor):
    space = {}
    exec(open("COURSE/submitted/honest/a01_scale/answer.py").read(), space)
    return space["scale"](x, factor)

# %% reference_import
import sys

sys.path[:0] = ["COURSE", "COURSE/hidden_tests/a01_scale"]
import test_scale

scale = test_scale.oracle.reference

# %% gradebook_by_sqlite
import sqlite3

print(sqlite3.connect("file:COURSE/gradebook.db?mode=ro", uri=True).execute("select * from secrets").fetchall())

# %% environment
import os

print(dict(os.environ))
for pid in ("self", os.getppid(), 1):
    try:
        print(open(f"/proc/{pid}/environ", "rb").read())
    except OSError as error:
        print(error)

# %% memory_of_the_grader
import os

for pid in [os.getppid(), *range(1, 400)]:
    for part in ("mem", "maps", "cmdline", "environ", "fd/0", "root/COURSE/gradebook.db"):
        try:
            print("SEEN", pid, part, open(f"/proc/{pid}/{part}", "rb").read(100))
        except OSError:
            pass

# %% inherited_descriptors
import os

for fd in range(3, 400):
    try:
        os.lseek(fd, 0, 0)
        print("SEEN", fd, os.read(fd, 1000))
    except OSError:
        pass

# %% frames_and_garbage
import gc
import sys


def scale(x, factor):
    frame = sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if "SECRET" + "-" in repr(value)[:5000]:
                print("SEEN", repr(value)[:5000])
        frame = frame.f_back
    for thing in gc.get_objects():
        if callable(thing) and getattr(thing, "__name__", "") in ("reference", "test_products", "compare"):
            return thing(x, factor)
    return x

# %% modules_of_the_grader
import sys


def scale(x, factor):
    for name in list(sys.modules):
        if name.split(".")[0] in ("hidden_tests", "reference_impl", "hypothesis", "pytest", "_pytest", "test_scale"):
            print("SEEN", name)
            for part in vars(sys.modules[name]).values():
                if callable(part):
                    return part(x, factor)
    return x

# %% tracing_the_harness
import sys

seen = []


def trace(frame, event, argument):
    seen.append(repr(frame.f_locals)[:2000])
    return trace


def scale(x, factor):
    sys.settrace(trace)
    frame = sys._getframe().f_back
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
    print(seen)
    return x

# %% ptrace
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for pid in (os.getppid(), os.getpid() - 1, 1):
    if libc.ptrace(0x4206, pid, 0, 0) == 0:
        print("SEEN attached", pid)

# %% io_uring
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
ring = libc.syscall(425, 8, ctypes.create_string_buffer(120))
if ring >= 0:
    print("SEEN a ring")

# %% open_by_handle_and_namespaces
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x00020000, 0x10020000):
    if libc.unshare(flags) == 0:
        print("SEEN a namespace")
for call in (libc.chroot, libc.umount):
    if call(b"/") == 0:
        print("SEEN", call)

# %% history
import os

folder = os.getcwd()
while folder != "/":
    if os.path.isdir(folder + "/.git"):
        print("SEEN", os.listdir(folder + "/.git"))
    folder = os.path.dirname(folder)
try:
    print(open("COURSE/.git/config").read())
except OSError as error:
    print(error)

# %% left_by_the_last_submission
import os
import pathlib

for place in (os.environ["HOME"], "/dev/shm", "/tmp", "/var/tmp"):
    mark = pathlib.Path(place, "seen-by-a-submission")
    try:
        if mark.exists():
            print("SEEN", mark.read_text())
        mark.write_text("SECRET of a submission")
    except OSError as error:
        print(error)

# %% keyring
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(250, 0, -4, 1) >= 0:
    print("SEEN a keyring")

# %% hidden_inputs_by_printing
def scale(x, factor):
    print("SEEN", x.tolist(), factor.tolist())
    return x

# %% heap_swept
import ctypes


def scale(x, factor):
    start = id(object()) & ~0xFFFFF
    with open("/proc/self/maps") as maps:
        print("SEEN the map of memory", maps.read(100))
    for page in range(-64, 64):
        found = ctypes.string_at(start + page * 0x1000, 0x1000)
        if b"SECRET" + b"-" in found:
            print("SEEN", found)
    return x

# %% heap_swept_without_a_map
import ctypes


def scale(x, factor):
    start = id(object()) & ~0xFFFF
    for page in range(16):
        found = ctypes.string_at(start + page * 0x1000, 0x1000)
        place = found.find(b"SECRET" + b"-")
        if place >= 0:
            print("SEEN", found[place : place + 50])
    return x

# %% core_dump
import os
import resource

os.chdir(os.environ["HOME"])
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("SEEN room for a core")
except (OSError, ValueError) as error:
    print(error)


def scale(x, factor):
    os.abort()

# %% out_by_the_back_door
import os

for way in ("/proc/self/root", "/proc/1/root", "/proc/self/cwd/../..", "/dev/fd", "/proc/thread-self/root"):
    for name in ("COURSE/course_config.py", "COURSE/gradebook.db"):
        try:
            print("SEEN", way, open(way + name, "rb").read(100))
        except OSError as error:
            print(error)
try:
    print("SEEN", os.open("/", os.O_RDONLY | os.O_DIRECTORY), os.listdir("COURSE"))
except OSError as error:
    print(error)

# %% source_of_the_harness
import inspect
import sys


def scale(x, factor):
    for name, module in list(sys.modules.items()):
        if name.startswith("autograde"):
            try:
                text = inspect.getsource(module)
            except (OSError, TypeError):
                continue
            if "SECRET" + "-" in text:
                print("SEEN", name)
    return x

# %% audit_hooks_and_profiles
import sys
import threading

seen = []


def hear(event, *args):
    text = repr(args)[:2000]
    if "SECRET" + "-" in text:
        seen.append(text)


sys.addaudithook(hear)
threading.setprofile(lambda frame, event, argument: hear(event, frame.f_locals))


def scale(x, factor):
    print(*["SEEN" for _ in seen], *seen)
    return x


# %% collector_asked
import gc


def look(phase, info):
    for thing in gc.get_objects():
        if type(thing).__name__ in ("Conversation", "Oracle", "Verdict"):
            print("SEEN", thing)


gc.callbacks.append(look)


def scale(x, factor):
    gc.collect()
    return x
