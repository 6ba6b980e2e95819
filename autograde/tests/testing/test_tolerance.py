"""A right program in another order of operations is accepted, a wrong one is not, whatever the dtype and the scale."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Mismatch, Oracle, tensors
from autograde.testing.difference import Answer, find_difference
from autograde.testing.tolerance import measure

DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16])
SCALES = st.sampled_from([1e-3, 1.0, 30.0])


def softmax(x: torch.Tensor) -> torch.Tensor:
    return x.softmax(dim=-1)


def softmax_by_hand(x: torch.Tensor) -> torch.Tensor:
    wide = (x.float() - x.float().amax(-1, keepdim=True)).exp()
    return (wide / wide.sum(-1, keepdim=True)).to(x.dtype)


def verdict(got: torch.Tensor, x: torch.Tensor) -> Mismatch | None:
    parts, answer = measure(softmax, (x,), {})
    return find_difference(got, Answer(answer, parts))


@given(st.data(), DTYPES, SCALES)
def test_tolerance_accepts_another_order_of_operations(data: st.DataObject, dtype: torch.dtype, scale: float) -> None:
    x = data.draw(tensors((3, 5), dtype=dtype, scale=scale))
    assert verdict(softmax_by_hand(x), x) is None


@given(st.data(), DTYPES)
def test_tolerance_rejects_a_wrong_formula(data: st.DataObject, dtype: torch.dtype) -> None:
    x = data.draw(tensors((3, 5), dtype=dtype)) + torch.arange(5).to(dtype)
    assert verdict((x / 2).softmax(-1), x) is not None


@given(tensors((4,), scale=1e-3))
def test_tolerance_allows_only_rounding(x: torch.Tensor) -> None:
    assert verdict(softmax(x) * (1 + 1e-4), x) is not None


def cancels(x: torch.Tensor) -> torch.Tensor:
    return x * 0


def test_tolerance_at_zero_allows_one_rounding() -> None:
    x = torch.tensor([3.0, -7.0])
    parts, answer = measure(cancels, (x,), {})
    assert find_difference(torch.tensor([4e-7, -4e-7]), Answer(answer, parts)) is None
    assert find_difference(torch.tensor([1e-4, 0.0]), Answer(answer, parts)) is not None


def test_tolerance_requires_infinities_and_nans_at_the_same_positions() -> None:
    oracle = Oracle(lambda x: x.log())
    x = torch.tensor([0.0, 1.0, -1.0])
    oracle.compare(torch.tensor([-torch.inf, 0.0, torch.nan]), x)
    for wrong in (
        [-1e38, 0.0, torch.nan],
        [-torch.inf, torch.nan, torch.nan],
        [-torch.inf, 0.0, 0.0],
        [torch.inf, 0, torch.nan],
    ):
        try:
            oracle.compare(torch.tensor(wrong), x)
        except Mismatch:
            continue
        raise AssertionError(f"{wrong} was accepted")


def test_tolerance_is_widened_by_another_right_form() -> None:
    """A right form that rounds more widens the tolerance and leaves the answer."""

    def precise(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    def roundabout(x: torch.Tensor) -> torch.Tensor:
        return (x + 1000) - 999  # the same, with the low bits lost on the way

    x = torch.tensor([0.1, 0.7])
    alone, _ = measure(precise, (x,), {})
    together, _ = measure(precise, (x,), {}, [roundabout])
    error = (roundabout(x).double() - (x.double() + 1)).abs()
    assert bool((error > alone[0].allowed).all())
    assert bool((error < together[0].allowed).all())
    assert torch.equal(together[0].exact, alone[0].exact)


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(dim=-1, keepdim=True)


def centred_otherwise(x: torch.Tensor) -> torch.Tensor:
    """As in a program that sums one after the other and divides first."""
    mean = torch.zeros_like(x[..., :1])
    for column in x.unbind(-1):
        mean = mean + column.unsqueeze(-1) / x.shape[-1]
    return x - mean


@given(
    value=st.floats(-1e3, 1e3, width=16).filter(lambda value: value == 0 or abs(value) > 1e-3),
    width=st.integers(1, 9),
    dtype=DTYPES,
    wrong_by=st.floats(64.0, 1e6),
)
def test_tolerance_under_cancellation_follows_the_scale_of_the_inputs(
    value: float, width: int, dtype: torch.dtype, wrong_by: float
) -> None:
    """Constant rows minus their mean are exactly zero: another order may be some roundings off, a wrong one more."""
    x = torch.full((2, width), value, dtype=dtype)
    parts, answer = measure(centred, (x,), {})
    assert find_difference(answer * 0, Answer(answer, parts)) is None
    assert find_difference(centred_otherwise(x.float()).to(dtype), Answer(answer, parts)) is None
    rounding = torch.finfo(dtype).eps * abs(value)
    off = torch.zeros_like(answer)
    off[0, 0] = max(wrong_by * rounding, 2 * torch.finfo(dtype).tiny)
    assert find_difference(off, Answer(answer, parts)) is not None


@given(tensors((2, 3), scale=1.0), st.integers(-6, 6), st.booleans())
def test_tolerance_grows_only_with_the_inputs(x: torch.Tensor, power: int, constant: bool) -> None:
    """For a linear function: twice the inputs, twice the room, also where the answer is zero everywhere."""
    x = x[:, :1].expand(2, 3).clone() if constant else x
    (one,), _ = measure(centred, (x,), {})
    (scaled,), _ = measure(centred, (x * 2.0**power,), {})
    tiny = torch.finfo(x.dtype).tiny
    torch.testing.assert_close(scaled.allowed - tiny, (one.allowed - tiny) * 2.0**power, rtol=1e-6, atol=0)


@given(st.sampled_from([torch.float32, torch.float64]), st.integers(1, 5))
def test_tolerance_of_zeros_from_zeros_is_tiny(dtype: torch.dtype, width: int) -> None:
    x = torch.zeros(2, width, dtype=dtype)
    parts, answer = measure(centred, (x,), {})
    assert find_difference(torch.full_like(answer, 1e-30), Answer(answer, parts)) is not None
