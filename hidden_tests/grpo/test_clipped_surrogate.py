"""Hidden checks for the exercise `clipped_surrogate`:  −min(ρ A, clamp(ρ, 1 − c, 1 + c) A) for each token."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, tensors, widened
from reference_impl.alignment.grpo import clipped_surrogate

oracle, half_oracle = Oracle(clipped_surrogate), Oracle(clipped_surrogate)
wide_oracle = Oracle(lambda new, old, advantages, clip: clipped_surrogate(new.float(), old.float(), advantages, clip))


@st.composite
def tokens_and_advantages(draw, *, spread=0.5, dtype=torch.float32):
    """(logprobs, old_logprobs, advantages, clip); responses and seq are often equal, advantages have both signs"""
    responses, seq = draw(st.sampled_from([(3, 3), (2, 5), (4, 2), (4, 4), (3, 1)]))
    logprobs = draw(tensors((responses, seq), scale=0.5)).clamp(-2, 2) - 4
    moved = draw(tensors((responses, seq), scale=spread)).clamp(-2 * spread, 2 * spread)
    advantages = draw(tensors((responses,)))
    advantages[0], advantages[1] = 1.5, -0.75
    return logprobs.to(dtype), (logprobs - moved).to(dtype), advantages, draw(st.sampled_from([0.1, 0.2, 0.3]))


@check(points=1, examples=6)
@given(tokens_and_advantages())
def test_start(student, inputs):
    """as long as the policy has not moved, the loss of a token is −A, and so is its gradient"""
    logprobs, _, advantages, clip = inputs
    same = logprobs, logprobs.clone(), advantages, clip
    oracle.compare(student.clipped_surrogate(*same), *same)
    _, found = student.gradients(student.clipped_surrogate, *same)
    hint = "The ratio is exp(logprobs − old_logprobs): 1 here, but with a gradient. Detach the old ones only."
    got = None if found is None else found.get(0)
    wanted = -advantages.unsqueeze(-1).expand_as(logprobs)
    right = isinstance(got, torch.Tensor) and got.shape == wanted.shape and bool(((got - wanted).abs() < 1e-4).all())
    expect(right, "where the ratio is 1 the gradient in logprobs is not −A", hint)


@check(points=2, examples=15)
@given(tokens_and_advantages())
def test_formula(student, inputs):
    """each token's loss is −min(ρ A, clamp(ρ) A), for advantages of either sign and any clip"""
    oracle.compare(student.clipped_surrogate(*inputs), *inputs)


@check(points=2, after=test_formula, examples=10)
@given(tokens_and_advantages())
def test_gradient(student, inputs):
    """a clipped token gets no gradient, any other the full one, and none flows into old_logprobs or advantages"""
    oracle.compare_gradients(student.clipped_surrogate, *inputs)


@check(points=1, after=test_formula, examples=6)
@given(
    st.sampled_from([torch.float16, torch.bfloat16]).flatmap(lambda d: tokens_and_advantages(spread=8.0, dtype=d)),
    tokens_and_advantages(dtype=torch.float64),
)
def test_half_precision(student, half, wide):
    """log-probabilities of any dtype give exact float32 losses, also where the ratio overflows float16"""
    half_oracle.compare(student.clipped_surrogate(*half), *half)
    wide_oracle.compare(student.clipped_surrogate(*wide), *wide)


@check(points=1, examples=6)
@given(tokens_and_advantages())
def test_shapes(student, inputs):
    """advantages of another shape than (responses,), or log-probabilities that differ in shape, raise a ValueError"""
    logprobs, old_logprobs, advantages, clip = inputs
    hint = "Compare the shapes first and raise ValueError(...) if they do not fit: torch would broadcast in silence."
    for odd in (advantages[:, None], advantages[None], advantages[:1], advantages[0]):
        with student.raises(ValueError, hint=hint):
            student.clipped_surrogate(logprobs, old_logprobs, odd, clip)
    for odd in (old_logprobs[:1], old_logprobs[None], old_logprobs[0, :1], old_logprobs[:, :1, None]):
        with student.raises(ValueError, hint=hint):
            student.clipped_surrogate(logprobs, odd, advantages, clip)


def parts(logprobs, old_logprobs, advantages, clip):
    """ratio, clamped ratio: (responses, seq); advantage: (responses, 1)"""
    ratio = torch.exp(widened(logprobs) - widened(old_logprobs).detach())
    return ratio, ratio.clamp(1 - clip, 1 + clip), advantages.detach().unsqueeze(-1)


@oracle.misconception
def max_for_min(*inputs):
    """You keep the larger objective (the smaller loss). The cautious one counts: −min(ρ A, clamp(ρ) A)."""
    ratio, clamped, advantage = parts(*inputs)
    return -torch.maximum(ratio * advantage, clamped * advantage)


