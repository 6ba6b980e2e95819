"""What a module must own."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autograde.client.mismatch import Mismatch
from autograde.client.parameters import describe_missing_parameter, expect_shape, list_names
from autograde.client.remote_object import RemoteObject

FROZEN = "Training changes only parameters with requires_grad=True, which is the default of nn.Parameter."
EXTRA = "The module owns only the parameters that the exercise names."
BIAS = "The exercise names no bias: nn.Linear(..., bias=False)."
FAR = 30.0
"""how many times larger or smaller than usual the first numbers of a parameter may be"""
RANDOM = (
    "Weights that start alike stay alike, and weights of 0 pass nothing on. Start them at random, as nn.Linear does by "
    "itself: uniform numbers between -1/sqrt(n_in) and 1/sqrt(n_in)."
)
START = "Training starts from what __init__ puts there: the exercise says which values."


def expect_parameters(layer: RemoteObject, expected: Mapping[str, torch.Tensor | tuple[int, ...]]) -> None:
    """The trainable parameters of `layer` are exactly these: name -> shape, or the tensor at which it starts.

    Raises Mismatch for the first that is missing, frozen or superfluous, that has another shape, or that starts at
    other values. A parameter of which only the shape is given must start at random numbers of a usual size: those of
    nn.Linear have the standard deviation 1/sqrt(3 n_in), and numbers many times larger or smaller are refused.

    Example:
        # In the notebook
        class Projection(torch.nn.Module):
            def __init__(self, n_in, n_out):
                super().__init__()
                self.linear = torch.nn.Linear(n_in, n_out)
                self.gain = torch.nn.Parameter(torch.ones(n_out))

            def forward(self, x):
                return self.linear(x) * self.gain

        # In the hidden test
        @check(points=1)
        def test_parameters(student):
            '''the layer owns a matrix without bias, and a gain that starts at 1'''
            expect_parameters(student.Projection(4, 2), {"linear.weight": (2, 4), "gain": torch.ones(2)})

        # A student reads
        # the parameter `linear.bias` should not be there
        # hint: The exercise names no bias: nn.Linear(..., bias=False).
    """
    layer._show_parameters()
    actual = layer._parameters()
    if missing := sorted(set(expected) - set(actual)):
        raise describe_missing_parameter(layer, actual, missing)
    if extra := sorted(set(actual) - set(expected)):
        hint = BIAS if all(name.endswith("bias") for name in extra) else EXTRA
        raise Mismatch(f"the parameter {list_names(extra)} should not be there", hint, is_fact=True)
    for name, wanted in expected.items():
        mine = actual[name].tensor
        if not actual[name].requires_grad:
            raise Mismatch(f"`{name}` is frozen: it does not require gradients", FROZEN, is_fact=True)
        expect_shape(name, mine, tuple(wanted if isinstance(wanted, tuple) else wanted.shape))
        if isinstance(wanted, torch.Tensor) and not torch.equal(mine, wanted.to(mine.dtype)):
            raise Mismatch(f"`{name}` does not start at the values that the exercise names", START, is_fact=True)
        if not isinstance(wanted, torch.Tensor) and (problem := _describe_bad_start(mine.double())):
            raise Mismatch(f"`{name}` {problem}", RANDOM, is_fact=True)


def _describe_bad_start(values: torch.Tensor) -> str:
    """What is wrong with values that should be random and of a usual size; empty if nothing is."""
    if not bool(values.isfinite().all()):
        return "starts at numbers that are not finite"
    if not values.numel() or (values.numel() == 1 and bool(values.any())):
        return ""
    if bool((values == values.reshape(-1)[0]).all()):
        return f"starts at {float(values.reshape(-1)[0]):g} everywhere"
    size = float(values.square().mean().sqrt()) * (3 * values.shape[-1]) ** 0.5
    if 1 / FAR < size < FAR:
        return ""
    return f"starts at numbers that are far too {'small' if size < 1 else 'large'}"
