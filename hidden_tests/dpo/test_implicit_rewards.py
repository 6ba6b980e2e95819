"""Hidden checks for the exercise `implicit_rewards`:  β (log π − log π_ref), and the share of pairs ranked right."""

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, tensors
from reference_impl.alignment.dpo import implicit_rewards, preference_accuracy

reward_oracle = Oracle(implicit_rewards)
accuracy_oracle = Oracle(preference_accuracy)


@st.composite
def log_probabilities(draw):
    """policy_logprobs, reference_logprobs: (batch,), and beta"""
    batch = draw(st.integers(1, 6))
    return *(draw(tensors((batch,))) - 3 for _ in range(2)), draw(st.sampled_from([0.5, 0.25, 2.0]))


@st.composite
def rewards(draw):
    """chosen and rejected rewards, (batch,) each, on a grid so coarse that ties are common, with either sign"""
    batch = draw(st.integers(1, 8))
    return tuple(draw(tensors((batch,))).round().clamp(-2, 2) for _ in range(2))


@check(points=1, examples=8)
@given(log_probabilities())
def test_rewards(student, inputs):
    """the implicit reward is beta times the log-ratio of policy and reference"""
    reward_oracle.compare(student.implicit_rewards(*inputs), *inputs)


@check(points=1, after=test_rewards, examples=5)
@given(log_probabilities())
def test_rewards_are_constants(student, inputs):
    """no gradient flows through the implicit rewards"""
    reward_oracle.compare_gradients(student.implicit_rewards, *inputs)


@check(points=2, examples=12)
@given(rewards())
def test_accuracy(student, inputs):
    """the accuracy is the share of pairs with a strictly larger chosen reward, a float32 tensor without axes"""
    accuracy_oracle.compare(student.preference_accuracy(*inputs), *inputs)


@reward_oracle.misconception
def reward_without_beta(policy_logprobs, reference_logprobs, beta):
    """You leave beta out. The implicit reward is beta times the log-ratio."""
    return (policy_logprobs - reference_logprobs).detach()


@reward_oracle.misconception
def reward_without_reference(policy_logprobs, reference_logprobs, beta):
    """You leave the reference out. The reward is how far the policy moved from it."""
    return beta * policy_logprobs.detach()


@reward_oracle.misconception
def reward_sign(policy_logprobs, reference_logprobs, beta):
    """You subtract the policy from the reference. What the policy now favours has a positive reward: turn it round."""
    return implicit_rewards(reference_logprobs, policy_logprobs, beta)


@reward_oracle.misconception
def reward_as_ratio(policy_logprobs, reference_logprobs, beta):
    """You return the ratio of the probabilities. The reward is its logarithm: the difference of log-probabilities."""
    return beta * (policy_logprobs - reference_logprobs).detach().exp()


@reward_oracle.misconception
def reward_keeps_gradient(policy_logprobs, reference_logprobs, beta):
    """A gradient flows through your rewards. They are for reading: .detach() them."""
    return beta * (policy_logprobs - reference_logprobs)


@accuracy_oracle.misconception
def ties_count_as_right(chosen_rewards, rejected_rewards):
    """You count ties as right, so a policy that learned nothing scores 1. The chosen reward must be strictly larger."""
    return (chosen_rewards >= rejected_rewards).float().mean()


@accuracy_oracle.misconception
def ties_count_half(chosen_rewards, rejected_rewards):
    """You count a tie as half a pair. Our convention counts it as wrong."""
    return ((chosen_rewards - rejected_rewards).sign() / 2 + 0.5).mean()


@accuracy_oracle.misconception
def counts_pairs(chosen_rewards, rejected_rewards):
    """You count the pairs. The accuracy is their share: divide by how many there are."""
    return (chosen_rewards > rejected_rewards).float().sum()


@accuracy_oracle.misconception
def positive_chosen_rewards(chosen_rewards, rejected_rewards):
    """You ask whether the chosen reward is positive. Ask whether it is larger than that of the rejected response."""
    return (chosen_rewards > 0).float().mean()


@accuracy_oracle.misconception
def one_verdict_per_pair(chosen_rewards, rejected_rewards):
    """You return one verdict per pair. Return their mean, as float32."""
    return chosen_rewards > rejected_rewards
