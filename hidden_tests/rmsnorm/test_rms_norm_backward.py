"""Hidden checks for the exercise `rms_norm_backward`, the gradient of rms_norm by hand."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import (
    Oracle,
    Supplies,
    builtin_operators,
    check,
    contract,
    expect,
    expect_like,
    tensors,
    through_float32,
    widened,
)
from reference_impl.model.norms import rms_norm, rms_norm_backward


def reference_grad_x(grad_output, x, weight, eps):
    return rms_norm_backward(grad_output, x, weight, eps)[0]


def reference_grad_weight(grad_output, x, weight, eps):
    return rms_norm_backward(grad_output, x, weight, eps)[1]


oracle_x = Oracle(reference_grad_x, through_float32(reference_grad_x))
oracle_weight = Oracle(reference_grad_weight, through_float32(reference_grad_weight))
supplies = Supplies(rms_norm=rms_norm)


@st.composite
def backward_inputs(draw, *, dtype=torch.float32, scales=(1.0, 1e-3, 0.0)):
    """(grad_output, x, weight, eps). No width 1: there both terms cancel and only rounding is left to compare."""
    width = draw(st.sampled_from((3, 5, 8, 13)))
    shape = (*draw(st.lists(st.integers(1, 4), max_size=2)), width)
    x = draw(tensors(shape, dtype=dtype, scale=draw(st.sampled_from(scales))))
    grad_output, weight = draw(tensors(shape, dtype=dtype)), draw(tensors((width,), dtype=dtype))
    return grad_output, x, weight, draw(st.sampled_from([1e-5, 1e-6, 1e-3]))


def gradients(student, inputs):
    """What the submission returns, once it is known to be a pair."""
    pair = student.rms_norm_backward(*inputs)
    fits = isinstance(pair, (tuple, list)) and len(pair) == 2
    expect(fits, "the result is not a pair of tensors", "Return the tuple (grad_x, grad_weight), in this order.")
    return pair


@check(points=2, examples=30)
@given(backward_inputs())
def test_grad_x(student, inputs):
    """grad_x counts both ways in which x reaches the result, directly and through the root"""
    oracle_x.compare(gradients(student, inputs)[0], *inputs)


@check(points=1, examples=30)
@given(backward_inputs())
def test_grad_weight(student, inputs):
    """grad_weight sums over every leading axis and has the shape of weight"""
    oracle_weight.compare(gradients(student, inputs)[1], *inputs)


@check(points=1, after=test_grad_x, examples=20)
@given(st.sampled_from([torch.float16, torch.float64]).flatmap(lambda d: backward_inputs(dtype=d, scales=(1e3,))))
def test_half_precision(student, inputs):
    """large float16 inputs do not overflow; grad_x has the dtype of x and grad_weight that of weight, also float64"""
    grad_x, grad_weight = gradients(student, inputs)
    oracle_x.compare(grad_x, *inputs, what="grad_x")
    expect_like(grad_weight, inputs[2], "grad_weight")


@check(points=1, examples=2)
@given(backward_inputs())
def test_by_hand(student, inputs):
    """both gradients come from formulas, not from autograd or a ready-made norm"""
    for found, like in zip(gradients(student, inputs), inputs[1:], strict=False):
        expect_like(found, like, "a gradient")
    without = [*builtin_operators.AUTOGRAD, *builtin_operators.RMS_NORM, *builtin_operators.LAYER_NORM]
    rule = "Derive both gradients on paper and write them with plain tensor operations."
    contract.written_by_hand(student.rms_norm_backward, *inputs, without=without, rule=rule)


def inverse(x, eps):
    return torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def both_terms(grad_output, x, weight, eps, power=3, sign=-1):
    scaled, r = widened(grad_output) * weight, inverse(widened(x), eps)
    return (r * scaled + sign * r**power * widened(x) * (scaled * widened(x)).mean(dim=-1, keepdim=True)).to(x.dtype)


@oracle_x.misconception
def backward_forgets_root(grad_output, x, weight, eps):
    """You treat the root as a constant. It depends on x too: differentiate through it as well."""
    return (widened(grad_output) * weight * inverse(widened(x), eps)).to(x.dtype)


@oracle_x.misconception
def backward_root_sum(grad_output, x, weight, eps):
    """In the term through the root you sum where a mean belongs: the mean square brings a factor 1/n."""
    scaled, r = widened(grad_output) * weight, inverse(widened(x), eps)
    return (r * scaled - r**3 * widened(x) * (scaled * widened(x)).sum(dim=-1, keepdim=True)).to(x.dtype)


@oracle_x.misconception
def backward_root_sign(grad_output, x, weight, eps):
    """You add the term through the root. A longer x makes the result smaller, so subtract it."""
    return both_terms(grad_output, x, weight, eps, sign=1)


@oracle_x.misconception
def backward_forgets_weight(grad_output, x, weight, eps):
    """grad_x lacks weight. Multiply grad_output by weight first; both terms need it."""
    return both_terms(grad_output, x, torch.ones_like(weight), eps)


@oracle_x.misconception
def backward_in_half(grad_output, x, weight, eps):
    """You square x in float16, where anything above 255 overflows. Compute in float32 and cast back at the end."""
    scaled, r = grad_output * weight, inverse(x, eps)
    return r * scaled - r**3 * x * (scaled * x).mean(dim=-1, keepdim=True)


@oracle_weight.misconception
def backward_weight_unsummed(grad_output, x, weight, eps):
    """grad_weight still has the leading axes. Every vector uses the same weight, so sum over them."""
    return (widened(grad_output) * widened(x) * inverse(widened(x), eps)).to(weight.dtype)


@oracle_weight.misconception
def backward_weight_averaged(grad_output, x, weight, eps):
    """You average grad_weight over the leading axes. Gradients from several uses add up: sum them."""
    per_vector = widened(grad_output) * widened(x) * inverse(widened(x), eps)
    return per_vector.reshape(-1, x.shape[-1]).mean(dim=0).to(weight.dtype)


@oracle_weight.misconception
def backward_weight_raw_x(grad_output, x, weight, eps):
    """You multiply grad_output by x itself. weight multiplies the normalised x, so grad_weight needs x / root."""
    return (widened(grad_output) * widened(x)).reshape(-1, x.shape[-1]).sum(dim=0).to(weight.dtype)
