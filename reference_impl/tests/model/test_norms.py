"""Compares the reference with torch's normalisations and with autograd, in float64 and in half precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reference_impl.model.norms import RMSNorm, layer_norm, rms_norm, rms_norm_backward

SHAPES = [(5,), (3, 7), (2, 3, 4), (4, 1), (0, 6)]


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_matches_torch(shape: tuple[int, ...], scale: float) -> None:
    x, weight = draw(*shape) * scale, draw(shape[-1], seed=1)
    torch.testing.assert_close(rms_norm(x, weight, 1e-5), F.rms_norm(x, shape[-1:], weight, 1e-5))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_matches_torch(shape: tuple[int, ...], scale: float) -> None:
    x, weight, bias = draw(*shape) * scale, draw(shape[-1], seed=1), draw(shape[-1], seed=2)
    torch.testing.assert_close(layer_norm(x, weight, bias, 1e-5), F.layer_norm(x, shape[-1:], weight, bias, 1e-5))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_backward_matches_autograd(shape: tuple[int, ...], scale: float) -> None:
    x, weight = (draw(*shape) * scale).requires_grad_(), draw(shape[-1], seed=1).requires_grad_()
    upstream = draw(*shape, seed=2)
    expected = torch.autograd.grad(F.rms_norm(x, shape[-1:], weight, 1e-5), (x, weight), upstream)
    for got, wanted in zip(rms_norm_backward(upstream, x.detach(), weight.detach(), 1e-5), expected, strict=True):
        torch.testing.assert_close(got, wanted)


def test_rms_norm_module_matches_torch() -> None:
    ours, theirs = RMSNorm(6, 1e-5), nn.RMSNorm(6, 1e-5)
    assert [(name, value.shape) for name, value in ours.state_dict().items()] == [("weight", (6,))]
    theirs.load_state_dict(ours.state_dict())
    x = draw(2, 6, dtype=torch.float32)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_norms_upcast_half_precision(dtype: torch.dtype) -> None:
    x, weight = (draw(3, 8) * 1e3).to(dtype), draw(8, dtype=dtype, seed=1)
    got = rms_norm(x, weight, 1e-5)
    assert got.dtype == dtype
    torch.testing.assert_close(got, rms_norm(x.double(), weight.double(), 1e-5).to(dtype))
    assert layer_norm(x, weight, weight, 1e-5).isfinite().all()
    grad_x, grad_weight = rms_norm_backward(x, x, weight.float(), 1e-5)
    assert (grad_x.dtype, grad_weight.dtype) == (dtype, torch.float32)


def test_rms_norm_backward_is_orthogonal_to_x() -> None:
    """Without eps, RMSNorm ignores the length of x, so its gradient has no component along x."""
    x = draw(4, 9)
    grad_x, _ = rms_norm_backward(draw(4, 9, seed=1), x, draw(9, seed=2), 0.0)
    torch.testing.assert_close((grad_x * x).sum(-1), torch.zeros(4, dtype=torch.float64))


def test_norms_have_the_gradients_of_torch() -> None:
    x, weight, bias = (draw(*shape, seed=seed).requires_grad_() for seed, shape in enumerate([(3, 4), (4,), (4,)]))
    assert torch.autograd.gradcheck(rms_norm, (x, weight))
    assert torch.autograd.gradcheck(layer_norm, (x, weight, bias))


def test_norms_have_a_small_eps_by_default() -> None:
    """1e-6, and 1e-5 in layer_norm, as in Llama and torch; small inputs show it."""
    x, weight = draw(3, 4) * 1e-3, draw(4, seed=1)
    assert torch.equal(rms_norm(x, weight), rms_norm(x, weight, 1e-6))
    assert torch.equal(RMSNorm(4).double()(x), rms_norm(x, torch.ones(4), 1e-6))
    assert torch.equal(layer_norm(x, weight, weight), layer_norm(x, weight, weight, 1e-5))
    for got, expected in zip(rms_norm_backward(x, x, weight), rms_norm_backward(x, x, weight, 1e-6), strict=True):
        assert torch.equal(got, expected)
