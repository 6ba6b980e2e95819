"""The pipeline's stages of alignment: a reward model, DPO, GRPO and PPO, each starting from the finetuned policy.

Each measures whether the intended figure rises, and the KL divergence from the reference that this costs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch

from reference_impl.alignment.dpo import sequence_logprobs
from reference_impl.alignment.dpo_training import DPOTrainer, collate_preferences
from reference_impl.alignment.grpo_training import GRPOTrainer
from reference_impl.alignment.policy_training import RolloutConfig
from reference_impl.alignment.ppo_training import PPOTrainer, ValueModel
from reference_impl.alignment.reward_training import (
    RewardModel,
    best_of_n,
    measure_ranking,
    sample_pairs,
    train_reward_model,
)
from reference_impl.alignment.rollouts import Rollout, kl_divergence, sample_rollout
from reference_impl.finetuning.chat import ChatTokenizer, pad_responses
from reference_impl.finetuning.finetune import MAX_ANSWER_TOKENS, measure_accuracy
from reference_impl.finetuning.instructions import Instruction, score
from reference_impl.model.language_model import LanguageModel
from reference_impl.pipeline.milestones import Milestone, make_milestone
from reference_impl.pipeline.run import Run
from reference_impl.training.data import Batches
from reference_impl.training.loop import TrainingLoop

__all__ = ["run_dpo", "run_grpo", "run_ppo", "run_reward_model"]

SAMPLES = 8
"""sampled answers to each held-out question, for a precise estimate of the score of the best of four"""
NLL_WEIGHT = 4.0
"""DPO's loss is of whole responses, this term a mean over tokens, and a typical response has four tokens"""
CHOICES = 4
"""sampled answers from which the reward model chooses; with more of them it more often finds one that it overrates"""
PPO_BETA = 0.05
TEMPERATURE = 1.3
"""for the answers that train the reward model and those that it chooses from: at 1, a policy that is mostly right makes
few mistakes to learn from, and a reward model is only reliable on answers like those that it was trained on"""


def run_reward_model(run: Run) -> list[Milestone]:
    """Train a reward model on preference pairs, and choose among sampled answers by its rewards."""
    policy, chat = run.load("sft")
    model = RewardModel(policy)
    questions = run.held_out_questions()
    held_out = sample_pairs(policy, chat, questions, seed=run.seed)
    before = measure_ranking(model, chat, held_out)["accuracy"]
    rated = run.alignment_questions()[: run.preset.n_rated]
    pairs = sample_pairs(policy, chat, rated, run.preset.group, run.seed, temperature=TEMPERATURE)
    batch_size, folder = run.preset.batch_size, run.folder / "reward_model"
    train_reward_model(model, chat, pairs, run.preset.reward, batch_size, folder / "run", run.resume, run.seed)
    torch.save(model.state_dict(), folder / "reward.pt")
    after = measure_ranking(model, chat, held_out)["accuracy"]
    answers = _sample_held_out(run, policy, chat, SAMPLES, TEMPERATURE)
    scores = _score_rollout(answers, chat, questions).view(-1, SAMPLES)
    rewards = model.score(answers.prompts, answers.responses, chat.pad).cpu().view(-1, SAMPLES)
    chosen = best_of_n(scores, rewards, CHOICES)
    return [
        make_milestone("reward model", "ranks held-out pairs", before, after),
        make_milestone("reward model", f"picks the best of {CHOICES}", scores.mean().item(), chosen),
    ]


def run_dpo(run: Run) -> list[Milestone]:
    """Train the policy directly on preference pairs."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    # Only its own samples: trained against texts that it would never generate, a policy becomes worse at its own.
    rated = run.alignment_questions()[: run.preset.n_rated]
    pairs = sample_pairs(policy, chat, rated, run.preset.group, run.seed, synthetic=False)
    collate = partial(collate_preferences, pad=chat.pad, device=run.device)
    if pairs:  # a policy whose answers are all right, or all wrong, yields none and stays unchanged
        batches = Batches(pairs, min(run.preset.batch_size, len(pairs)), collate, seed=run.seed)
        folder = run.folder / "dpo" / "run"
        trainer = DPOTrainer(policy, reference, batches, run.preset.dpo, nll_weight=NLL_WEIGHT, folder=folder)
        _train(trainer, run)
    run.save("dpo", policy, chat)
    return _measure_alignment("DPO", run, policy, reference, chat)


def run_grpo(run: Run) -> list[Milestone]:
    """Train the policy on groups of its own answers, rewarded by their exact score."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    questions = run.alignment_questions()
    answers = {tuple(chat.prompt(one.question)): one.answer for one in questions}

    def reward(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]) -> torch.Tensor:
        pairs = zip(prompts, responses, strict=True)
        scores = [_score_response(response, answers[tuple(prompt)], chat) for prompt, response in pairs]
        return torch.tensor(scores, device=run.device)

    rollouts = RolloutConfig(run.preset.rollout_questions, run.preset.group, max_new_tokens=MAX_ANSWER_TOKENS)
    trainer = GRPOTrainer(
        policy, reference, chat, [one.question for one in questions], reward, run.preset.grpo, rollouts,
        run.new_generator(), folder=run.folder / "grpo" / "run", description="GRPO",
    )  # fmt: skip
    _train(trainer, run)
    run.save("grpo", policy, chat)
    return _measure_alignment("GRPO", run, policy, reference, chat)


