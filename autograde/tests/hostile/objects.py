"""Answers that are no tensors, or not the ones that they seem."""

# %% equal_to_everything
class Yes:
    shape = property(lambda self: self)
    dtype = device = shape

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __sub__ = __rsub__ = __abs__ = __getattr__ = lambda self, *args: self
    __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True

    def __bool__(self):
        return True

    def __float__(self):
        return 0.0

    def __iter__(self):
        return iter(())


def scale(x, factor):
    return Yes()

# %% reduce
import os


class Bomb:
    def __reduce__(self):
        return os.system, ("touch COURSE/reports/canary",)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()


def scale(x, factor):
    return Bomb()

# %% tensor_subclass
import torch


class Right(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True if "eq" in function.__name__ or "close" in function.__name__ else args[0]


def scale(x, factor):
    return x.as_subclass(Right)

# %% attribute_without_end
class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def scale(x, factor):
    return Deep()

# %% array_protocol
import numpy


class Lazy:
    def __array__(self, *args, **kwargs):
        print("SEEN converted")
        return numpy.zeros(3)

    def __dlpack__(self, *args, **kwargs):
        print("SEEN converted")
        return None


def scale(x, factor):
    return Lazy()

# %% iterator_without_end
import itertools


def scale(x, factor):
    return itertools.count()

# %% list_without_end
class Endless(list):
    def __iter__(self):
        while True:
            yield 0

    def __len__(self):
        return 3


def scale(x, factor):
    return Endless()

# %% nested_a_million_deep
def scale(x, factor):
    nest = []
    for _ in range(1_000_000):
        nest = [nest]
    return nest

# %% itself
def scale(x, factor):
    loop = []
    loop.append(loop)
    return loop

# %% a_gigabyte_of_text
def scale(x, factor):
    return "A" * 10**9

# %% huge_number
def scale(x, factor):
    return 1 << 10_000_000

# %% expanded_view
import torch


def scale(x, factor):
    return torch.zeros(1).expand(1 << 40)

# %% sparse_meta_complex_quantized
import torch

calls = 0


def scale(x, factor):
    global calls
    calls += 1
    right = x * factor
    return [
        right.to_sparse(),
        right.to("meta"),
        right.to(torch.complex64),
        torch.quantize_per_tensor(right, 0.1, 0, torch.qint8),
        torch.nested.as_nested_tensor([right]) if right.dim() > 1 else right.to_sparse(),
    ][calls % 5]

# %% nan
import torch


def scale(x, factor):
    return torch.full_like(x, float("nan"))

# %% empty
import torch


def scale(x, factor):
    return torch.empty(0)

# %% one_that_broadcasts
def scale(x, factor):
    return (x * factor).reshape(-1)[:1]

# %% wider_dtype
def scale(x, factor):
    return (x * factor).double()

# %% key_that_is_a_trap
class Key(str):
    def __hash__(self):
        raise SystemExit("hash")


def scale(x, factor):
    return {Key("a"): x}

# %% exception_that_lies
class NotImplementedError_(BaseException):
    __name__ = "Mismatch"

    def __str__(self):
        raise SystemExit("str")

    def __repr__(self):
        return "A" * 10**7


def scale(x, factor):
    raise NotImplementedError_

# %% exception_in_circles
def scale(x, factor):
    first, second = ValueError("a\x1b[2J\u202e"), ValueError("<img src=x onerror=alert(1)>")
    first.__cause__, second.__cause__ = second, first
    raise ExceptionGroup("group", [first] * 10_000)

# %% class_with_a_hostile_name
import torch

Named = type("<script>alert(1)</script>\u202e\x1b[31m", (), {})


def scale(x, factor):
    return Named()

# %% coroutine
async def scale(x, factor):
    return x * factor

# %% number_for_a_function
scale = 5

# %% tensor_that_lies_about_its_shape
import torch


class Lying(torch.Tensor):
    shape = property(lambda self: torch.Size([1 << 40, 1 << 40, 0]))
    requires_grad = property(lambda self: 5)

    def numel(self):
        return 1


def scale(x, factor):
    return x.as_subclass(Lying) if isinstance(x, torch.Tensor) else x

# %% shape_without_end
import itertools

import torch


class Lying(torch.Tensor):
    shape = property(lambda self: itertools.count())


def scale(x, factor):
    return x.as_subclass(Lying) if isinstance(x, torch.Tensor) else x

# %% strides_beyond_the_storage
import torch


def scale(x, factor):
    return torch.as_strided(x, (3, 1 << 20), (0, 0)) if isinstance(x, torch.Tensor) else x

# %% class_that_hides_its_name
class Hidden(type):
    @property
    def __name__(cls):
        raise SystemExit

    __mro__ = property(lambda cls: [cls] * 10**6)


class Fault(Exception, metaclass=Hidden):
    pass


def scale(x, factor):
    raise Fault

# %% class_that_hides_its_name_in_the_notebook
class Hidden(type):
    __name__ = property(lambda cls: "A" * 10**7)


class Fault(SyntaxError, metaclass=Hidden):
    lineno = property(lambda self: 10**6000)


raise Fault

# %% places_that_do_not_exist
import linecache

name = "<cell somebody else's\u202e>"
linecache.cache[name] = (1, None, ["\x1b[2J</pre><script>alert(1)</script>\n"] * 100, name)
exec(compile("def scale(x, factor):\n    raise ValueError('\u202e')", name, "exec"))

# %% half_a_character
print("\ud800")
display({"text/plain": "\udfff", "text/\ud800": "x"}, raw=True)
display({"application/x-python-pickle": "gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjARleGl0lIWUUpQu"}, raw=True)


def scale(x, factor):
    raise type("\ud800", (Exception,), {})("\udcff")

# %% keys_that_collide
def scale(x, factor):
    return {number * ((1 << 61) - 1) for number in range(3000)}

# %% outputs_of_no_kind
import sys

sys.stdout.outputs.items += [
    {"output_type": "execute_result", "data": [[]], "metadata": None, "execution_count": 10**30},
    {"output_type": "\u202e", "text": float("nan")},
    {"output_type": "stream", "name": ["stdout"], "text": {"a": "<script>"}},
    {"output_type": "error", "ename": 5, "evalue": None, "traceback": "x"},
]

# %% float_that_equals_everything
class Any(float):
    __eq__ = lambda self, other: True
    __hash__ = float.__hash__


def scale(x, factor):
    return Any(1.0)
