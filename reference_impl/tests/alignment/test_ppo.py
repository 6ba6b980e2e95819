"""Compares the parts of PPO with their definitions, and checks the identities between them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.alignment.ppo import gae, penalised_rewards, value_loss

FEW_EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 1000)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(SEEDS, st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
@FEW_EXAMPLES
def test_gae_is_the_discounted_sum_of_td_errors(seed: int, seq: int, gamma: float, lam: float) -> None:
    rewards, values = draw(2, seq, seed=seed), draw(2, seq, seed=seed + 1)
    padded = torch.cat([values, torch.zeros(2, 1).double()], dim=-1)
    deltas = rewards + gamma * padded[:, 1:] - values
    expected = [sum((gamma * lam) ** (k - t) * deltas[:, k] for k in range(t, seq)) for t in range(seq)]
    torch.testing.assert_close(gae(rewards, values, gamma, lam), torch.stack(expected, dim=-1))


@given(SEEDS)
@FEW_EXAMPLES
def test_gae_at_lambda_one_and_zero(seed: int) -> None:
    """lam = 1 is the reward-to-go minus the value; gamma = 0 is the TD error of one step."""
    rewards, values = draw(2, 5, seed=seed), draw(2, 5, seed=seed + 1)
    reward_to_go = rewards.flip(-1).cumsum(-1).flip(-1)
    torch.testing.assert_close(gae(rewards, values, 1.0, 1.0), reward_to_go - values)
    torch.testing.assert_close(gae(rewards, values, 0.0, 0.5), rewards - values)


def test_gae_is_zero_for_exact_values() -> None:
    rewards = draw(3, 4)
    values = rewards.flip(-1).cumsum(-1).flip(-1)
    torch.testing.assert_close(gae(rewards, values, 1.0, 0.95), torch.zeros(3, 4).double(), atol=1e-12, rtol=0)


@given(SEEDS, st.floats(0, 1))
@FEW_EXAMPLES
def test_penalised_rewards_sum_to_score_minus_penalty(seed: int, beta: float) -> None:
    scores, logprobs, reference = draw(4, seed=seed), draw(4, 5, seed=seed + 1), draw(4, 5, seed=seed + 2)
    mask = torch.rand(4, 5, generator=torch.Generator().manual_seed(seed)) < 0.6
    rewards = penalised_rewards(scores, logprobs, reference, mask, beta)
    penalty = beta * ((logprobs - reference) * mask).sum(-1)
    torch.testing.assert_close(rewards.sum(-1), scores * mask.any(-1) - penalty)
    assert bool((rewards[~mask] == 0).all())


def test_penalised_rewards_adds_the_score_at_the_last_unmasked_token() -> None:
    mask = torch.tensor([[False, True, True, False], [True, False, True, True], [False] * 4])
    zeros = torch.zeros(3, 4)
    rewards = penalised_rewards(torch.tensor([1.0, 2.0, 3.0]), zeros, zeros, mask)
    assert rewards.tolist() == [[0, 0, 1, 0], [0, 0, 0, 2], [0, 0, 0, 0]]


def test_value_loss_is_at_least_the_unclipped_loss() -> None:
    values, old, returns = draw(3, 3, 4).unbind()
    plain = 0.5 * (values - returns).square()
    assert bool((value_loss(values, old, returns, 0.2) >= plain).all())
    torch.testing.assert_close(value_loss(values, old, returns, 1e6), plain)


@pytest.mark.parametrize("position", [1, 2])
def test_value_loss_gives_old_values_and_returns_no_gradient(position: int) -> None:
    parts = [part.requires_grad_() for part in draw(3, 3, 4).unbind()]
    gradients = torch.autograd.grad(value_loss(*parts).sum(), parts, allow_unused=True)
    assert gradients[0] is not None
    assert gradients[position] is None
    assert not gae(parts[0], parts[1]).requires_grad
    assert not penalised_rewards(parts[0][:, 0], parts[0], parts[1], torch.ones(3, 4, dtype=torch.bool)).requires_grad


def test_value_loss_counts_the_clipped_value_where_it_is_further_off() -> None:
    """From 0 the value may move to 0.2 at most, so a value that jumps to its return is not believed."""
    values, old, returns = torch.tensor([[1.0, 0.1, -1.0]]), torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 1.0]])
    torch.testing.assert_close(value_loss(values, old, returns, 0.2), torch.tensor([[0.32, 0.405, 2.0]]))
