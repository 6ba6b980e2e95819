"""Compares quantization with torch's and with the error bounds of rounding."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.ao.quantization import MinMaxObserver

from autograde.testing.contract import SELF_ULPS
from reference_impl.adaptation.quantization import (
    Int8Linear,
    absmax_quantize,
    dequantize,
    int8_matmul,
    model_bytes,
    quantize_linear_layers,
    training_bytes,
    weight_bytes,
    zero_point_quantize,
)

AXES = st.sampled_from([None, 0, 1, -1])


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    x = torch.randn(draw(st.integers(1, 5)), draw(st.integers(1, 7)), generator=generator)
    return x * 10.0 ** draw(st.integers(-3, 3)) + draw(st.sampled_from([0.0, 1.0, -50.0]))


@given(tensors(), AXES)
@settings(max_examples=60, deadline=None)
def test_quantize_error_is_at_most_half_a_step(x: Tensor, axis: int | None) -> None:
    codes, scale = absmax_quantize(x, axis)
    assert codes.dtype == torch.int8
    assert ((dequantize(codes, scale) - x).abs() <= scale * 0.5001).all()
    codes, scale, zero_point = zero_point_quantize(x, axis)
    # The zero point is rounded as well, so an end of the range may be half a step outside.
    assert ((dequantize(codes, scale, zero_point) - x).abs() <= scale * 1.001).all()


@given(tensors(), AXES)
@settings(max_examples=60, deadline=None)
def test_quantize_keeps_zero_and_the_largest_exact(x: Tensor, axis: int | None) -> None:
    x[0, 0] = 0.0
    codes, scale = absmax_quantize(x, axis)
    assert codes[0, 0] == 0
    torch.testing.assert_close(dequantize(codes, scale).abs().max(), x.abs().max())
    codes, scale, zero_point = zero_point_quantize(x, axis)
    assert dequantize(codes, scale, zero_point)[0, 0] == 0


@given(tensors())
@example(torch.tensor([[0.19974695146083832, 2.670301675796509]]))  # 9.4999992 steps: torch rounds up
@settings(max_examples=40, deadline=None)
def test_quantize_matches_torch_fake_quantize(x: Tensor) -> None:
    codes, scale = absmax_quantize(x)
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, torch.tensor(0, dtype=torch.int32), -127, 127)
    assert_equal_up_to_ties(dequantize(codes, scale), theirs, x, scale)
    codes, scale, zero_point = zero_point_quantize(x)
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127)
    assert_equal_up_to_ties(dequantize(codes, scale, zero_point), theirs, x, scale)
    codes, scale = absmax_quantize(x, axis=0)
    zero_points = torch.zeros(len(x), dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(x, scale[:, 0], zero_points, 0, -127, 127)
    assert_equal_up_to_ties(dequantize(codes, scale), theirs, x, scale)


def assert_equal_up_to_ties(ours: Tensor, theirs: Tensor, x: Tensor, scale: Tensor) -> None:
    """Equal, except halfway between two steps: torch multiplies by 1/scale, which may round the other way."""
    steps = x / scale
    tied = (steps - steps.floor() - 0.5).abs() < SELF_ULPS * torch.finfo(x.dtype).eps
    torch.testing.assert_close(torch.where(tied, theirs, ours), theirs)
    assert ((ours - theirs).abs() <= scale * 1.001).all()


@given(tensors())
@settings(max_examples=40, deadline=None)
def test_zero_point_quantize_matches_torch_observer(x: Tensor) -> None:
    observer = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_affine)
    observer(x)
    scale, zero_point = observer.calculate_qparams()
    _, ours, our_zero_point = zero_point_quantize(x)
    torch.testing.assert_close(ours, scale[0])
    assert our_zero_point == zero_point[0]


def test_absmax_quantize_per_row_is_more_accurate() -> None:
    x = torch.randn(8, 32, generator=torch.Generator().manual_seed(0)) * 10.0 ** torch.arange(-4, 4)[:, None]
    errors = [(dequantize(*absmax_quantize(x, axis)) - x).norm(dim=1) / x.norm(dim=1) for axis in (None, 0)]
    assert (errors[1] < 0.01).all()
    assert errors[0].max() == 1  # the smallest row is rounded to zero


def test_quantize_keeps_a_zero_tensor() -> None:
    for codes, *rest in (absmax_quantize(torch.zeros(2, 3)), zero_point_quantize(torch.zeros(2, 3), axis=0)):
        assert torch.equal(dequantize(codes, *rest), torch.zeros(2, 3))


@pytest.mark.parametrize("bias", [True, False])
def test_int8_linear_matches_a_linear_layer_with_rounded_weight(bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(12, 7, bias=bias).double()
    x = torch.randn(2, 5, 12).double()
    quantised = Int8Linear(linear)
    rounded = dequantize(quantised.codes, quantised.scale)
    torch.testing.assert_close(quantised(x), nn.functional.linear(x, rounded, linear.bias))
    assert list(quantised.parameters()) == []
    other = Int8Linear(nn.Linear(12, 7, bias=bias).double())
    other.load_state_dict(quantised.state_dict())
    assert torch.equal(other(x), quantised(x))


def test_int8_matmul_matches_dequantised_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(6, 40, generator=generator).double(), torch.randn(9, 40, generator=generator).double()
    codes, scale = absmax_quantize(weight, axis=0)
    x_codes, x_scale = absmax_quantize(x, axis=0)
    expected = dequantize(x_codes, x_scale) @ dequantize(codes, scale).T
    torch.testing.assert_close(int8_matmul(x, codes, scale), expected)
    assert (int8_matmul(x, codes, scale) - x @ weight.T).abs().max() < 0.02 * (x @ weight.T).abs().max()


def test_quantize_linear_layers_skips_tied_weights() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.hidden, self.gate = nn.Linear(4, 4), nn.Linear(4, 4)
            self.unembed = nn.Linear(4, 10, bias=False)
            self.unembed.weight = self.embedding.weight

    model = quantize_linear_layers(Tied(), keep=["gate"])
    kinds = [type(layer).__name__ for layer in (model.hidden, model.gate, model.unembed)]
    assert kinds == ["Int8Linear", "Linear", "Linear"]
    assert model_bytes(model) == 40 * 4 + (16 + 4 * 4 + 4 * 4) + (16 + 4) * 4


def test_weight_and_training_bytes_match_known_models() -> None:
    assert weight_bytes(7_000_000_000, 16) == 14e9
    assert weight_bytes(64, 8, group_size=32, scale_bits=16) == 64 + 4  # gguf's Q8_0: 34 bytes per 32 weights
    assert training_bytes(0, 7_000_000_000) == 112e9
    assert math.isclose(training_bytes(7_000_000_000, 4_000_000, frozen_bits=4), 3.5e9 + 64e6)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_quantize_has_one_scale_for_each_index_along_the_axis(axis: int) -> None:
    """As if each slice along the axis were quantised by itself."""
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    for quantize in (absmax_quantize, zero_point_quantize):
        whole = quantize(x, axis)
        assert [size for size in whole[1].shape if size != 1] == [x.shape[axis]]
        for index in range(x.shape[axis]):
            for part, expected in zip(whole, quantize(x.select(axis, index)), strict=True):
                along = part.select(axis, index)
                assert torch.equal(along.expand_as(expected) if along.numel() > 1 else along.reshape(()), expected)