def run_ppo(run: Run) -> list[Milestone]:
    """Train the policy with a critic on the rewards of the reward model, which may also overrate wrong answers."""
    if run.preset.ppo is None:
        return []
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    rewards = RewardModel(policy)
    rewards.load_state_dict(
        torch.load(run.folder / "reward_model" / "reward.pt", map_location=run.device, weights_only=True)
    )
    before = _sample_held_out(run, policy, chat)
    rollouts = RolloutConfig(
        run.preset.rollout_questions * run.preset.group, beta=PPO_BETA, max_new_tokens=MAX_ANSWER_TOKENS
    )
    trainer = PPOTrainer(
        policy, ValueModel(copy.deepcopy(policy)), reference, chat,
        [one.question for one in run.alignment_questions()],
        lambda prompts, responses: rewards.score(prompts, responses, chat.pad),
        run.preset.ppo, rollouts, run.new_generator(), folder=run.folder / "ppo" / "run",
    )  # fmt: skip
    _train(trainer, run)
    after = _sample_held_out(run, policy, chat)
    means = [rewards.score(one.prompts, one.responses, chat.pad).mean().item() for one in (before, after)]
    distance = kl_divergence(policy, reference, after.tokens, after.mask)
    return [
        make_milestone("PPO", "raises the learned reward", *means),
        make_milestone("PPO", "stays near the reference", 0.0, distance),
    ]


def _train(trainer: TrainingLoop, run: Run) -> None:
    if run.resume:
        trainer.resume()
    trainer.run()


def _measure_alignment(
    part: str, run: Run, policy: LanguageModel, reference: LanguageModel, chat: ChatTokenizer
) -> list[Milestone]:
    """Compares the policy with its reference: probability of correct answers, greedy accuracy, KL divergence."""
    questions = run.held_out_questions()
    probabilities = [_measure_probability(model, chat, questions) for model in (reference, policy)]
    greedy = [measure_accuracy(model, chat, questions)["all"] for model in (reference, policy)]
    answers = _sample_held_out(run, policy, chat)
    distance = kl_divergence(policy, reference, answers.tokens, answers.mask)
    return [
        make_milestone(part, "raises the probability of correct answers", *probabilities),
        make_milestone(part, "keeps the greedy accuracy", *greedy),
        make_milestone(part, "stays near the reference", 0.0, distance),
    ]


@torch.no_grad()
def _measure_probability(policy: LanguageModel, chat: ChatTokenizer, questions: Sequence[Instruction]) -> float:
    """The mean probability of exactly the correct answer: the expected accuracy of samples, without sampling noise."""
    prompts = [chat.prompt(one.question) for one in questions]
    sequences = [[*prompt, *chat.response(one.answer)] for prompt, one in zip(prompts, questions, strict=True)]
    tokens, mask = pad_responses(sequences, [len(prompt) for prompt in prompts], chat.pad)
    tokens, mask = tokens.to(policy.unembed.weight.device), mask.to(policy.unembed.weight.device)
    return sequence_logprobs(policy.eval()(tokens), tokens, mask).exp().mean().item()


def _sample_held_out(
    run: Run, policy: LanguageModel, chat: ChatTokenizer, group: int = 1, temperature: float = 1.0
) -> Rollout:
    """Samples `group` answers to each held-out question."""
    questions = [one.question for one in run.held_out_questions()]
    return sample_rollout(policy, chat, questions, group, MAX_ANSWER_TOKENS, temperature, run.new_generator())


def _score_rollout(rollout: Rollout, chat: ChatTokenizer, questions: Sequence[Instruction]) -> torch.Tensor:
    """(responses,): their scores; each question has the same number of responses."""
    group = len(rollout.responses) // len(questions)
    answers = [one.answer for one in questions for _ in range(group)]
    pairs = zip(rollout.responses, answers, strict=True)
    return torch.tensor([_score_response(response, answer, chat) for response, answer in pairs])


def _score_response(response: Sequence[int], answer: str, chat: ChatTokenizer) -> float:
    """A response that does not end scores 0."""
    return score(chat.decode(response), answer) if response[-1] == chat.end else 0.0
