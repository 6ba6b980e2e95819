"""Hidden checks for the exercise `swiglu_backward`, the gradients of silu(gate) · up by hand."""

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
    widened,
)
from reference_impl.model.mlp import silu, swiglu_backward


def reference_grad_gate(grad_hidden, gate, up):
    return swiglu_backward(grad_hidden, gate, up)[0]


def reference_grad_up(grad_hidden, gate, up):
    return swiglu_backward(grad_hidden, gate, up)[1]


oracle_gate, oracle_up = Oracle(reference_grad_gate), Oracle(reference_grad_up)
supplies = Supplies(silu=silu)


@st.composite
def backward_inputs(draw, *, dtype=torch.float32, scales=(1.0, 4.0)):
    """(grad_hidden, gate, up) of one shape"""
    shape, scale = draw(st.sampled_from([(3,), (), (2, 3), (2, 2, 2)])), draw(st.sampled_from(scales))
    gate = draw(tensors(shape, dtype=dtype, scale=scale))
    return draw(tensors(shape, dtype=dtype)), gate, draw(tensors(shape, dtype=dtype))


def gradients(student, inputs):
    """What the submission returns, once it is known to be a pair."""
    pair = student.swiglu_backward(*inputs)
    fits = isinstance(pair, (tuple, list)) and len(pair) == 2
    expect(fits, "the result is not a pair of tensors", "Return the tuple (grad_gate, grad_up), in this order.")
    return pair


@check(points=2)
@given(backward_inputs())
def test_grad_gate(student, inputs):
    """grad_gate is grad_hidden times up times the slope of silu at the gate"""
    oracle_gate.compare(gradients(student, inputs)[0], *inputs)


@check(points=1, examples=15)
@given(backward_inputs())
def test_grad_up(student, inputs):
    """grad_up is grad_hidden times silu of the gate"""
    oracle_up.compare(gradients(student, inputs)[1], *inputs)


@check(points=0, examples=2)
@given(backward_inputs())
def test_own_steps(student, inputs):
    """both gradients come from formulas, not from autograd (noted only, no points)"""
    rule = "Derive both gradients on paper and write them with plain tensor operations."
    without = [*builtin_operators.AUTOGRAD, *builtin_operators.SILU_BACKWARD]
    contract.written_by_hand(student.swiglu_backward, *inputs, without=without, rule=rule)


EXTREMES = st.one_of(backward_inputs(scales=(1e4, 200.0)), backward_inputs(dtype=torch.float16, scales=(30.0, 1e3)))


@check(points=1, after=test_grad_gate, examples=15)
@given(EXTREMES)
def test_extremes(student, inputs):
    """gates far open or closed give no nan, in half precision either, and each gradient has the dtype of its input"""
    grad_gate, grad_up = gradients(student, inputs)
    oracle_gate.compare(grad_gate, *inputs, what="grad_gate")
    expect_like(grad_up, inputs[2], "grad_up")


def with_slope(grad_hidden, gate, up, slope):
    """grad_gate with another derivative of silu, given z and sigmoid(z)"""
    z = widened(gate)
    return (widened(grad_hidden) * up * slope(z, torch.sigmoid(z))).to(gate.dtype)


@oracle_gate.misconception
def slope_is_sigmoid(grad_hidden, gate, up):
    """Your slope of silu is sigmoid alone. The product rule adds a second term, z · sigmoid(z) · (1 - sigmoid(z))."""
    return with_slope(grad_hidden, gate, up, lambda z, s: s)


@oracle_gate.misconception
def slope_of_sigmoid(grad_hidden, gate, up):
    """You use the slope of sigmoid, s · (1 - s). silu is z · sigmoid(z): use the product rule."""
    return with_slope(grad_hidden, gate, up, lambda z, s: s * (1 - s))


