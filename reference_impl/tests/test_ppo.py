"""PPO's pieces against their definitions written out, and the laws that tie them together."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.ppo import gae, penalised_rewards, value_loss

FEW = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 1000)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(SEEDS, st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
@FEW
def test_gae_is_the_sum_of_discounted_differences(seed: int, seq: int, gamma: float, lam: float) -> None:
    rewards, values = drawn(2, seq, seed=seed), drawn(2, seq, seed=seed + 1)
    padded = torch.cat([values, torch.zeros(2, 1).double()], dim=-1)
    deltas = rewards + gamma * padded[:, 1:] - values
    wanted = [sum((gamma * lam) ** (k - t) * deltas[:, k] for k in range(t, seq)) for t in range(seq)]
    torch.testing.assert_close(gae(rewards, values, gamma, lam), torch.stack(wanted, dim=-1))


@given(SEEDS)
@FEW
def test_gae_at_its_ends(seed: int) -> None:
    """lam = 1 is the reward still to come minus the value; lam = 0 is one difference."""
    rewards, values = drawn(2, 5, seed=seed), drawn(2, 5, seed=seed + 1)
    to_come = rewards.flip(-1).cumsum(-1).flip(-1)
    torch.testing.assert_close(gae(rewards, values, 1.0, 1.0), to_come - values)
    torch.testing.assert_close(gae(rewards, values, 0.0, 0.5), rewards - values)


def test_a_value_that_is_right_leaves_no_advantage() -> None:
    rewards = drawn(3, 4)
    values = rewards.flip(-1).cumsum(-1).flip(-1)
    torch.testing.assert_close(gae(rewards, values, 1.0, 0.95), torch.zeros(3, 4).double(), atol=1e-12, rtol=0)


@given(SEEDS, st.floats(0, 1))
@FEW
def test_rewards_sum_to_the_score_minus_the_penalty(seed: int, beta: float) -> None:
    scores, logprobs, reference = drawn(4, seed=seed), drawn(4, 5, seed=seed + 1), drawn(4, 5, seed=seed + 2)
    mask = torch.rand(4, 5, generator=torch.Generator().manual_seed(seed)) < 0.6
    rewards = penalised_rewards(scores, logprobs, reference, mask, beta)
    penalty = beta * ((logprobs - reference) * mask).sum(-1)
    torch.testing.assert_close(rewards.sum(-1), scores * mask.any(-1) - penalty)
    assert bool((rewards[~mask] == 0).all())


def test_the_score_stands_on_the_last_kept_token() -> None:
    mask = torch.tensor([[False, True, True, False], [True, False, True, True], [False] * 4])
    zeros = torch.zeros(3, 4)
    rewards = penalised_rewards(torch.tensor([1.0, 2.0, 3.0]), zeros, zeros, mask)
    assert rewards.tolist() == [[0, 0, 1, 0], [0, 0, 0, 2], [0, 0, 0, 0]]


def test_value_loss_is_never_below_the_plain_square() -> None:
    values, old, returns = drawn(3, 3, 4).unbind()
    plain = 0.5 * (values - returns).square()
    assert bool((value_loss(values, old, returns, 0.2) >= plain).all())
    torch.testing.assert_close(value_loss(values, old, returns, 1e6), plain)


@pytest.mark.parametrize("position", [1, 2])
def test_no_gradient_reaches_old_values_or_returns(position: int) -> None:
    parts = [part.requires_grad_() for part in drawn(3, 3, 4).unbind()]
    gradients = torch.autograd.grad(value_loss(*parts).sum(), parts, allow_unused=True)
    assert gradients[0] is not None
    assert gradients[position] is None
    assert not gae(parts[0], parts[1]).requires_grad
    assert not penalised_rewards(parts[0][:, 0], parts[0], parts[1], torch.ones(3, 4, dtype=torch.bool)).requires_grad
