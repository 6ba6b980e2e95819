"""Hidden checks for the exercise `gelu_mlp`: the module GeluMLP, down(gelu(up(x))) with the exact GELU."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autograde.testing import Oracle, check, expect_parameters, tensors
from reference_impl.model.mlp import gelu, gelu_mlp


def fused(x, up, down):
    """torch's own GELU, whose fast erf is several roundings worse than the formula's"""
    return F.gelu(x @ up.mT) @ down.mT


oracle = Oracle(gelu_mlp, fused)
WIDTHS = ((3, 5), (4, 6), (5, 2), (2, 7))


@st.composite
def mlp_inputs(draw):
    """x: (..., d_model), and the weights of up and down"""
    d_model, d_ff = draw(st.sampled_from(WIDTHS))
    shape = draw(st.sampled_from([(2,), (), (2, 3), (1, 2, 2)]))
    return draw(tensors((*shape, d_model))), draw(tensors((d_ff, d_model))), draw(tensors((d_model, d_ff)))


def module(student, up, down):
    """The student's module with these weights."""
    weights = {"up.weight": up, "down.weight": down}
    return student.module("GeluMLP", up.shape[1], up.shape[0], weights=weights)


@check(points=1, examples=4)
@given(st.sampled_from(WIDTHS))
def test_parameters(student, widths):
    """GeluMLP learns up.weight (d_ff, d_model) and down.weight (d_model, d_ff), and nothing else"""
    d_model, d_ff = widths
    expect_parameters(student.GeluMLP(d_model, d_ff), {"up.weight": (d_ff, d_model), "down.weight": (d_model, d_ff)})


@check(points=2, examples=15)
@given(mlp_inputs())
def test_forward(student, inputs):
    """GeluMLP returns down(gelu(up(x))) with the exact GELU, with right gradients in x and both layers"""
    x, *weights = inputs
    layer = module(student, *weights)
    oracle.compare(layer(x), *inputs)
    oracle.compare_gradients(layer, x, parameters=dict(zip(("up.weight", "down.weight"), weights, strict=True)))


@oracle.misconception
def tanh_approximation(x, up, down):
    """You use the tanh approximation of GELU, as GPT-2 did. Ours is exact: nn.functional.gelu(x), without more."""
    return F.gelu(x @ up.mT, approximate="tanh") @ down.mT


@oracle.misconception
def quick_gelu(x, up, down):
    """You approximate GELU by x · sigmoid(1.702 x). Ours is the exact one: nn.functional.gelu(x)."""
    hidden = x @ up.mT
    return (hidden * torch.sigmoid(1.702 * hidden)) @ down.mT


@oracle.misconception
def relu_for_gelu(x, up, down):
    """You use ReLU. This block uses GELU, which is smooth."""
    return torch.relu(x @ up.mT) @ down.mT


@oracle.misconception
def silu_for_gelu(x, up, down):
    """You use SiLU. This block uses GELU: x times the normal distribution function."""
    return F.silu(x @ up.mT) @ down.mT


@oracle.misconception
def no_activation(x, up, down):
    """You leave out the activation. Two linear layers in a row are one linear layer: put GELU between them."""
    return x @ up.mT @ down.mT


@oracle.misconception
def activation_at_the_end(x, up, down):
    """You apply GELU after down. It belongs between up and down, where the vector is wide."""
    return gelu(x @ up.mT @ down.mT)


@oracle.misconception
def activation_twice(x, up, down):
    """You apply GELU after down as well. The MLP writes to the residual stream, so nothing follows down."""
    return gelu(gelu_mlp(x, up, down))


@oracle.misconception
def activation_first(x, up, down):
    """You apply GELU to x, before up. It belongs between up and down."""
    return gelu(x) @ up.mT @ down.mT


@oracle.misconception
def gelu_adds_x(x, up, down):
    """You add x to the result. The residual connection belongs to the block around the MLP."""
    return x + gelu_mlp(x, up, down)
