"""Counts ties as half."""

# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    return beta * (policy_logprobs - reference_logprobs).detach()


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return ((chosen_rewards - rejected_rewards).sign() / 2 + 0.5).mean()
