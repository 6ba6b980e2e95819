"""What a hidden test holds in place of the submission."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from autograde.asking.conversation import Conversation
from autograde.asking.errors import StudentError
from autograde.asking.mismatch import Mismatch
from autograde.asking.remote import Cost, Function, RemoteObject, Target, cost, gradients
from autograde.wire import Channel


class Student:
    """A submission inside one check. `student.f(x)` calls its global `f`."""

    def __init__(
        self,
        channel: Channel,
        *,
        device: str = "cpu",
        wall_s: float = 60.0,
        cpu_s: float = 20.0,
        afresh: Callable[[], Student] | None = None,
        used: bool = False,
    ) -> None:
        """`wall_s` ends the check from this side; `cpu_s` is what the worker was given, to say why it ended.

        `afresh` gives the same submission in a fresh fork; `used` says that another check has used this one.
        """
        self._conversation = Conversation(channel, RemoteObject, device, wall_s, cpu_s)
        self._afresh = afresh
        self._used = used

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(f"{name}: a check asks for public names only")
        return Function(self._conversation, {"name": name}, name)

    @property
    def device(self) -> str:
        """Where the submission computes: cpu or cuda. Inputs are drawn on the CPU and moved there."""
        return self._conversation.device

    def value(self, name: str) -> Any:
        """A global of the notebook that is data."""
        self._conversation.transcript.note(name)
        return self._conversation.request({"op": "get", "name": name})

    def seed(self, seed: int) -> None:
        """Start the worker's random generators at `seed`; forgets the objects that this example made so far."""
        self._conversation.begin(seed)

    def supply(self, **functions: Callable[..., Any]) -> None:
        """Until the next example, let each global of that name be the grader's function, which returns one tensor.

        Gradients flow through it. It serves where an exercise builds on an earlier one that may be wrong.
        """
        callbacks = {name: self._conversation.lent.name(function) for name, function in functions.items()}
        self._conversation.request({"op": "supply", "callbacks": callbacks})

    @contextlib.contextmanager
    def raises(self, *expected: type[BaseException], hint: str = "") -> Iterator[None]:
        """The block must make the submission raise one of `expected` (or a subclass of it)."""
        names = {cls.__name__ for cls in expected}
        wanted = " or ".join(sorted(names))
        try:
            yield
        except StudentError as error:
            if error.missing:
                raise
            if not names & set(error.types):
                raise Mismatch(f"expected a {wanted}, but your code raised {error.types[0]}", hint) from None
        else:
            raise Mismatch(f"expected a {wanted}, but your code raised nothing", hint)

    def gradients(self, target: Target, *args: Any, cotangent: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """(value, gradients): position of a floating tensor argument, or name of a parameter, -> gradient or None."""
        return gradients(target, args, kwargs, None if cotangent is None else [cotangent])

    def cost(self, target: Target, *args: Any, **kwargs: Any) -> Cost:
        """Call it under the worker's counters: floating-point operations, bytes, operators by name."""
        return cost(target, args, kwargs)