@oracle.misconception
def not_clipped(*inputs):
    """You do not clip. Take the minimum with the clamped ratio times A."""
    ratio, _, advantage = parts(*inputs)
    return -ratio * advantage


@oracle.misconception
def always_clipped(*inputs):
    """You always take the clamped ratio. Without the minimum, a token that moved the wrong way gets no gradient."""
    _, clamped, advantage = parts(*inputs)
    return -clamped * advantage


@oracle.misconception
def clips_one_side(*inputs):
    """You clip the ratio from above only. For A < 0 it is the lower side, 1 − clip, that counts: clamp both."""
    ratio, _, advantage = parts(*inputs)
    return -torch.minimum(ratio * advantage, ratio.clamp(max=1 + inputs[3]) * advantage)


@oracle.misconception
def clips_the_lower_side(*inputs):
    """You clip the ratio from below only. For A > 0 it is the upper side, 1 + clip, that counts: clamp both."""
    ratio, _, advantage = parts(*inputs)
    return -torch.minimum(ratio * advantage, ratio.clamp(min=1 - inputs[3]) * advantage)


@oracle.misconception
def minimum_of_ratios(*inputs):
    """You take the minimum of the ratios and multiply by A afterwards. For A < 0 that is the wrong side."""
    ratio, clamped, advantage = parts(*inputs)
    return -torch.minimum(ratio, clamped) * advantage


@oracle.misconception
def clips_around_zero(*inputs):
    """You clamp the ratio to ±clip. A policy that has not moved has the ratio 1: clamp to 1 ± clip."""
    ratio, _, advantage = parts(*inputs)
    return -torch.minimum(ratio * advantage, ratio.clamp(-inputs[3], inputs[3]) * advantage)


@oracle.misconception
def clips_the_log_ratio(*inputs):
    """You clamp the difference of the log-probabilities. Clamp the ratio, after exp."""
    ratio, _, advantage = parts(*inputs)
    return -torch.minimum(ratio * advantage, ratio.log().clamp(-inputs[3], inputs[3]).exp() * advantage)


@oracle.misconception
def clip_ignored(logprobs, old_logprobs, advantages, clip):
    """You use a fixed clip of 0.2. Use the argument clip: callers pass other values."""
    return clipped_surrogate(logprobs, old_logprobs, advantages, 0.2)


@oracle.misconception
def ratio_turned_round(logprobs, old_logprobs, advantages, clip):
    """Your ratio is that of the old policy to the new one. The policy that learns stands above: exp(new − old)."""
    ratio, _, advantage = parts(logprobs, old_logprobs, advantages, clip)
    turned = 1 / ratio
    return -torch.minimum(turned * advantage, turned.clamp(1 - clip, 1 + clip) * advantage)


@oracle.misconception
def exp_left_out(logprobs, old_logprobs, advantages, clip):
    """You leave exp out: the difference of log-probabilities is the logarithm of the ratio."""
    ratio, advantage = logprobs - old_logprobs.detach(), advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


@oracle.misconception
def minus_left_out(*inputs):
    """You return the objective, which training would lower. A loss is its negative."""
    return -clipped_surrogate(*inputs)


@oracle.misconception
def advantages_along_tokens(logprobs, old_logprobs, advantages, clip):
    """You spread the advantages along the tokens. Each belongs to a response, a row: advantages.unsqueeze(-1)."""
    ratio = parts(logprobs, old_logprobs, advantages, clip)[0]
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


@oracle.misconception
def gradient_through_old(logprobs, old_logprobs, advantages, clip):
    """A gradient flows into old_logprobs. The old policy is history: .detach() them."""
    ratio, advantage = torch.exp(logprobs - old_logprobs), advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


@oracle.misconception
def gradient_through_advantages(logprobs, old_logprobs, advantages, clip):
    """A gradient flows into the advantages. They are data: .detach() them."""
    ratio, advantage = torch.exp(logprobs - old_logprobs.detach()), advantages.unsqueeze(-1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


@half_oracle.misconception
def ratio_in_half(logprobs, old_logprobs, advantages, clip):
    """You take exp in half precision, where it overflows beyond 11. Call .float() on the log-probabilities first."""
    ratio, advantage = torch.exp(logprobs - old_logprobs.detach()), advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


@half_oracle.misconception
def loss_in_half(logprobs, old_logprobs, advantages, clip):
    """You cast the loss back to half precision. It stays float32."""
    return clipped_surrogate(logprobs, old_logprobs, advantages, clip).to(logprobs.dtype)
