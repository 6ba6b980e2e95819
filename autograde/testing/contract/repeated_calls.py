"""Facets that only several calls show: their results agree."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from autograde.client.calls import Target, call_noncontiguous
from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.client.remote_object import RemoteObject
from autograde.testing.contract.closeness import differs_by_rounding, have_equal_parts, is_batch_of, is_close
from autograde.wire import Generator

RANDOM = "Something random is still active in eval mode. Dropout must ask `self.training`, or be an nn.Dropout."
REMEMBERS = "Something of the first call is remembered and changes the second. A call depends on its inputs only."
GLOBAL = "You draw random numbers from torch's global generator. Pass `generator=` on to every random function."


def noncontiguous_input(target: Target, *args: Any, **kwargs: Any) -> None:
    """The result does not depend on how the input's axes are laid out in memory.

    The same numbers are passed with the memory of every tensor transposed. Results may differ by rounding, in float32
    even where they were cast to a finer dtype or to whole numbers afterwards.

    Example:
        # In the notebook
        def join_heads(x):
            return x.view(x.shape[0], -1)

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3, 4)))
        def test_layout(student, x):
            '''heads are joined whatever the layout of x in memory'''
            contract.noncontiguous_input(student.join_heads, x)

        # A student reads
        # a non-contiguous input raised RuntimeError
        # hint: Your code depends on how its input lies in memory. `.view` does; `.reshape` does not.
    """
    hint = "Your code depends on how its input lies in memory. `.view` does; `.reshape` does not."
    contiguous = target(*args, **kwargs)  # what fails here is no matter of the layout
    try:
        strided = call_noncontiguous(target, args, kwargs)
    except StudentError as error:
        reason = f"a non-contiguous input raised {error.types[0]}"
        raise Mismatch(reason, hint, traceback=error.traceback, is_fact=True) from None
    if not have_equal_parts(strided, [contiguous], lambda leaf, others: differs_by_rounding(leaf, others[0])):
        raise Mismatch("for a non-contiguous input the result differs", hint, is_fact=True)


def leading_dimensions(target: Target, *args: Any, core: int = 1, **kwargs: Any) -> None:
    """A batch gives the same result as its members one by one, stacked.

    The first axis of every positional tensor with more than `core` axes is the batch, of one size in all of them;
    ValueError if there is no such tensor. Other arguments are passed unchanged to each call. A result that is no tensor
    must be the same for each member. Floating results may differ by rounding, as in `noncontiguous_input`.

    Example:
        # In the notebook
        def centre(x):
            return x - x.mean()

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3)))
        def test_batch(student, x):
            '''each row is centred on its own'''
            contract.leading_dimensions(student.centre, x, core=1)

        # A student reads
        # a batch gives another result than its members one by one
        # hint: Your code mixes or miscounts leading axes. Name axes from the end: dim=-1, dim=-2.
    """
    hint = "Your code mixes or miscounts leading axes. Name axes from the end: dim=-1, dim=-2."
    batched = [isinstance(arg, Tensor) and arg.dim() > core for arg in args]
    sizes = [arg.shape[0] for arg, is_batch in zip(args, batched, strict=True) if is_batch]
    if not sizes:
        raise ValueError(f"leading_dimensions needs a tensor of more than {core} axes among its positional arguments")
    whole = target(*args, **kwargs)
    members = []
    for index in range(sizes[0]):
        one = [arg[index] if is_batch else arg for arg, is_batch in zip(args, batched, strict=True)]
        members.append(target(*one, **kwargs))
    if members and not have_equal_parts(whole, members, is_batch_of):
        raise Mismatch("a batch gives another result than its members one by one", hint, is_fact=True)


def deterministic_in_eval(layer: RemoteObject, *args: Any, **kwargs: Any) -> None:
    """In eval mode two calls give the same result up to rounding. Leaves the module in eval mode.

    Not bit for bit: kernels of a GPU may add in another order at each call.

    Example:
        # In the notebook
        class Noisy(torch.nn.Module):
            def forward(self, x):
                return torch.nn.functional.dropout(x, 0.5)

        # In the hidden test
        @check(points=1)
        @given(tensors((64,)))
        def test_eval(student, x):
            '''nothing is random in eval mode'''
            contract.deterministic_in_eval(student.Noisy(), x)

        # A student reads
        # in eval mode two calls on the same input differ
        # hint: Something random is still active in eval mode. Dropout must ask `self.training`, or be an nn.Dropout.
    """
    layer.eval()
    if _agree(*(layer(*args, **kwargs) for _ in range(2))):
        return
    random = _agree(*(_call_seeded(layer, 1, args, kwargs) for _ in range(2)))
    raise Mismatch("in eval mode two calls on the same input differ", RANDOM if random else REMEMBERS, is_fact=True)


def rng_only_from(target: Target, *args: Any, seed: int = 1, generator: str = "generator", **kwargs: Any) -> None:
    """All randomness comes from the `torch.Generator` that the call receives as the keyword argument `generator`.

    The function is called twice with a generator that starts at `seed`, while the global generators of torch, NumPy and
    `random` start at different seeds; the results must be equal up to rounding. `generator=` renames the keyword.

    Example:
        # In the notebook
        def sample(probabilities, generator):
            return torch.multinomial(probabilities, 1)

        # In the hidden test
        @check(points=1)
        def test_generator(student):
            '''tokens are drawn from the generator that is passed'''
            contract.rng_only_from(student.sample, torch.full((4, 100), 0.01))

        # A student reads
        # with the same generator two calls differ
        # hint: You draw random numbers from torch's global generator. Pass `generator=` on to every random function.
    """
    given = kwargs | {generator: Generator(seed)}
    first, second = (_call_seeded(target, global_seed, args, given) for global_seed in (1, 2))
    if _agree(first, second):
        return
    is_global = _agree(first, _call_seeded(target, 1, args, given))
    raise Mismatch("with the same generator two calls differ", GLOBAL if is_global else REMEMBERS, is_fact=True)


def _call_seeded(target: Target, seed: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call with the global generators at `seed`."""
    target._rpc.reproduction.call("torch.manual_seed", (seed,), {})
    target._rpc.request({"op": "reseed", "seed": seed})
    return target(*args, **kwargs)


def _agree(one: Any, other: Any) -> bool:
    return have_equal_parts(one, [other], lambda leaf, others: is_close(leaf, others[0]))
