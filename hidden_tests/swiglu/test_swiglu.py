"""Hidden checks for the exercise `swiglu`: the module SwiGLU, down(silu(gate(x)) * up(x)), with a right `silu`."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect_parameters, tensors
from reference_impl.model.mlp import gelu, silu, swiglu

oracle = Oracle(swiglu)
supplies = Supplies(silu=silu)
WIDTHS = ((3, 5), (4, 6), (5, 2), (2, 7))


@st.composite
def mlp_inputs(draw, *, scales=(1.0, 30.0)):
    """x: (..., d_model), and the weights of gate, up and down; scale 30 opens or closes every gate"""
    d_model, d_ff = draw(st.sampled_from(WIDTHS))
    shape = draw(st.sampled_from([(2,), (), (2, 3), (1, 2, 2)]))
    x = draw(tensors((*shape, d_model), scale=draw(st.sampled_from(scales))))
    return x, *(draw(tensors(size)) for size in ((d_ff, d_model), (d_ff, d_model), (d_model, d_ff)))


def module(student, gate, up, down):
    """The student's module with these weights."""
    weights = {"gate.weight": gate, "up.weight": up, "down.weight": down}
    return student.module("SwiGLU", up.shape[1], up.shape[0], weights=weights)


@check(points=1, examples=4)
@given(st.sampled_from(WIDTHS))
def test_parameters(student, widths):
    """SwiGLU learns gate.weight and up.weight (d_ff, d_model) and down.weight (d_model, d_ff), and nothing else"""
    d_model, d_ff = widths
    shapes = {"gate.weight": (d_ff, d_model), "up.weight": (d_ff, d_model), "down.weight": (d_model, d_ff)}
    expect_parameters(student.SwiGLU(d_model, d_ff), shapes)


@check(points=2)
@given(mlp_inputs())
def test_forward(student, inputs):
    """SwiGLU returns down(silu(gate(x)) * up(x)), for any leading axes and gates far open or far closed"""
    x, *weights = inputs
    layer = module(student, *weights)
    hint = "x may have any number of axes before the last: name axes from the end, as in dim=-1."
    rows = x.reshape(-1, x.shape[-1])
    with student.hint(hint, plain=lambda: layer(rows), case=f"x of shape {tuple(x.shape)}"):
        got = layer(x)
    oracle.compare(got, *inputs)


@check(points=1, after=test_forward, examples=5)
@given(mlp_inputs(scales=(1.0,)))
def test_half_precision(student, inputs):
    """as a bfloat16 module it takes and returns bfloat16"""
    x, *weights = (tensor.bfloat16() for tensor in inputs)
    layer = module(student, *(weight.float() for weight in weights))
    layer.bfloat16()
    hint = "Stay in one dtype: the layers work in that of their weights, silu gives back what it got; cast nothing."
    with student.hint(hint, after=test_forward, case="bfloat16"):
        oracle.compare(layer(x), x, *weights)


@check(points=1, after=test_forward, examples=5)
@given(mlp_inputs(scales=(1.0,)))
def test_gradient(student, inputs):
    """the gradients of x and of all three layers are right"""
    x, *weights = inputs
    names = ("gate.weight", "up.weight", "down.weight")
    oracle.compare_gradients(module(student, *weights), x, parameters=dict(zip(names, weights, strict=True)))


@oracle.misconception
def gate_and_up_swapped(x, gate, up, down):
    """You apply silu to up. It acts on the gate: silu(gate(x)) * up(x)."""
    return swiglu(x, up, gate, down)


@oracle.misconception
def sigmoid_gate(x, gate, up, down):
    """You gate by the sigmoid. That is the older GLU; SwiGLU gates by silu."""
    return (torch.sigmoid(x @ gate.mT) * (x @ up.mT)) @ down.mT


@oracle.misconception
def gelu_gate(x, gate, up, down):
    """You gate by GELU, which is called GEGLU. SwiGLU gates by silu."""
    return (gelu(x @ gate.mT) * (x @ up.mT)) @ down.mT


@oracle.misconception
def relu_gate(x, gate, up, down):
    """You gate by ReLU, which is called ReGLU. SwiGLU gates by silu."""
    return (torch.relu(x @ gate.mT) * (x @ up.mT)) @ down.mT


@oracle.misconception
def gate_without_silu(x, gate, up, down):
    """You multiply gate and up as they are. Send the gate through silu first."""
    return ((x @ gate.mT) * (x @ up.mT)) @ down.mT


@oracle.misconception
def no_gating(x, gate, up, down):
    """You use only silu(gate(x)). Multiply it by up(x): that is the gating."""
    return silu(x @ gate.mT) @ down.mT


@oracle.misconception
def swiglu_detaches_gate(x, gate, up, down):
    """Your gate is cut off from autograd (.detach(), .data, .item() or no_grad), so it is never learned."""
    return (silu(x @ gate.mT).detach() * (x @ up.mT)) @ down.mT


@oracle.misconception
def gate_left_out(x, gate, up, down):
    """You do not use the gate: down(silu(up(x))) is an ordinary MLP. Multiply silu(gate(x)) by up(x)."""
    return silu(x @ up.mT) @ down.mT


@oracle.misconception
def sum_for_product(x, gate, up, down):
    """You add silu(gate(x)) and up(x). Multiply them."""
    return (silu(x @ gate.mT) + x @ up.mT) @ down.mT


@oracle.misconception
def silu_on_both(x, gate, up, down):
    """You apply silu to gate and to up. It acts on the gate alone."""
    return (silu(x @ gate.mT) * silu(x @ up.mT)) @ down.mT


@oracle.misconception
def silu_on_product(x, gate, up, down):
    """You apply silu to the product. It acts on the gate alone, before the multiplication."""
    return silu((x @ gate.mT) * (x @ up.mT)) @ down.mT


@oracle.misconception
def silu_at_the_end(x, gate, up, down):
    """You apply silu to the result as well. Nothing follows down."""
    return silu(swiglu(x, gate, up, down))


@oracle.misconception
def swiglu_adds_x(x, gate, up, down):
    """You add x to the result. The residual connection belongs to the block around the MLP."""
    return x + swiglu(x, gate, up, down)


@oracle.misconception
def gate_sums_to_one(x, gate, up, down):
    """You gate by a softmax, in which channels compete. silu opens each channel by itself."""
    return (torch.softmax(x @ gate.mT, dim=-1) * (x @ up.mT)) @ down.mT
