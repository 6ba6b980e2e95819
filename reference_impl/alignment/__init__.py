"""Alignment with preferences and rewards: a reward model, DPO, GRPO and PPO."""
