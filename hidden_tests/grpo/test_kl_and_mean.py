"""Hidden checks for the exercise `kl_and_mean`:  k3 = exp(d) − d − 1, and the mean over all kept tokens."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, expect_like, tensors
from reference_impl.alignment.grpo import kl_estimate, masked_mean


def kl_of(logprobs, reference_logprobs):
    """KL(policy ‖ reference) of whole distributions, (rows, vocab) -> (rows,)"""
    return (logprobs.exp() * (logprobs - reference_logprobs)).sum(dim=-1)


law, kl_oracle = Oracle(kl_of), Oracle(kl_estimate)
mean_oracle, empty_oracle = Oracle(masked_mean), Oracle(masked_mean)


@st.composite
def log_probabilities(draw):
    """logprobs, reference_logprobs: (responses, seq), some of them equal"""
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    logprobs = draw(tensors(shape, scale=0.7)).clamp(-2, 2) - 3
    moved = draw(tensors(shape)).clamp(-2, 2)
    moved[0, 0] = 0.0
    return logprobs, logprobs + moved


@st.composite
def distributions(draw):
    """The log-probabilities of the whole vocabulary under policy and reference, (rows, vocab) each"""
    shape = draw(st.integers(1, 3)), draw(st.integers(2, 6))
    return tuple(draw(tensors(shape)).log_softmax(dim=-1) for _ in range(2))


@st.composite
def values_and_mask(draw):
    """values, mask: (responses, seq); rows keep different numbers of tokens, at least one in all"""
    responses, seq = draw(st.integers(2, 4)), draw(st.integers(3, 6))
    lengths = torch.tensor(draw(st.lists(st.integers(0, seq), min_size=responses, max_size=responses)))
    lengths[0], lengths[1] = 1, seq - 1
    return draw(tensors((responses, seq))), torch.arange(seq) < lengths.unsqueeze(-1)


@check(points=1, examples=8)
@given(distributions())
def test_kl_law(student, inputs):
    """averaged over the policy's own distribution, kl_estimate is the KL divergence; no estimate is negative"""
    logprobs, reference = inputs
    got = student.kl_estimate(logprobs, reference)
    expect_like(got, logprobs, hint="There is one estimate for each token.")
    hint = "k3 = exp(d) − d − 1 with d = reference_logprobs − logprobs: it is at least 0, and 0 where the two agree."
    expect(bool((got > -1e-5).all()), "an estimate is negative", hint)
    reason = "the mean of the estimates over the policy's own distribution is not the KL divergence"
    hint = "k3 = exp(d) − d − 1, and d is reference_logprobs − logprobs, in this direction."
    law.compare((logprobs.exp() * got).sum(dim=-1), logprobs, reference, reason=reason, hint=hint)


@check(points=2, examples=10)
@given(log_probabilities())
def test_kl(student, inputs):
    """kl_estimate is k3 for every token; its gradient reaches logprobs and not the reference"""
    kl_oracle.compare(student.kl_estimate(*inputs), *inputs)
    kl_oracle.compare_gradients(student.kl_estimate, *inputs)


@check(points=2, examples=15)
@given(values_and_mask())
def test_mean(student, inputs):
    """masked_mean is the mean over all kept tokens of the batch, and its gradient reaches them"""
    mean_oracle.compare(student.masked_mean(*inputs), *inputs)
    mean_oracle.compare_gradients(student.masked_mean, *inputs)


@check(points=1, examples=4)
@given(st.integers(1, 3), st.integers(1, 4))
def test_nothing_kept(student, responses, seq):
    """if no token is kept the mean is 0"""
    inputs = torch.ones(responses, seq), torch.zeros(responses, seq, dtype=torch.bool)
    empty_oracle.compare(student.masked_mean(*inputs), *inputs)


@check(points=1, after=test_mean, examples=6)
@given(values_and_mask(), st.sampled_from([math.inf, math.nan]))
def test_odd_values(student, inputs, odd):
    """what stands where the mask is False has no effect, even if it is infinite or nan"""
    values, mask = inputs
    values = values.masked_fill(~mask, odd)
    mean_oracle.compare(student.masked_mean(values, mask), values, mask)
    mean_oracle.compare_gradients(student.masked_mean, values, mask)


def difference(logprobs, reference_logprobs):
    return reference_logprobs.detach() - logprobs


@kl_oracle.misconception
def kl_k1(logprobs, reference_logprobs):
    """That is k1, the plain log-ratio, which may be negative. k3 adds exp(d) − 1 to it."""
    return -difference(logprobs, reference_logprobs)


@kl_oracle.misconception
def kl_k2(logprobs, reference_logprobs):
    """That is k2, half the squared log-ratio, whose mean is not the KL divergence. k3 = exp(d) − d − 1."""
    return difference(logprobs, reference_logprobs).square() / 2


@kl_oracle.misconception
def kl_direction(logprobs, reference_logprobs):
    """Your d is turned round: reference_logprobs − logprobs. Over tokens drawn from the policy yours is no KL."""
    d = -difference(logprobs, reference_logprobs)
    return torch.exp(d) - d - 1


@kl_oracle.misconception
def kl_sign(logprobs, reference_logprobs):
    """You add d. k3 = exp(d) − d − 1: only then is it 0 with slope 0 where the two agree."""
    d = difference(logprobs, reference_logprobs)
    return torch.exp(d) + d - 1


@kl_oracle.misconception
def kl_absolute(logprobs, reference_logprobs):
    """You take the absolute log-ratio. It is not negative, but its mean is not the KL divergence."""
    return difference(logprobs, reference_logprobs).abs()


@kl_oracle.misconception
def kl_gradient_through_reference(logprobs, reference_logprobs):
    """A gradient flows into reference_logprobs. The reference is a constant: .detach() it."""
    d = reference_logprobs - logprobs
    return torch.exp(d) - d - 1


@kl_oracle.misconception
def kl_detached(logprobs, reference_logprobs):
    """No gradient reaches logprobs, so the penalty would have no effect. Detach the reference only."""
    return kl_estimate(logprobs.detach(), reference_logprobs)


@mean_oracle.misconception
def mean_ignores_mask(values, mask):
    """You average over every position. Prompt and padding do not count."""
    return values.mean()


@mean_oracle.misconception
def mean_divides_by_all(values, mask):
    """You divide by the number of positions. Divide by the number of kept ones: mask.sum()."""
    return values.masked_fill(~mask, 0.0).mean()


@mean_oracle.misconception
def mean_of_row_means(values, mask):
    """You average each response first. Ours counts every token of the batch the same, as DAPO does."""
    return (values.masked_fill(~mask, 0.0).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)).mean()


@mean_oracle.misconception
def mean_for_each_row(values, mask):
    """You return a mean for each response. Return one number for the whole batch."""
    return values.masked_fill(~mask, 0.0).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


@mean_oracle.misconception
def mean_over_responses(values, mask):
    """You divide by the number of responses, so long responses weigh more. Divide by the number of kept tokens."""
    return values.masked_fill(~mask, 0.0).sum() / len(values)


@mean_oracle.misconception
def mean_multiplies(values, mask):
    """You multiply by the mask, and 0 · inf is nan. Use masked_fill, where, or values[mask]."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


@empty_oracle.misconception
def mean_of_nothing_is_nan(values, mask):
    """If nothing is kept you divide by 0. Divide by at least 1: mask.sum().clamp(min=1)."""
    return values[mask].mean()
