"""Hidden checks for the exercise `ppo`: rewards with a KL penalty, generalised advantages, the value loss."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, tensors
from reference_impl.alignment.ppo import gae, penalised_rewards, value_loss

reward_oracle, gae_oracle, value_oracle = Oracle(penalised_rewards), Oracle(gae), Oracle(value_loss)


@st.composite
def scored_responses(draw):
    """scores, logprobs, reference_logprobs, mask, beta; a response may begin late, end early, have a gap or be empty"""
    batch, seq = draw(st.integers(2, 4)), draw(st.integers(3, 6))
    mask = torch.rand(batch, seq, generator=torch.Generator().manual_seed(draw(st.integers(0, 2**16)))) < 0.6
    mask[0] = torch.arange(seq) < seq - 1
    mask[-1] &= draw(st.booleans())
    logprobs, reference = (draw(tensors((batch, seq))).clamp(-2, 2) - 3 for _ in range(2))
    return draw(tensors((batch,))) + 2, logprobs, reference, mask, draw(st.sampled_from([0.5, 0.25]))


@st.composite
def rewards_and_values(draw):
    """rewards, values: (batch, seq), gamma, lam"""
    shape = draw(st.integers(1, 3)), draw(st.integers(3, 6))
    discounts = draw(st.sampled_from([(0.9, 0.5), (1.0, 0.75), (0.5, 1.0), (0.75, 0.0)]))
    return draw(tensors(shape)), draw(tensors(shape)), *discounts


@st.composite
def value_inputs(draw):
    """values, old_values, returns: (batch, seq), clip; values lie on either side of the clip"""
    shape = draw(st.integers(1, 3)), draw(st.integers(2, 6))
    return *(draw(tensors(shape)) for _ in range(3)), draw(st.sampled_from([0.1, 0.5]))


@check(points=2, examples=12)
@given(scored_responses())
def test_rewards(student, inputs):
    """each kept token costs beta times its log-ratio, and the last kept one earns the score"""
    reward_oracle.compare(student.penalised_rewards(*inputs), *inputs)


@check(points=2, examples=12)
@given(rewards_and_values())
def test_advantages(student, inputs):
    """advantages are discounted sums of the temporal differences, from the end backwards"""
    gae_oracle.compare(student.gae(*inputs), *inputs)


@check(points=2, examples=12)
@given(value_inputs())
def test_value_loss(student, inputs):
    """the value loss is half the larger of the two squares, with and without the clip"""
    value_oracle.compare(student.value_loss(*inputs), *inputs)


@check(points=1, after=test_rewards, examples=4)
@given(scored_responses())
def test_rewards_are_data(student, inputs):
    """no gradient flows through the penalised rewards"""
    reward_oracle.compare_gradients(student.penalised_rewards, *inputs)


@check(points=1, after=test_advantages, examples=4)
@given(rewards_and_values())
def test_advantages_are_data(student, inputs):
    """no gradient flows through the advantages"""
    gae_oracle.compare_gradients(student.gae, *inputs)


@check(points=1, after=test_value_loss, examples=6)
@given(value_inputs())
def test_value_gradient(student, inputs):
    """the gradient of the value loss reaches values, and neither old_values nor returns"""
    value_oracle.compare_gradients(student.value_loss, *inputs)


@reward_oracle.misconception
def score_on_every_token(scores, logprobs, reference_logprobs, mask, beta):
    """You give the score to every kept token. Only the last kept token earns it."""
    penalty = -beta * (logprobs - reference_logprobs).detach()
    return (penalty + scores.unsqueeze(-1)).masked_fill(~mask, 0.0)


@reward_oracle.misconception
def score_on_last_position(scores, logprobs, reference_logprobs, mask, beta):
    """You give the score to the last position, which may be padding. Find the last kept token of each response."""
    rewards = -beta * (logprobs - reference_logprobs).detach().masked_fill(~mask, 0.0)
    return torch.cat([rewards[:, :-1], rewards[:, -1:] + scores.unsqueeze(-1)], dim=-1)


@reward_oracle.misconception
def score_by_count(scores, logprobs, reference_logprobs, mask, beta):
    """You look for the last token at position mask.sum() − 1, which is right only if the response begins at 0."""
    rewards = -beta * (logprobs - reference_logprobs).detach().masked_fill(~mask, 0.0)
    where = torch.arange(mask.shape[-1]) == mask.sum(dim=-1, keepdim=True) - 1
    return rewards + where * scores.unsqueeze(-1)


@reward_oracle.misconception
def score_of_empty_response(scores, logprobs, reference_logprobs, mask, beta):
    """A response without kept tokens still gets its score, on some position. It has only zeros."""
    empty_as_full = torch.where(mask.any(dim=-1, keepdim=True), mask, torch.arange(mask.shape[-1]) < 1)
    without = penalised_rewards(scores * 0, logprobs, reference_logprobs, mask, beta)
    return without + penalised_rewards(scores, logprobs, logprobs, empty_as_full, beta)


@reward_oracle.misconception
def penalty_replaced_by_score(scores, logprobs, reference_logprobs, mask, beta):
    """On the last token you write the score over the penalty. Add it."""
    zero = torch.zeros_like(scores)
    last = penalised_rewards(zero + 1, logprobs, logprobs, mask, beta) != 0
    rewards = penalised_rewards(zero, logprobs, reference_logprobs, mask, beta)
    return torch.where(last, scores.unsqueeze(-1), rewards)


@reward_oracle.misconception
def penalty_sign(scores, logprobs, reference_logprobs, mask, beta):
    """Your penalty rewards straying from the reference: −beta (logprobs − reference_logprobs)."""
    return penalised_rewards(scores, reference_logprobs, logprobs, mask, beta)


@reward_oracle.misconception
def penalty_on_padding(scores, logprobs, reference_logprobs, mask, beta):
    """You penalise tokens where the mask is False. The reward there is 0."""
    everywhere = -beta * (logprobs - reference_logprobs).detach()
    return torch.where(mask, penalised_rewards(scores, logprobs, reference_logprobs, mask, beta), everywhere)


@reward_oracle.misconception
def rewards_keep_gradient(scores, logprobs, reference_logprobs, mask, beta):
    """A gradient flows through your rewards. They are data: .detach() them."""
    rewards = penalised_rewards(scores, logprobs, reference_logprobs, mask, beta)
    attached = (-beta * (logprobs - reference_logprobs)).masked_fill(~mask, 0.0)
    return rewards + attached - attached.detach()


@gae_oracle.misconception
def gae_forwards(rewards, values, gamma, lam):
    """You add up from the beginning. An advantage looks ahead: run from the last token to the first."""
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=-1)
    deltas = (rewards + gamma * following - values).detach()
    return gae(deltas.flip(-1), torch.zeros_like(deltas), gamma, lam).flip(-1)


@gae_oracle.misconception
def gae_without_lambda(rewards, values, gamma, lam):
    """You leave lam out: A_t = δ_t + γ λ A_{t+1}."""
    return gae(rewards, values, gamma, 1.0)


@gae_oracle.misconception
def gae_gamma_in_delta_only(rewards, values, gamma, lam):
    """You discount the next value with gamma, but not the next advantage: A_t = δ_t + γ λ A_{t+1}."""
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=-1)
    deltas = (rewards + gamma * following - values).detach()
    return gae(deltas, torch.zeros_like(deltas), 1.0, lam)


@gae_oracle.misconception
def gae_without_next_value(rewards, values, gamma, lam):
    """Your δ lacks the next value: δ_t = r_t + γ V_{t+1} − V_t."""
    return gae((rewards - values).detach(), torch.zeros_like(values), gamma, lam)


@gae_oracle.misconception
def gae_bootstraps_the_end(rewards, values, gamma, lam):
    """Behind the last token you go on with its own value. Nothing follows: the value there is 0."""
    following = torch.cat([values[:, 1:], values[:, -1:]], dim=-1)
    deltas = (rewards + gamma * following - values).detach()
    return gae(deltas, torch.zeros_like(deltas), gamma, lam)


@gae_oracle.misconception
def gae_wraps_around(rewards, values, gamma, lam):
    """You use roll, so that the first value follows the last token. Behind the last token the value is 0."""
    deltas = (rewards + gamma * values.roll(-1, dims=-1) - values).detach()
    return gae(deltas, torch.zeros_like(deltas), gamma, lam)


@gae_oracle.misconception
def gae_returns(rewards, values, gamma, lam):
    """You return the returns, advantage plus value. Return the advantages alone."""
    return gae(rewards, values, gamma, lam) + values.detach()


@gae_oracle.misconception
def gae_whitened(rewards, values, gamma, lam):
    """You whiten the advantages, as TRL and verl do. Ours are returned as they are."""
    advantages = gae(rewards, values, gamma, lam)
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


@gae_oracle.misconception
def gae_keeps_gradient(rewards, values, gamma, lam):
    """A gradient flows through your advantages. They are data: .detach() rewards and values."""
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=-1)
    delta, found = rewards + gamma * following - values, [torch.zeros_like(values[:, 0])]
    for t in reversed(range(values.shape[1])):
        found.insert(0, delta[:, t] + gamma * lam * found[0])
    return torch.stack(found[:-1], dim=-1)


@value_oracle.misconception
def value_without_half(values, old_values, returns, clip):
    """You leave out the factor ½."""
    return 2 * value_loss(values, old_values, returns, clip)


@value_oracle.misconception
def value_not_clipped(values, old_values, returns, clip):
    """The clip has no effect in your loss. Take the larger of the plain square and that of V kept near the old V."""
    return 0.5 * (values - returns.detach()).square()


@value_oracle.misconception
def value_min_for_max(values, old_values, returns, clip):
    """You take the smaller square. The larger one is the cautious choice: a loss that cannot be lowered by the clip."""
    clipped = old_values.detach() + (values - old_values.detach()).clamp(-clip, clip)
    return 0.5 * torch.minimum((values - returns.detach()).square(), (clipped - returns.detach()).square())


@value_oracle.misconception
def value_clipped_only(values, old_values, returns, clip):
    """You take the clipped square only. Take the larger of it and the plain one."""
    clipped = old_values.detach() + (values - old_values.detach()).clamp(-clip, clip)
    return 0.5 * (clipped - returns.detach()).square()


@value_oracle.misconception
def value_gradient_to_returns(values, old_values, returns, clip):
    """A gradient flows into returns or old_values. They are data: .detach() them."""
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())
