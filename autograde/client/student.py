"""The submission, as a hidden test sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from autograde.client.calls import Cost, Target, measure_cost, request_gradients
from autograde.client.error_blocks import ErrorBlocks
from autograde.client.function import Function
from autograde.client.mismatch import Mismatch
from autograde.client.parameters import load_weights
from autograde.client.remote_object import RemoteObject
from autograde.client.rpc import Rpc
from autograde.wire import Channel


class Student(ErrorBlocks):
    """The submission under test, as the argument `student` of a check. `student.f(x)` calls the notebook's `f`.

    Any public name of the notebook is an attribute. The notebook has run already, in a process of its own. Before
    each drawn example its random generators start at the course's seed, and what the previous example made or
    supplied is forgotten. Global variables that the student's functions change are not restored between examples.

    If the code raises, the check gets a StudentError. If it takes too long or ends its process, the check ends too.

    Example:
        # In the notebook
        def normalise(x):
            return (x - x.mean()) / x.std()

        # In the hidden test
        @check(points=1)
        @given(tensors((5,)))
        def test_shift(student, x):
            '''adding a constant to x changes nothing'''
            oracle = Oracle(lambda x: (x - x.mean()) / x.std())
            oracle.compare(student.normalise(x + 1), x + 1)
    """

    def __init__(
        self,
        channel: Channel,
        *,
        device: str = "cpu",
        wall_s: float = 60.0,
        cpu_s: float = 20.0,
        fresh_fork: Callable[[], Student] | None = None,
        used: bool = False,
    ) -> None:
        """`wall_s` ends the check from this side; `cpu_s` is what the worker was given, to say why it ended.

        `fresh_fork` gives the same submission in a fresh fork; `used` says that another check has used this one.
        """
        super().__init__()
        self._rpc = Rpc(channel, RemoteObject, device, wall_s, cpu_s)
        self._fresh_fork = fresh_fork
        self._used = used

    def _prepare(self, earlier: Mapping[str, bool], replace: Callable[[Any], Any] | None) -> None:
        """Before a check: what became of the earlier ones, and what it gets instead of each answer, if anything."""
        self._earlier, self._rpc.replace = earlier, replace

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(f"{name}: a check asks for public names only")
        return Function(self._rpc, {"name": name}, name)

    @property
    def device(self) -> str:
        """Where the submission computes: "cpu" or "cuda".

        Tensors of a check are on the CPU. Arguments are moved to this device, and results back.

        Example:
            # In the notebook
            def gram(x):
                return x @ x.mT

            # In the hidden test
            @check(points=1)
            @given(tensors((4, 3)))
            def test_symmetric(student, x):
                '''the product is symmetric'''
                product = student.gram(x)
                limit = 0 if student.device == "cpu" else 1e-6
                expect((product - product.mT).abs().max() <= limit, "the product is not symmetric")
        """
        return self._rpc.device

    def value(self, name: str) -> Any:
        """The value of a global variable of the notebook; StudentError if the notebook does not define it.

        Data (tensors, arrays, numbers, texts, lists, tuples, sets and dicts of them) is copied. Anything else is a
        proxy.

        Example:
            # In the notebook
            vocabulary = {"<pad>": 0, "cat": 1, "tea": 2}

            # In the hidden test
            @check(points=1)
            def test_padding(student):
                '''the padding token is number 0'''
                found = student.value("vocabulary")
                expect(found.get("<pad>") == 0, "`<pad>` is not 0 in your vocabulary")
        """
        self._rpc.reproduction.read(name)
        return self._rpc.request_answer({"op": "get", "name": name})

    def seed(self, seed: int) -> None:
        """Start the random generators of torch, NumPy and `random` in the submission's process at `seed`.

        Example:
            # In the notebook
            def initial_weight(n_in, n_out):
                return torch.randn(n_out, n_in) / n_in**0.5

            # In the hidden test
            @check(points=1)
            def test_initial_weight(student):
                '''the weights start at random'''
                first = student.initial_weight(8, 4)
                student.seed(1)
                expect(not torch.equal(first, student.initial_weight(8, 4)), "two seeds give the same weights")
        """
        self._rpc.reproduction.call("torch.manual_seed", (seed,), {})
        self._rpc.request_value({"op": "reseed", "seed": seed})

    def supply(self, **functions: Callable[..., Any]) -> None:
        """Until the next drawn example, replace globals of the notebook by functions of the check.

        Each function returns one tensor; gradients flow through it to its tensor arguments. So an exercise that
        builds on an earlier one is graded fairly although that one may be wrong. For all checks of a file, write
        `Supplies` once. TypeError for a class: its objects would stay in the grader.

        Example:
            # In the notebook
            def norm(x):
                raise NotImplementedError

            def block(x):
                return x + norm(x)

            # In the hidden test
            def right_norm(x):
                return x / x.square().mean(-1, keepdim=True).sqrt()

            oracle = Oracle(lambda x: x + right_norm(x))

            @check(points=1)
            @given(tensors((2, 4)))
            def test_block(student, x):
                '''the normalised input is added to x'''
                student.supply(norm=right_norm)
                oracle.compare(student.block(x), x)
        """
        for name, function in functions.items():
            if isinstance(function, type) or not callable(function):
                found = "the class" if isinstance(function, type) else f"a {type(function).__name__}, not a function"
                raise TypeError(
                    f"supply({name}=...) got {found}; supply a function that returns one tensor, because "
                    "an object of the check cannot be used in the submission's process"
                )
        self._rpc.reproduction.supply(list(functions))
        callbacks = {name: self._rpc.callbacks.name(function) for name, function in functions.items()}
        self._rpc.request_value({"op": "supply", "callbacks": callbacks})

    def module(
        self, name: str, *args: Any, weights: Mapping[str, torch.Tensor] | None = None, **kwargs: Any
    ) -> RemoteObject:
        """Construct the notebook's module `name`, with these weights, in eval mode.

        Any other parameter becomes 0, because only the check of the parameters should charge a surplus one. Mismatch if
        the module has no parameter of a name, or one of another shape.

        Example:
            # In the notebook
            class Scorer(torch.nn.Module):
                def __init__(self, width):
                    super().__init__()
                    self.proj = torch.nn.Linear(width, 1)

                def forward(self, x):
                    return self.proj(x).squeeze(-1)

            # In the hidden test
            oracle = Oracle(lambda x, weight: (x @ weight.mT).squeeze(-1))

            @check(points=1)
            @given(tensors((2, 4)), tensors((1, 4)))
            def test_forward(student, x, weight):
                '''a score for each row'''
                oracle.compare(student.module("Scorer", 4, weights={"proj.weight": weight})(x), x, weight)
        """
        made = getattr(self, name)(*args, **kwargs)
        if not isinstance(made, RemoteObject):
            raise Mismatch(f"{name}(...) gives no module", f"{name} must be a class that inherits from nn.Module.")
        load_weights(made, weights or {})
        return made.eval()

    def gradients(self, target: Target, *args: Any, cotangent: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Call `target` and differentiate: (value, gradients).

        `gradients` is a dict. Its keys are the positions of floating tensor arguments (0, 1, …), the names of keyword
        ones, and the names of a module's parameters; a value has its tensor's shape, or is None where no gradient
        arrives. `cotangent` has the shape of the result, which is then one tensor; by default every element counts
        once. If its shape does not fit the result, `gradients` is None.

        Example:
            # In the notebook
            class Scale(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.gain = torch.nn.Parameter(torch.ones(3))

                def forward(self, x):
                    return x * self.gain

            # In the hidden test
            @check(points=1)
            @given(tensors((3,)), tensors((3,)))
            def test_gradient_of_gain(student, x, upstream):
                '''the gain is learned: its gradient is x times the gradient from above'''
                _, gradients = student.gradients(student.Scale(), x, cotangent=upstream)
                Oracle(lambda x, upstream: x * upstream).compare(gradients["gain"], x, upstream)
        """
        return request_gradients(target, args, kwargs, None if cotangent is None else [cotangent])

    def cost(self, target: Target, *args: Any, **kwargs: Any) -> Cost:
        """Call `target` and count what it costs: operations and bytes, never time.

        Example:
            # In the notebook
            def last_logits(hidden, unembed):
                return (hidden @ unembed)[-1]

            # In the hidden test
            @check(points=1, examples=3)
            @given(tensors((10, 4)), tensors((4, 50)))
            def test_cost(student, hidden, unembed):
                '''logits are computed for the last position only'''
                flops = student.cost(student.last_logits, hidden, unembed).flops
                expect(flops <= 2 * 4 * 50, f"{flops} floating point operations", "Take the last row first.")

            # A student reads
            # 4000 floating point operations
            # hint: Take the last row first.
        """
        return measure_cost(target, args, kwargs)
