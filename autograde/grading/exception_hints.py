"""Hints for the exceptions that are common in tensor code."""

from __future__ import annotations

import re

FLAGS = re.IGNORECASE | re.DOTALL
BY_MESSAGE: list[tuple[str, str]] = [
    (
        r"size mismatch for .*copying a param",
        "A parameter of the module has another shape than the exercise asks for. Compare the sizes given to the layers "
        "in `__init__` with those of the task; nn.Linear(n_in, n_out) keeps its weight as (n_out, n_in).",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied|expected size for first two dimensions|inconsistent tensor size"
        r"|size mismatch|batch1|matmul: input operand",
        "A matrix product needs the last axis of the left side as long as the last but one of the right side. Print "
        "both shapes before the product; often one of them has to be transposed (`.mT`).",
    ),
    (
        r"must match the size of tensor|shape mismatch|broadcast",
        "Two shapes do not fit together. Print both; axes are matched from the last one, and an axis of length 1 "
        "(`keepdim=True`, `unsqueeze`) stretches to the other's length.",
    ),
    (
        r"shape '.*' is invalid for input of size",
        "A reshape must keep the number of values. Multiply the new shape out and compare; lengths should come from "
        "`x.shape`, not from one example.",
    ),
    (
        r"view size is not compatible",
        "`.view` needs values that lie side by side in memory, which they do not after a transpose. Use `.reshape`.",
    ),
    (
        r"not implemented for '\w+'|could not infer output dtype",
        "torch does not do this in the dtype at hand: a mean or a softmax needs floating numbers, and some operations "
        "do not exist in half precision. Cast first, as with `.float()`.",
    ),
    (
        r"same dtype|expected (scalar )?type|expected m1 and m2|can't be cast to the desired",
        "Two dtypes meet that torch does not mix. What you make yourself takes its dtype from an input: "
        "`dtype=x.dtype`, or `.to(x.dtype)`.",
    ),
    (
        r"not compiled with CUDA|no NVIDIA driver|No CUDA GPUs|Invalid device",
        "Your work may be graded where there is no GPU. Leave `.cuda()` out, and make new tensors where the input is: "
        "`device=x.device`.",
    ),
    (
        r"same device|expected .* device|on device",
        "A tensor that you make lies on another device than the input. Make it with `device=x.device`.",
    ),
    (
        r"dimension out of range|dimension specified as",
        "You name an axis that this input does not have: it may have fewer leading axes than your example. Name axes "
        "from the end: -1, -2.",
    ),
    (
        r"too many indices|index .* is out of (bounds|range)|index out of range",
        "An index is larger than its axis. Lengths differ from input to input: take them from `x.shape`, and count "
        "from 0.",
    ),
    (
        r"(not enough|too many) values to unpack",
        "The left side of an assignment has another number of names than the right side has values. For a shape, "
        "`*batch, length, width = x.shape` takes any number of leading axes.",
    ),
    (
        r"does not require grad",
        "No way leads from the result back to an input: `.item()`, `.detach()`, `.data`, `torch.tensor(...)` or "
        "`no_grad` cut it. Keep to torch's own operations.",
    ),
    (
        r"leaf variable that requires grad|modified by an inplace|in-place operation",
        "You write into a tensor that autograd still needs. Make a new one: `x = x + y`, not `x += y` or `x[...] = y`.",
    ),
    (
        r"numpy\(\) on tensor that requires grad",
        "numpy knows no gradients. Stay with torch's operations.",
    ),
    (
        r"boolean value of tensor with more than one value",
        "`if`, `and`, `or`, `max` and `min` ask for one yes or no, and got a whole tensor. Use `torch.where`, `&`, "
        "`torch.maximum`, or `.any()` and `.all()`.",
    ),
    (
        r"'NoneType' object",
        "Something is None where a value is needed: most often a function without a `return`, or an optional argument "
        "that was not given.",
    ),
]
BY_TYPE = {
    "ModuleNotFoundError": "Only the modules that the notebook imports are there. They are enough for it.",
    "UnboundLocalError": "A variable is read before the function has given it a value. Follow each branch to it.",
    "NameError": "A name is used that nothing has defined. Does it exist after *Restart kernel and run all cells*?",
    "RecursionError": "A function calls itself without end: look for the case in which it must stop.",
    "MemoryError": "Far more memory was asked for than the exercise needs: look at the shapes of what you build.",
    "OutOfMemoryError": "Far more memory was asked for than the exercise needs: look at the shapes of what you build.",
    "FileNotFoundError": "The checks run without your files. Read nothing from disk in an answer.",
    "PermissionError": "The checks run without your files and without a network. Use neither in an answer.",
    "EOFError": "`input()` finds nobody who answers while your work is graded. Take values from the arguments.",
    "KeyError": "A dict is asked for a key that it does not hold.",
}
NOT_FOUND = (
    "The checks look for this name in your whole notebook. Keep it as the notebook gives it, and define it at the left "
    "edge of a cell."
)
SIGNATURE = r"(takes|missing) .* positional argument|unexpected keyword argument|multiple values for argument"
CALLED_BY_CHECKS = (
    "The checks call your function as the notebook declares it. Keep the names, the order and the defaults of its "
    "parameters."
)
CALLED_BY_STUDENT = "This line passes other arguments than the function takes. Compare the call with its definition."
ATTRIBUTE = r"\A(?!'NoneType').*?has no attribute '(\w+)'"
NO_ATTRIBUTE = (
    "The object has nothing of that name. Look for a typing mistake, or for an attribute that `__init__` sets under "
    "another name."
)
OTHER_TYPE = "Something of another type was passed on here than is expected. Print what this line is given."
OWN_ASSERT = "An `assert` of your own code stopped it: what you assume there does not hold for every input."


def find_hint_for_cell(error: str) -> str:
    """A hint for the error that stopped a cell, as it is reported: `NameError in line 2: ...`."""
    return find_hint([re.split(r"\W", error, maxsplit=1)[0]], error, error)


def find_hint(types: list[str], message: str, line: str = "") -> str:
    """A hint for an exception with these class names (its own first) and this message; empty if there is none.

    `line` is the notebook's line that raised it; empty if the call itself did not fit.
    """
    if "TypeError" in types and _search(SIGNATURE, message):
        return CALLED_BY_STUDENT if line else CALLED_BY_CHECKS
    if name := _search(ATTRIBUTE, message):
        return NO_ATTRIBUTE if name[1] in line else OTHER_TYPE
    for pattern, words in BY_MESSAGE:
        if _search(pattern, message):
            return words
    if types[0] == "AssertionError" and line.lstrip().startswith("assert"):
        return OWN_ASSERT
    return next((BY_TYPE[name] for name in types if name in BY_TYPE), "")


def _search(pattern: str, message: str) -> re.Match[str] | None:
    return re.search(pattern, message[:2000], FLAGS)
