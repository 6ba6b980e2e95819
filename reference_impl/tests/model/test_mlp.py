"""Compares the reference with torch's functions, Llama's MLP and autograd, and checks the 8/3 rule."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from autograde.testing import tensors
from reference_impl.model.mlp import GeluMLP, SwiGLU, gelu, mlp_parameters, silu, swiglu, swiglu_backward, swiglu_width

few_examples = settings(max_examples=25, deadline=None)
shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@few_examples
@given(tensors(shapes, dtype=torch.float64, scale=3.0))
def test_activations_match_torch(x) -> None:
    torch.testing.assert_close(silu(x), F.silu(x))
    torch.testing.assert_close(gelu(x), F.gelu(x))


@few_examples
@given(tensors(shapes, dtype=torch.float64, scale=3.0))
def test_silu_is_between_zero_and_x(x) -> None:
    assert bool((silu(x).abs() <= x.abs()).all())
    torch.testing.assert_close(silu(x) - silu(-x), x)  # the two sigmoids add up to one
    assert bool((silu(x) > -0.2785).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_silu_is_finite_and_keeps_the_dtype(dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    x = torch.tensor([-largest, -1e4, -30.0, 0.0, 30.0, 1e4, largest], dtype=dtype, requires_grad=True)
    y = silu(x)
    assert y.dtype == dtype
    assert bool(y.isfinite().all())
    (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert bool(gradient.isfinite().all())
    grads = swiglu_backward(torch.ones_like(x), x.detach(), torch.ones_like(x))
    assert all(bool(grad.isfinite().all()) and grad.dtype == dtype for grad in grads)


@pytest.mark.needs("transformers")
@few_examples
@given(shapes, st.sampled_from([2, 4, 6]), st.integers(1, 9), st.integers(0, 99))
def test_swiglu_matches_llama(leading, d_model, d_ff, seed) -> None:
    """The same numbers; Llama's weights are called gate_proj, up_proj and down_proj."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaMLP

    torch.manual_seed(seed)
    theirs = LlamaMLP(LlamaConfig(hidden_size=d_model, intermediate_size=d_ff, num_attention_heads=1))
    ours = SwiGLU(d_model, d_ff)
    ours.load_state_dict({name.replace("_proj", ""): value for name, value in theirs.state_dict().items()})
    x = draw(*leading, d_model, dtype=torch.float32)
    torch.testing.assert_close(ours(x), theirs(x))


def test_gelu_mlp_matches_torch_sequential() -> None:
    ours = GeluMLP(5, 7)
    theirs = torch.nn.Sequential(ours.up, torch.nn.GELU(), ours.down)
    x = draw(2, 3, 5, dtype=torch.float32)
    torch.testing.assert_close(ours(x), theirs(x))


@few_examples
@given(st.integers(1, 5), st.floats(-3, 3), st.integers(0, 99))
def test_swiglu_is_linear_in_up(d_model, factor, seed) -> None:
    x, gate, up, down = (draw(d_model, d_model, seed=seed + index) for index in range(4))
    torch.testing.assert_close(swiglu(x, gate, up * factor, down), swiglu(x, gate, up, down) * factor)


@few_examples
@given(st.integers(1, 10_000), st.sampled_from([1, 8, 32, 64, 256]))
def test_swiglu_width_is_the_smallest_multiple_above_eight_thirds(d_model, multiple_of) -> None:
    width = swiglu_width(d_model, multiple_of)
    assert width % multiple_of == 0
    assert width - multiple_of < Fraction(8 * d_model, 3) <= width


def test_swiglu_width_matches_llama_models() -> None:
    assert swiglu_width(4096, 256) == 11008  # Llama 7B
    assert swiglu_width(5120, 256) == 13824  # Llama 13B
    assert mlp_parameters(24, 8) == (4608, 4608)


@pytest.mark.parametrize("d_model", [3, 24, 64])
def test_mlp_parameters_matches_the_modules(d_model: int) -> None:
    modules = GeluMLP(d_model, 4 * d_model), SwiGLU(d_model, swiglu_width(d_model, 8))
    assert mlp_parameters(d_model, 8) == tuple(sum(p.numel() for p in module.parameters()) for module in modules)


@few_examples
@given(shapes, st.integers(0, 99))
def test_swiglu_backward_matches_autograd(shape, seed) -> None:
    gate, up = draw(*shape, seed=seed).requires_grad_(), draw(*shape, seed=seed + 1).requires_grad_()
    upstream = draw(*shape, seed=seed + 2)
    expected = torch.autograd.grad(F.silu(gate) * up, (gate, up), upstream)
    torch.testing.assert_close(swiglu_backward(upstream, gate.detach(), up.detach()), expected)
