"""Does not look at the rejected rewards."""

# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    return beta * (policy_logprobs - reference_logprobs).detach()


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return (chosen_rewards > 0).float().mean()
