"""Hidden checks for the exercise `rotate`: each pair (x[i], x[i + d_head/2]) is turned by angles[i]."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract, tensors, through_float32, widened
from reference_impl.model.rope import rotate

oracle = Oracle(rotate, through_float32(rotate))
WIDTHS = (4, 6, 2, 8)
SHAPES = ((), (3,), (2, 3), (2, 3, 3))
DTYPES = (torch.float16, torch.bfloat16, torch.float64)


@st.composite
def rotations(draw, *, dtype=torch.float32, widths=WIDTHS, scale=2.0):
    """x: (..., d_head) and angles: (..., d_head/2) in radians, of every sign, with or without the leading axes of x"""
    shape, width = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(widths))
    shared = draw(st.integers(0, len(shape)))
    return draw(tensors((*shape, width), dtype=dtype)), draw(tensors((*shape[shared:], width // 2), scale=scale))


@check(points=1, examples=15)
@given(rotations())
def test_formula(student, inputs):
    """rotate turns every pair by its own angle, for any leading axes and angles that broadcast"""
    hint = "Halve x along its last axis, dim=-1, and let cos and sin of the angles broadcast over the axes before it."
    shapes = f"x of shape {tuple(inputs[0].shape)} and angles of shape {tuple(inputs[1].shape)}"
    plain = [
        lambda: student.rotate(torch.zeros(4), torch.zeros(2)),
        lambda: student.rotate(*torch.zeros(2, 2, 2).unbind()),
    ]
    with student.hint(hint, plain=plain, case=shapes):
        got = student.rotate(*inputs)
    oracle.compare(got, *inputs)


@check(points=1, after=test_formula, examples=10)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: rotations(dtype=dtype, scale=1e3)))
def test_half_precision(student, inputs):
    """the result has the dtype of x, also float64, while large angles are not rounded to half precision"""
    oracle.compare(student.rotate(*inputs), *inputs)


@check(points=1, after=test_formula, examples=10)
@given(rotations(widths=(4, 6)))
def test_gradient(student, inputs):
    """the gradient of x comes back, rotated the other way"""
    x, angles = inputs
    oracle.compare_gradients(student.rotate, x, angles=angles)


@check(points=1, examples=5)
@given(rotations(widths=(4, 6)))
def test_inputs(student, inputs):
    """x may be non-contiguous, and stays as it was"""
    facets = contract.input_unchanged, contract.noncontiguous_input
    contract.all_of(student.rotate, *inputs, like=inputs[0], facets=facets)


def turned(x, angles, signs=(-1, 1), join=lambda first, second: torch.cat([first, second], dim=-1), split=None):
    """first·cos ± second·sin and second·cos ± first·sin, split and joined as told"""
    wide = widened(x)
    first, second = wide.chunk(2, dim=-1) if split is None else split(wide)
    cos, sin = angles.cos(), angles.sin()
    return join(first * cos + signs[0] * second * sin, second * cos + signs[1] * first * sin).to(x.dtype)


def neighbours(x):
    return x[..., 0::2], x[..., 1::2]


def interlaced(first, second):
    return torch.stack([first, second], dim=-1).flatten(-2)


@oracle.misconception
def interleaved(x, angles):
    """You pair neighbours, 2i with 2i + 1, as the paper does. Ours is half-split: i with i + d_head/2."""
    return turned(x, angles, split=neighbours, join=interlaced)


@oracle.misconception
def splits_interleaved(x, angles):
    """You take every second feature, but join halves. Ours is half-split at both ends: chunk(2, dim=-1), then cat."""
    return turned(x, angles, split=neighbours)


@oracle.misconception
def joins_interleaved(x, angles):
    """You split into halves, but interleave the results. Join the halves: torch.cat([first, second], dim=-1)."""
    return turned(x, angles, join=interlaced)


@oracle.misconception
def clockwise(x, angles):
    """You turn clockwise. Check the signs: first·cos - second·sin, and second·cos + first·sin."""
    return turned(x, angles, signs=(1, -1))


@oracle.misconception
def both_signs_plus(x, angles):
    """Both of your sine terms are added, which is no rotation. The first one is subtracted."""
    return turned(x, angles, signs=(1, 1))


@oracle.misconception
def both_signs_minus(x, angles):
    """Both of your sine terms are subtracted, which is no rotation. The second one is added."""
    return turned(x, angles, signs=(-1, -1))


@oracle.misconception
def swaps_sin_and_cos(x, angles):
    """You swapped sin and cos: at angle 0 nothing may move."""
    return turned(x, torch.pi / 2 - angles)


@oracle.misconception
def takes_degrees(x, angles):
    """You treat the angles as degrees. They are radians, which torch.cos and torch.sin expect."""
    return turned(x, torch.deg2rad(angles))


@oracle.misconception
def uses_the_new_first_half(x, angles):
    """You overwrite the first half before the second has used it. Keep the old values until both are done."""
    wide = widened(x)
    first, second = wide.chunk(2, dim=-1)
    first = first * angles.cos() - second * angles.sin()
    return torch.cat([first, second * angles.cos() + first * angles.sin()], dim=-1).to(x.dtype)


@oracle.misconception
def pairs_mirrored(x, angles):
    """You pair feature i with the i-th from the end. Ours is half-split: i with i + d_head/2."""
    return turned(x, angles, split=lambda wide: (wide.chunk(2, dim=-1)[0], wide.chunk(2, dim=-1)[1].flip(-1)),
                  join=lambda first, second: torch.cat([first, second.flip(-1)], dim=-1))  # fmt: skip


@oracle.misconception
def angles_in_half(x, angles):
    """You round the angles to the dtype of x. Take cos and sin in float32; only the result goes back to x.dtype."""
    return turned(x, angles.to(torch.promote_types(x.dtype, angles.dtype) if x.dtype == torch.float64 else x.dtype))


@oracle.misconception
def stays_float32(x, angles):
    """You return float32. Cast the result back to the dtype of x."""
    return turned(x.float(), angles)


@oracle.misconception
def cuts_off_gradient(x, angles):
    """Your rotation is cut off from autograd (.detach(), .data or no_grad): the layers before it would never learn."""
    return turned(x.detach(), angles)
