"""Hidden checks for the exercise `layer_norm`:  y = (x − mean) / sqrt(variance + eps) · weight + bias."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, builtin_operators, check, contract, tensors, through_float32, widened
from reference_impl.model.norms import layer_norm

oracle = Oracle(layer_norm, through_float32(layer_norm))


@st.composite
def norm_inputs(draw, *, dtype=torch.float32, spreads=((1.0, 0.0), (1e-3, 0.0), (0.0, 0.0))):
    """(x, weight, bias, eps) with x: (..., d_model); each spread is a scale and a shift of x."""
    width = draw(st.sampled_from((3, 1, 5, 8, 13)))
    scale, shift = draw(st.sampled_from(spreads))
    x = draw(tensors((*draw(st.lists(st.integers(1, 4), max_size=2)), width), dtype=dtype, scale=scale)) + shift
    weight, bias = draw(tensors((width,), dtype=dtype)), draw(tensors((width,), dtype=dtype))
    return x, weight, bias, draw(st.sampled_from([1e-5, 1e-6, 1e-3]))


@check(points=1, examples=30)
@given(norm_inputs())
def test_formula(student, inputs):
    """layer_norm follows the formula for any batch shape, width and scale of x"""
    oracle.compare(student.layer_norm(*inputs), *inputs)


@check(points=1, after=test_formula, examples=20)
@given(norm_inputs(spreads=((1.0, 1e2), (1.0, 1e3))))
def test_shift(student, inputs):
    """adding a large constant to x does not spoil the variance"""
    oracle.compare(student.layer_norm(*inputs), *inputs)


@check(points=1, after=test_formula, examples=20)
@given(st.sampled_from([torch.float16, torch.float64]).flatmap(lambda d: norm_inputs(dtype=d, spreads=((1e3, 0.0),))))
def test_half_precision(student, inputs):
    """large float16 inputs do not overflow, and the result has the dtype of x, also for float64"""
    oracle.compare(student.layer_norm(*inputs), *inputs)


@check(points=0, examples=2)
@given(norm_inputs())
def test_own_steps(student, inputs):
    """the steps of the norm are your own, not those of a ready-made norm (noted only, no points)"""
    rule = "Write the mean, the variance and the root yourself, to compare them with those of RMSNorm."
    contract.written_by_hand(student.layer_norm, *inputs, without=builtin_operators.LAYER_NORM, rule=rule)


def centred(x):
    return widened(x) - widened(x).mean(dim=-1, keepdim=True)


def variance(x, correction=0):
    return widened(x).var(dim=-1, keepdim=True, correction=correction)


@oracle.misconception
def layer_norm_unbiased(x, weight, bias, eps):
    """Your variance divides by n − 1, torch's default. LayerNorm divides by n: correction=0."""
    return (centred(x) * torch.rsqrt(variance(x, 1) + eps) * weight + bias).to(x.dtype)


@oracle.misconception
def layer_norm_eps_outside(x, weight, bias, eps):
    """You add eps to the standard deviation. The formula adds it to the variance, inside the root."""
    return (centred(x) / (variance(x).sqrt() + eps) * weight + bias).to(x.dtype)


@oracle.misconception
def layer_norm_no_bias(x, weight, bias, eps):
    """You leave bias out. LayerNorm adds it at the end."""
    return layer_norm(x, weight, torch.zeros_like(bias), eps)


@oracle.misconception
def layer_norm_not_centred(x, weight, bias, eps):
    """You do not subtract the mean from x. That is what sets LayerNorm apart from RMSNorm."""
    return (widened(x) * torch.rsqrt(widened(x).square().mean(dim=-1, keepdim=True) + eps) * weight + bias).to(x.dtype)


@oracle.misconception
def layer_norm_cancels(x, weight, bias, eps):
    """You compute the variance as mean(x²) − mean(x)². After a large shift nothing is left of it: subtract first."""
    mean = widened(x).mean(dim=-1, keepdim=True)
    spread = widened(x).square().mean(dim=-1, keepdim=True) - mean.square()
    return ((widened(x) - mean) / torch.sqrt(spread + eps) * weight + bias).to(x.dtype)


@oracle.misconception
def layer_norm_in_half(x, weight, bias, eps):
    """You square in float16, where anything above 255 overflows. Compute in float32 and cast back at the end."""
    middle = x - x.mean(dim=-1, keepdim=True)
    return middle * torch.rsqrt(middle.square().mean(dim=-1, keepdim=True) + eps) * weight + bias
