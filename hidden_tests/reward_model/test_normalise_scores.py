"""Hidden checks for the exercise `normalise_scores`: (scores − mean) / (std + eps), statistics of `reference`."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, tensors, through_float32, widened
from reference_impl.alignment.reward_model import normalise_scores

oracle = Oracle(normalise_scores)
shift_oracle, half_oracle = Oracle(normalise_scores, through_float32(normalise_scores)), Oracle(normalise_scores)


@st.composite
def score_inputs(draw, *, dtype=torch.float32, scale=1.0, shifts=(0.0, 3.0)):
    """scores: (n,), reference: (m,), and an eps that shows"""
    n, m = draw(st.integers(1, 5)), draw(st.integers(3, 7))
    shift = draw(st.sampled_from(shifts))
    scores = draw(tensors((n,), dtype=torch.float32, scale=scale)) + shift
    reference = draw(tensors((m,), dtype=torch.float32, scale=scale)) + shift
    return scores.to(dtype), reference.to(dtype), draw(st.sampled_from([1e-6, 0.1, 1.0]))


@st.composite
def constant_inputs(draw):
    """All scores of the reference are equal, or there is one only."""
    value = draw(st.sampled_from([-2.0, 0.0, 7.5]))
    scores = torch.tensor([value, value + draw(st.sampled_from([0.0, 1.0]))])
    return scores, torch.full((draw(st.sampled_from([1, 4])),), value), draw(st.sampled_from([1e-3, 0.5]))


@check(points=2)
@given(score_inputs())
def test_formula(student, inputs):
    """the mean and the standard deviation of `reference` are taken out of the scores, and eps is added to the latter"""
    oracle.compare(student.normalise_scores(*inputs), *inputs)


@check(points=1, after=test_formula, examples=10)
@given(constant_inputs())
def test_no_spread(student, inputs):
    """a reference of equal scores, or of one, gives finite results, 0 at its mean"""
    oracle.compare(student.normalise_scores(*inputs), *inputs)


@check(points=1, after=test_formula, examples=14)
@given(
    st.one_of(
        score_inputs(shifts=(3e3,)),
        score_inputs(dtype=torch.float16, scale=2e3),
        score_inputs(dtype=torch.bfloat16),
        score_inputs(dtype=torch.float64),
    )
)
def test_large_scores(student, inputs):
    """scores far from 0, and of other dtypes, lose nothing: float32 at least; the mean is subtracted before squaring"""
    result = student.normalise_scores(*inputs)
    half = isinstance(result, torch.Tensor) and result.dtype in (torch.float16, torch.bfloat16)
    hint = "Make scores and reference float32 first, and return float32."
    expect(not half, "the result is in half precision", hint)
    (shift_oracle if inputs[0].dtype == torch.float32 else half_oracle).compare(result, *inputs)


def std(x, correction=0):
    return widened(x).std(correction=correction)


def centred(scores, reference):
    return widened(scores) - widened(reference).mean()


@oracle.misconception
def divides_by_n_minus_one(scores, reference, eps=1e-6):
    """Your variance divides by n - 1, torch's default; one score alone gives nan. Ours divides by n: correction=0."""
    return centred(scores, reference) / (std(reference, 1) + eps)


@oracle.misconception
def variance_for_std(scores, reference, eps=1e-6):
    """You divide by the variance. Take its square root."""
    return centred(scores, reference) / (std(reference).square() + eps)


@oracle.misconception
def score_eps_inside(scores, reference, eps=1e-6):
    """You add eps to the variance, inside the root. Here it is added to the standard deviation."""
    return centred(scores, reference) / (std(reference).square() + eps).sqrt()


@oracle.misconception
def score_eps_missing(scores, reference, eps=1e-6):
    """You leave eps out, so a reference without spread divides by 0."""
    return centred(scores, reference) / std(reference)


@oracle.misconception
def score_eps_fixed(scores, reference, eps=1e-6):
    """You use a fixed eps. Use the argument."""
    return normalise_scores(scores, reference, 1e-6)


@oracle.misconception
def not_centred(scores, reference, eps=1e-6):
    """You do not subtract the mean. Without that, scores keep the arbitrary zero of the reward model."""
    return widened(scores) / (std(reference) + eps)


@oracle.misconception
def not_scaled(scores, reference, eps=1e-6):
    """You subtract the mean and do not divide by the standard deviation."""
    return centred(scores, reference)


@oracle.misconception
def statistics_of_the_scores(scores, reference, eps=1e-6):
    """You use the statistics of the scores themselves, so every batch looks equally good. Use those of reference."""
    return normalise_scores(scores, scores, eps)


@oracle.misconception
def mean_of_the_scores(scores, reference, eps=1e-6):
    """You subtract the mean of the scores themselves, so every batch looks equally good. Use that of reference."""
    return (widened(scores) - widened(scores).mean()) / (std(reference) + eps)


@oracle.misconception
def min_max(scores, reference, eps=1e-6):
    """You map the range of the reference to 0 to 1. Subtract the mean and divide by the standard deviation."""
    low, high = widened(reference).min(), widened(reference).max()
    return (widened(scores) - low) / (high - low + eps)


@oracle.misconception
def zero_without_spread(scores, reference, eps=1e-6):
    """You give zeros when the reference has no spread. Divide by 0 + eps: a score away from its mean is not 0."""
    return normalise_scores(scores, reference, eps) * (std(reference) > 0)


@shift_oracle.misconception
def variance_cancels(scores, reference, eps=1e-6):
    """You compute the variance as mean(x²) - mean(x)². Far from 0 nothing is left of it: subtract the mean first."""
    spread = widened(reference).square().mean() - widened(reference).mean().square()
    return centred(scores, reference) / (spread.clamp_min(0).sqrt() + eps)


@half_oracle.misconception
def score_variance_in_half(scores, reference, eps=1e-6):
    """You square in half precision, where anything above 255 overflows. Make everything float32 first."""
    spread = (reference - reference.mean()).square().mean().sqrt()
    return centred(scores, reference) / (widened(spread) + eps)
