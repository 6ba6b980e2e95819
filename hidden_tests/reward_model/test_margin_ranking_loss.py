"""Hidden checks for the exercise `margin_ranking_loss`: the mean of max(0, margin − (chosen − rejected))."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, tensors, through_float32, widened
from reference_impl.alignment.reward_model import margin_ranking_loss

oracle = Oracle(margin_ranking_loss)
half_oracle = Oracle(margin_ranking_loss, through_float32(margin_ranking_loss))
gradient_oracle = Oracle(margin_ranking_loss)
HALF = (torch.float16, torch.bfloat16)
HALF_HINT = "Make the scores float32 before you subtract, and leave the loss in float32."


@st.composite
def score_inputs(draw, *, dtype=torch.float32, scale=1.0, margins=(0.0, 0.5, 2.0)):
    pairs = draw(st.integers(2, 6))
    chosen, rejected = (draw(tensors((pairs,), dtype=dtype, scale=scale)) for _ in range(2))
    return chosen, rejected, draw(st.sampled_from(margins))


@st.composite
def far_inputs(draw):
    """The first pair is so far apart that its difference is no float16."""
    chosen, rejected, margin = draw(score_inputs(dtype=torch.float16, scale=1e4))
    chosen[0], rejected[0] = -6e4, 6e4
    return chosen, rejected, margin


@check(points=2)
@given(score_inputs())
def test_formula(student, inputs):
    """the loss is the mean of max(0, margin − (chosen − rejected)) for any margin"""
    oracle.compare(student.margin_ranking_loss(*inputs), *inputs)


@check(points=1, after=test_formula, examples=10)
@given(st.one_of(far_inputs(), score_inputs(dtype=torch.bfloat16), score_inputs(dtype=torch.float64)))
def test_half_precision(student, inputs):
    """half precision is computed and returned in float32, and float64 in float64"""
    loss = student.margin_ranking_loss(*inputs)
    expect(getattr(loss, "dtype", None) not in HALF, "the loss is in half precision", HALF_HINT)
    half_oracle.compare(loss, *inputs)


# These margins keep away from the kink, where any slope between 0 and 1 would be right.
@check(points=1, after=test_formula, examples=10)
@given(score_inputs(margins=(0.3, 1.7)))
def test_gradient(student, inputs):
    """a pair that is apart far enough gets no gradient, any other the same pull"""
    gradient_oracle.compare_gradients(student.margin_ranking_loss, *inputs)


def missing(chosen, rejected, margin):
    """By how much chosen does not lead as it should; negative if it leads by more."""
    return margin - (widened(chosen) - widened(rejected))


@oracle.misconception
def margin_sign(chosen, rejected, margin=1.0):
    """The margin has the wrong sign: you forgive pairs the wrong way round. It is margin - (chosen - rejected)."""
    return missing(chosen, rejected, -margin).clamp_min(0).mean()


@oracle.misconception
def ranking_swapped(chosen, rejected, margin=1.0):
    """You punish pairs that are in the right order. It is margin - (chosen - rejected)."""
    return missing(rejected, chosen, margin).clamp_min(0).mean()


@oracle.misconception
def not_clamped(chosen, rejected, margin=1.0):
    """You let good pairs pay for bad ones. A pair that is apart far enough costs 0: max(0, ...)."""
    return missing(chosen, rejected, margin).mean()


@oracle.misconception
def clamps_the_mean(chosen, rejected, margin=1.0):
    """You take the mean first and max(0, ...) afterwards. Each pair has its own max."""
    return missing(chosen, rejected, margin).mean().clamp_min(0)


@oracle.misconception
def clamped_above(chosen, rejected, margin=1.0):
    """You keep the negative part: use max(0, ...), not min."""
    return missing(chosen, rejected, margin).clamp_max(0).mean()


@oracle.misconception
def ranking_margin_ignored(chosen, rejected, margin=1.0):
    """You do not use margin, so equal scores cost nothing and the model may rate everything alike."""
    return missing(chosen, rejected, 0.0).clamp_min(0).mean()


@oracle.misconception
def ranking_margin_fixed(chosen, rejected, margin=1.0):
    """You use a fixed margin of 1. Use the argument."""
    return missing(chosen, rejected, 1.0).clamp_min(0).mean()


@oracle.misconception
def ranking_sum(chosen, rejected, margin=1.0):
    """You add the pairs up. The loss is their mean."""
    return missing(chosen, rejected, margin).clamp_min(0).sum()


@oracle.misconception
def mean_of_violations(chosen, rejected, margin=1.0):
    """You divide by the number of pairs that cost something. The mean runs over all pairs."""
    cost = missing(chosen, rejected, margin).clamp_min(0)
    return cost.sum() / (cost > 0).sum().clamp_min(1)


@oracle.misconception
def squared_hinge(chosen, rejected, margin=1.0):
    """You square the hinge. Ours is linear."""
    return missing(chosen, rejected, margin).clamp_min(0).square().mean()


@oracle.misconception
def absolute_distance(chosen, rejected, margin=1.0):
    """You take the absolute value, which punishes a lead that is larger than the margin. Use max(0, ...)."""
    return missing(chosen, rejected, margin).abs().mean()


@oracle.misconception
def counts_violations(chosen, rejected, margin=1.0):
    """You count the pairs that are not apart far enough. A count has no gradient: add up by how much."""
    return (missing(chosen, rejected, margin) > 0).to(widened(chosen).dtype).mean()


@half_oracle.misconception
def ranking_in_half(chosen, rejected, margin=1.0):
    """You subtract in half precision, where the difference overflows. Make the scores float32 first."""
    return widened(margin - (chosen - rejected)).clamp_min(0).mean()


@gradient_oracle.misconception
def ranking_detached(chosen, rejected, margin=1.0):
    """Your loss is cut off from autograd (.detach(), .item(), .data or no_grad): nothing is learned."""
    return margin_ranking_loss(chosen.detach(), rejected.detach(), margin)
