"""Hidden checks for the exercise `rms_norm_module`: the module RMSNorm, judged with a correct `rms_norm` in place."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect_parameters, tensors
from reference_impl.model.norms import rms_norm

oracle = Oracle(rms_norm)
supplies = Supplies(rms_norm=rms_norm)


@st.composite
def layer_inputs(draw):
    """(x, weight, eps) at scale 1e-3, where every eps shows."""
    width = draw(st.sampled_from((3, 1, 5, 8)))
    x = draw(tensors((*draw(st.lists(st.integers(1, 4), max_size=2)), width), scale=1e-3))
    return x, draw(tensors((width,))), draw(st.sampled_from([1e-5, 1e-4, 1e-3]))


@check(points=1, examples=20)
@given(st.integers(1, 16))
def test_parameters(student, width):
    """RMSNorm owns one learnable weight of shape (d_model,), and starts it at one"""
    expect_parameters(student.RMSNorm(width, 1e-5), {"weight": torch.ones(width)})


@check(points=1, examples=20)
@given(layer_inputs())
def test_result(student, inputs):
    """RMSNorm returns rms_norm(x, weight, eps) with its own weight and the eps that it was built with"""
    x, weight, eps = inputs
    layer = student.RMSNorm(weight.numel(), eps)
    # A weight that is no parameter is test_parameters' business: then only the starting value can be tried.
    if "weight" in layer.named_parameters():
        layer.load_state_dict({"weight": weight})
    else:
        weight = torch.ones_like(weight)
    oracle.compare(layer(x), x, weight, eps)


@check(points=1, after=test_parameters, examples=20)
@given(layer_inputs())
def test_training(student, inputs):
    """the gradients of weight and x are right, so the layer can learn"""
    x, weight, eps = inputs
    start = {"weight": torch.ones_like(weight)}
    gradients = Oracle(lambda x, weight: rms_norm(x, weight, eps))
    gradients.compare_gradients(student.RMSNorm(weight.numel(), eps), x, parameters=start)


@oracle.misconception
def module_ignores_eps(x, weight, eps):
    """Your module forgets the eps it was built with and uses the default. Keep it: self.eps = eps, then pass it on."""
    return rms_norm(x, weight, 1e-6)


@oracle.misconception
def module_ignores_weight(x, weight, eps):
    """Your forward does not use self.weight. Pass it to rms_norm, or it is never learned."""
    return rms_norm(x, torch.ones_like(weight), eps)
