"""Hidden checks for the exercise `losses`: balance_loss and router_z_loss."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.model.moe import balance_loss, route, router_z_loss

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle, gradient_oracle, z_oracle = Oracle(balance_loss), Oracle(balance_loss), Oracle(router_z_loss)
hard_oracle, hard_z_oracle = Oracle(balance_loss), Oracle(router_z_loss)


@st.composite
def routings(draw, *, dtype=torch.float32, scales=(1.0,), offsets=(0.0,)):
    """(logits, k): logits (tokens, n_experts) whose rows have no two equal or nearly equal numbers"""
    tokens, n_experts = draw(st.sampled_from([(4, 3), (3, 5), (6, 4), (7, 3)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    order = torch.rand(tokens, n_experts, generator=generator).argsort(dim=-1)
    jitter = torch.rand(tokens, n_experts, generator=generator) / 4
    logits = (0.5 * order + jitter - 1) * draw(st.sampled_from(scales)) + draw(st.sampled_from(offsets))
    return logits.to(dtype), draw(st.integers(1, n_experts - 1))


HARD = st.one_of(routings(offsets=(1e4, -1e4)), routings(dtype=torch.float16, offsets=(300.0, 0.0), scales=(16.0,)))


@check(points=2, examples=20)
@given(routings())
def test_balance(student, routing):
    """balance_loss is n · Σ f · P, which is 1 when all experts are used alike"""
    oracle.compare(student.balance_loss(*routing), *routing)


@check(points=1, after=test_balance, examples=10)
@given(routings())
def test_balance_gradient(student, routing):
    """the gradient of balance_loss flows through the probabilities P, so that the router can learn from it"""
    gradient_oracle.compare_gradients(student.balance_loss, *routing)


@check(points=1, after=test_balance, examples=10)
@given(HARD)
def test_balance_of_hard_numbers(student, routing):
    """balance_loss is right for logits of 10 000, and float32 for float16 logits"""
    hard_oracle.compare(student.balance_loss(*routing), *routing)


@check(points=2, examples=15)
@given(routings(scales=(1.0, 4.0), offsets=(0.0, 3.0)))
def test_z_loss(student, routing):
    """router_z_loss is the mean over tokens of the square of logsumexp"""
    z_oracle.compare(student.router_z_loss(routing[0]), routing[0])


@check(points=1, after=test_z_loss, examples=10)
@given(HARD)
def test_z_loss_of_hard_numbers(student, routing):
    """router_z_loss is finite for logits of 10 000, and float32 for float16 logits"""
    hard_z_oracle.compare(student.router_z_loss(routing[0]), routing[0])


def shares(logits, k):
    return route(logits, k).ne(0).float().mean(dim=0) / k


def probabilities(logits):
    return logits.float().softmax(dim=-1).mean(dim=0)


@oracle.misconception
def balance_without_n(logits, k):
    """The factor n is missing, or a mean over the experts takes it away: n times the sum, and even use gives 1."""
    return (shares(logits, k) * probabilities(logits)).sum()


@oracle.misconception
def balance_counts_per_token(logits, k):
    """Your f sums to k, as in Mixtral. Divide the counts by all choices, tokens · k, and even use gives 1."""
    return k * balance_loss(logits, k)


@oracle.misconception
def balance_top_one(logits, k):
    """You count each token's first choice only. All k of its choices count."""
    return balance_loss(logits, 1)


@oracle.misconception
def balance_soft_shares(logits, k):
    """You use P in the place of f. f counts choices: how often an expert is among the k largest."""
    return logits.shape[-1] * probabilities(logits).square().sum()


@oracle.misconception
def balance_hard_only(logits, k):
    """You use the counts f twice. The second factor is the mean probability P, which has a gradient."""
    return logits.shape[-1] * shares(logits, k).square().sum()


@oracle.misconception
def balance_of_gates(logits, k):
    """Your P is the mean gate. P is the mean of the softmax over all experts, chosen or not."""
    return logits.shape[-1] * (shares(logits, k) * route(logits, k).mean(dim=0)).sum()


@oracle.misconception
def balance_softmax_over_tokens(logits, k):
    """Your softmax runs over the tokens. Each token's probabilities over the experts sum to 1: dim=-1."""
    return logits.shape[-1] * (shares(logits, k) * logits.softmax(dim=0).mean(dim=0)).sum()


@oracle.misconception
def balance_sums_tokens(logits, k):
    """You sum probabilities over the tokens. P is their mean."""
    return len(logits) * balance_loss(logits, k)


@gradient_oracle.misconception
def balance_detached(logits, k):
    """Your P is cut off from autograd (.detach(), .item() or no_grad): the loss is right, but nobody learns from it."""
    return balance_loss(logits, k).detach()


@z_oracle.misconception
def z_without_square(logits):
    """You do not square logsumexp. The loss is the mean of its square, so that it pulls towards 0 from both sides."""
    return logits.logsumexp(dim=-1).mean()


@z_oracle.misconception
def z_square_of_mean(logits):
    """You average first and square then. Square each token's logsumexp, then average."""
    return logits.logsumexp(dim=-1).mean().square()


@z_oracle.misconception
def z_sums_tokens(logits):
    """You sum over the tokens. Take the mean, so that the loss does not grow with the batch."""
    return logits.logsumexp(dim=-1).square().sum()


@z_oracle.misconception
def z_over_tokens(logits):
    """Your logsumexp runs over the tokens. Each token has one over its experts: dim=-1."""
    return logits.logsumexp(dim=0).square().mean()


@z_oracle.misconception
def z_of_logits(logits):
    """You square the logits themselves. Square logsumexp, one number for each token."""
    return logits.square().mean()


@z_oracle.misconception
def z_of_sum(logits):
    """The logarithm is missing: you square the sum of exponentials. logsumexp is its logarithm."""
    return logits.exp().sum(dim=-1).square().mean()


@hard_z_oracle.misconception
def z_overflows(logits):
    """Your exponentials overflow, or all become 0. torch.logsumexp takes the largest logit out first."""
    return logits.float().exp().sum(dim=-1).log().square().mean()


@hard_z_oracle.misconception
def z_in_half(logits):
    """You compute in float16, whose squares end at 65 504. Cast half-precision logits to float32 first."""
    return logits.logsumexp(dim=-1).square().mean()


@hard_oracle.misconception
def balance_in_half(logits, k):
    """Your loss is float16. Cast half-precision logits to float32 first and return float32."""
    return balance_loss(logits, k).to(logits.dtype)
