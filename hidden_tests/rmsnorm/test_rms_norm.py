"""Hidden checks for the exercise `rms_norm`:  y = x / sqrt(mean(x²) + eps) · weight."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, builtin_operators, check, contract, tensors, through_float32, widened
from reference_impl.model.norms import rms_norm

oracle = Oracle(rms_norm, through_float32(rms_norm))
# Width 2 is left out: there n−1 and "sum for mean" are the same mistake, and no hint could tell them apart.
WIDTHS = (3, 1, 5, 8, 13, 16)


@st.composite
def norm_inputs(draw, *, dtype=torch.float32, scales=(1.0, 1e-3, 1e2, 0.0), widths=WIDTHS):
    """(x, weight, eps) with x: (..., d_model) and weight: (d_model,); eps matters at scale 1e-3."""
    batch_shape = draw(st.lists(st.integers(1, 4), max_size=2))
    width = draw(st.sampled_from(widths))
    x = draw(tensors((*batch_shape, width), dtype=dtype, scale=draw(st.sampled_from(scales))))
    weight = draw(tensors((width,), dtype=dtype))
    return x, weight, draw(st.sampled_from([1e-5, 1e-6, 1e-3]))


@st.composite
def half_inputs(draw):
    dtype = draw(st.sampled_from([torch.float16, torch.bfloat16, torch.float64]))
    return draw(norm_inputs(dtype=dtype, scales=(1e3, 1.0)))


@check(points=3, examples=30)
@given(norm_inputs())
def test_formula(student, inputs):
    """rms_norm follows the formula for any batch shape, width and scale of x"""
    oracle.compare(student.rms_norm(*inputs), *inputs)


@check(points=1, after=test_formula, examples=25)
@given(half_inputs())
def test_half_precision(student, inputs):
    """large inputs of any dtype do not overflow, and the result has the dtype of x whatever that of weight"""
    x, weight, eps = inputs
    oracle.compare(student.rms_norm(x, weight, eps), x, weight, eps)
    oracle.compare(student.rms_norm(x, weight.float(), eps), x, weight.float(), eps)


@check(points=1, after=test_formula, examples=25)
@given(norm_inputs(scales=(1.0, 1e-3), widths=(3, 5, 8, 13)))
def test_gradient(student, inputs):
    """autograd's gradient flows through the root mean square as well as through x"""
    oracle.compare_gradients(student.rms_norm, *inputs)


@check(points=1, examples=20)
@given(norm_inputs(scales=(1.0,), widths=(3, 5, 8)))
def test_inputs(student, inputs):
    """x may be non-contiguous, and x and weight stay as they were"""
    facets = contract.input_unchanged, contract.noncontiguous_input
    contract.all_of(student.rms_norm, *inputs, like=inputs[0], facets=facets)


@check(points=0, examples=2)
@given(norm_inputs())
def test_own_steps(student, inputs):
    """the steps of the norm are your own, not those of a ready-made norm (noted only, no points)"""
    rule = "Write the mean square and the root yourself: you will differentiate them by hand in exercise 4."
    contract.written_by_hand(student.rms_norm, *inputs, without=builtin_operators.RMS_NORM, rule=rule)


def mean_square(x):
    return x.square().mean(dim=-1, keepdim=True)


@oracle.misconception
def eps_outside(x, weight, eps):
    """You add eps to the root. The formula adds it to the mean square, inside the root."""
    return (widened(x) / (mean_square(widened(x)).sqrt() + eps) * weight).to(x.dtype)


@oracle.misconception
def no_eps(x, weight, eps):
    """You leave eps out. It belongs to the mean square, inside the root; without it a vector of zeros gives NaN."""
    return (widened(x) / mean_square(widened(x)).sqrt() * weight).to(x.dtype)


@oracle.misconception
def eps_ignored(x, weight, eps):
    """You use a fixed eps of 1e-6. Use the argument eps: callers pass other values."""
    return rms_norm(x, weight, 1e-6)


@oracle.misconception
def sum_for_mean(x, weight, eps):
    """You divide by the root of the sum of squares. RMS means the root of their mean."""
    return (widened(x) * torch.rsqrt(widened(x).square().sum(dim=-1, keepdim=True) + eps) * weight).to(x.dtype)


@oracle.misconception
def mean_subtracted(x, weight, eps):
    """You subtract the mean first. That is LayerNorm; RMSNorm never centres x."""
    return rms_norm(widened(x) - widened(x).mean(dim=-1, keepdim=True), weight, eps).to(x.dtype)


@oracle.misconception
def variance_for_mean_square(x, weight, eps):
    """You divide by the standard deviation. RMSNorm divides by the root of the mean of x², without centring."""
    return (widened(x) * torch.rsqrt(widened(x).var(dim=-1, keepdim=True, correction=0) + eps) * weight).to(x.dtype)


@oracle.misconception
def first_axis(x, weight, eps):
    """You average over the first axis (dim=0). Each vector lies along the last one: dim=-1."""
    return (widened(x) * torch.rsqrt(widened(x).square().mean(dim=0, keepdim=True) + eps) * weight).to(x.dtype)


@oracle.misconception
def all_axes(x, weight, eps):
    """You average over the whole tensor. Each vector has a mean square of its own: mean(dim=-1, keepdim=True)."""
    return (widened(x) * torch.rsqrt(widened(x).square().mean() + eps) * weight).to(x.dtype)


@oracle.misconception
def divides_by_n_minus_one(x, weight, eps):
    """You divide the sum of squares by n − 1. A mean divides by n; nothing is estimated here."""
    total = widened(x).square().sum(dim=-1, keepdim=True)
    return (widened(x) * torch.rsqrt(total / (x.shape[-1] - 1) + eps) * weight).to(x.dtype)


@oracle.misconception
def root_missing(x, weight, eps):
    """You divide by the mean square itself. Take its square root (or torch.rsqrt)."""
    return (widened(x) / (mean_square(widened(x)) + eps) * weight).to(x.dtype)


@oracle.misconception
def weight_left_out(x, weight, eps):
    """You do not use weight. After the division, multiply each feature by its weight."""
    return rms_norm(x, torch.ones_like(weight), eps)


@oracle.misconception
def weight_plus_one(x, weight, eps):
    """You multiply by 1 + weight, as Gemma does. Our convention multiplies by weight, which starts at one."""
    return rms_norm(x, 1 + weight, eps)


@oracle.misconception
def squares_in_half(x, weight, eps):
    """You square x in its own dtype; in float16 anything above 255 overflows. Compute in float32."""
    return (x * torch.rsqrt(mean_square(x) + eps) * weight).to(x.dtype)


@oracle.misconception
def stays_float32(x, weight, eps):
    """You compute in float32 and return float32. Cast the result back to the dtype of x."""
    return rms_norm(x.float(), weight, eps)


@oracle.misconception
def takes_dtype_of_weight(x, weight, eps):
    """You multiply by weight after casting back, so a float32 weight makes the result float32. Cast back last."""
    return rms_norm(x, torch.ones_like(weight), eps) * weight


@oracle.misconception
def detached_rms(x, weight, eps):
    """Your root mean square is cut off from autograd (.detach(), .data, .item() or no_grad)."""
    return (widened(x) * torch.rsqrt(mean_square(widened(x)).detach() + eps) * weight).to(x.dtype)