@oracle_gate.misconception
def slope_second_term_only(grad_hidden, gate, up):
    """Your slope of silu lacks a term: the derivative of z in z · sigmoid(z) leaves sigmoid(z) itself."""
    return with_slope(grad_hidden, gate, up, lambda z, s: z * s * (1 - s))


@oracle_gate.misconception
def slope_wrong_sign(grad_hidden, gate, up):
    """You subtract the second term of the slope. sigmoid grows, so z · s · (1 - s) is added."""
    return with_slope(grad_hidden, gate, up, lambda z, s: s - z * s * (1 - s))


@oracle_gate.misconception
def slope_without_z(grad_hidden, gate, up):
    """The second term of your slope lacks the factor z: the slope is s + z · s · (1 - s)."""
    return with_slope(grad_hidden, gate, up, lambda z, s: s + s * (1 - s))


@oracle_gate.misconception
def silu_for_its_slope(grad_hidden, gate, up):
    """You multiply by silu(gate) where its derivative belongs."""
    return with_slope(grad_hidden, gate, up, lambda z, s: z * s)


@oracle_gate.misconception
def slope_in_up(grad_hidden, gate, up):
    """You take the slope at up. silu acts on the gate: its slope is taken there, and up is a factor."""
    return swiglu_backward(grad_hidden, up, gate)[0]


@oracle_gate.misconception
def up_left_out(grad_hidden, gate, up):
    """grad_gate lacks the factor up: in a product, each factor's gradient is multiplied by the other."""
    return with_slope(grad_hidden, gate, torch.ones_like(up), lambda z, s: s + z * s * (1 - s))


@oracle_gate.misconception
def upstream_left_out(grad_hidden, gate, up):
    """You leave out grad_hidden. By the chain rule, every gradient is multiplied by the one that comes back."""
    return swiglu_backward(torch.ones_like(grad_hidden), gate, up)[0]


@oracle_gate.misconception
def pair_swapped(grad_hidden, gate, up):
    """You return the pair in the wrong order. grad_gate comes first."""
    return swiglu_backward(grad_hidden, gate, up)[1]


@oracle_gate.misconception
def slope_overflows(grad_hidden, gate, up):
    """Your exponential is infinite for gates far from 0, and infinity over infinity is nan. Use torch.sigmoid."""
    return with_slope(grad_hidden, gate, up, lambda z, s: (-z).exp() * (1 + z + z.exp()) / (1 + (-z).exp()) ** 2)


@oracle_gate.misconception
def gradient_stays_float32(grad_hidden, gate, up):
    """You return float32. Cast each gradient back to the dtype of its input."""
    return reference_grad_gate(widened(grad_hidden), widened(gate), widened(up))


@oracle_up.misconception
def second_is_grad_gate(grad_hidden, gate, up):
    """You return the pair in the wrong order. grad_up comes second."""
    return swiglu_backward(grad_hidden, gate, up)[0]


@oracle_up.misconception
def grad_up_without_upstream(grad_hidden, gate, up):
    """grad_up leaves out grad_hidden. By the chain rule, every gradient is multiplied by the one that comes back."""
    return swiglu_backward(torch.ones_like(grad_hidden), gate, up)[1]


@oracle_up.misconception
def grad_up_without_silu(grad_hidden, gate, up):
    """grad_up uses the gate as it is. up is multiplied by silu(gate), so its gradient is too."""
    return (widened(grad_hidden) * gate).to(up.dtype)


@oracle_up.misconception
def grad_up_is_sigmoid(grad_hidden, gate, up):
    """grad_up uses the sigmoid of the gate. up is multiplied by silu(gate)."""
    return (widened(grad_hidden) * torch.sigmoid(widened(gate))).to(up.dtype)


@oracle_up.misconception
def grad_up_times_up(grad_hidden, gate, up):
    """grad_up still has the factor up. The product is linear in up, so its gradient does not depend on it."""
    return (widened(grad_hidden) * silu(widened(gate)) * up).to(up.dtype)
