"""Hidden checks for the exercise `silu`:  y = x · sigmoid(x)."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autograde.testing import Oracle, builtin_operators, check, contract, tensors, through_float32, widened
from reference_impl.model.mlp import silu

oracle = Oracle(silu, through_float32(silu))
SHAPES = st.sampled_from([(3,), (), (2, 3), (2, 1, 4)])
DTYPES = (torch.float16, torch.bfloat16, torch.float64)


def numbers(*scales, dtype=torch.float32, shapes=SHAPES):
    return st.sampled_from(scales).flatmap(lambda scale: tensors(shapes, dtype=dtype, scale=scale))


@check(points=1, examples=15)
@given(numbers(1.0, 3.0))
def test_formula(student, x):
    """silu multiplies each entry by its sigmoid, for any shape"""
    oracle.compare(student.silu(x), x)


@check(points=1, after=test_formula, examples=12)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: numbers(2.0, 30.0, dtype=dtype)))
def test_half_precision(student, x):
    """the result has the dtype of x, also float64, and half precision does not overflow"""
    oracle.compare(student.silu(x), x)


@check(points=1, after=test_formula, examples=12)
@given(numbers(1e4, 100.0, 3.0))
def test_extremes(student, x):
    """extreme inputs of both signs give neither nan nor infinity, and their gradient is right too"""
    oracle.compare(student.silu(x), x)
    oracle.compare_gradients(student.silu, x)


@check(points=0, examples=2)
@given(numbers(1.0))
def test_own_steps(student, x):
    """the formula is your own, not the ready-made silu (noted only, no points)"""
    rule = "Multiply x by its sigmoid yourself: its slope is what you derive in exercise 5."
    contract.written_by_hand(student.silu, x, without=builtin_operators.SILU, rule=rule)


@check(points=1, examples=5)
@given(numbers(1.0, shapes=st.sampled_from([(2, 3), (3, 2, 2)])))
def test_inputs(student, x):
    """x stays as it was, may be non-contiguous, and the result lies on its device"""
    contract.all_of(student.silu, x, like=x)


@oracle.misconception
def sigmoid_for_silu(x):
    """You return the sigmoid. SiLU multiplies it by x."""
    return torch.sigmoid(widened(x)).to(x.dtype)


@oracle.misconception
def gelu_for_silu(x):
    """You compute GELU, x times the normal distribution function. SiLU is x · sigmoid(x)."""
    return F.gelu(widened(x)).to(x.dtype)


@oracle.misconception
def tanh_gelu_for_silu(x):
    """You compute GELU in its tanh approximation. SiLU is x · sigmoid(x)."""
    return F.gelu(widened(x), approximate="tanh").to(x.dtype)


@oracle.misconception
def quick_gelu_for_silu(x):
    """You compute x · sigmoid(1.702 x), which approximates GELU. SiLU has no factor inside the sigmoid."""
    return (widened(x) * torch.sigmoid(1.702 * widened(x))).to(x.dtype)


@oracle.misconception
def relu_for_silu(x):
    """You compute ReLU. SiLU is smooth: x · sigmoid(x)."""
    return x.clamp_min(0)


@oracle.misconception
def mish_for_silu(x):
    """You compute Mish, x · tanh(softplus(x)). SiLU is x · sigmoid(x)."""
    return F.mish(widened(x)).to(x.dtype)


@oracle.misconception
def tanh_for_sigmoid(x):
    """You multiply x by tanh(x). SiLU multiplies it by sigmoid(x), which lies between 0 and 1."""
    return (widened(x) * torch.tanh(widened(x))).to(x.dtype)


@oracle.misconception
def sigmoid_of_minus_x(x):
    """The sign inside your exponential is wrong: sigmoid(x) is 1 / (1 + exp(-x)), near 1 for large x."""
    return (widened(x) * torch.sigmoid(-widened(x))).to(x.dtype)


@oracle.misconception
def softmax_for_sigmoid(x):
    """You multiply by a softmax, in which entries compete. Each entry has a sigmoid of its own."""
    return (widened(x) * torch.softmax(widened(x), dim=-1)).to(x.dtype)


@oracle.misconception
def large_x_is_nan(x):
    """For large x your exp(x) is infinite, and infinity over infinity is nan. Use torch.sigmoid."""
    return (widened(x) * widened(x).exp() / (1 + widened(x).exp())).to(x.dtype)


@oracle.misconception
def gradient_is_nan(x):
    """Your value is right, but exp(-x) is infinite for very negative x, and its gradient nan. Use torch.sigmoid."""
    return (widened(x) / (1 + torch.exp(-widened(x)))).to(x.dtype)


@oracle.misconception
def overflows_in_half(x):
    """You compute exp(x) in the dtype of x: infinite in float16 from 11.1 on. Use float32 inside, and torch.sigmoid."""
    return x * x.exp() / (1 + x.exp())


@oracle.misconception
def gate_is_constant(x):
    """You cut the sigmoid off from autograd (.detach(), .data or no_grad). It depends on x as well."""
    return (widened(x) * torch.sigmoid(widened(x)).detach()).to(x.dtype)


@oracle.misconception
def stays_float32(x):
    """You return float32. Cast the result back to the dtype of x."""
    return silu(x.float())
