"""The pipeline's stages that align: a reward model, then DPO, GRPO and PPO, each from the finetuned policy.

Each says what it claims to have raised, and how far from the reference the policy went for it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from itertools import islice

import torch

from reference_impl import alignment
from reference_impl.alignment import Rollout, ValueModel, kl_divergence, preference_batch, rollout
from reference_impl.chat import ChatTokenizer
from reference_impl.data import Batches
from reference_impl.finetuning import LONGEST_ANSWER, follows
from reference_impl.instructions import Instruction, score
from reference_impl.milestones import Milestone, measured
from reference_impl.model import LanguageModel
from reference_impl.reward_model import RewardModel, ranking, rated_pairs, train_reward_model
from reference_impl.run import Run

__all__ = ["dpo", "grpo", "ppo", "reward_model"]

DRAWS = 8
"""answers to each held-out question: what a policy says is measured on many draws, which cost little"""
NLL_WEIGHT = 4.0
"""DPO's loss is of whole responses and this one of a token: four tokens are a common length of a response"""
CHOICES = 4
"""answers among which the reward model chooses; with more it finds one that fools it"""


def reward_model(run: Run) -> list[Milestone]:
    """A judge that is learned from comparisons, and what choosing by it is worth."""
    policy, chat = run.load("sft")
    model = RewardModel(policy)
    asked = run.held_out()
    held_out = rated_pairs(policy, chat, asked, seed=run.seed)
    before = ranking(model, chat, held_out)["accuracy"]
    # Hotter than it will be judged: a policy that is mostly right has few mistakes to learn from.
    rated = run.new_questions()[: run.preset.n_rated]
    pairs = rated_pairs(policy, chat, rated, run.preset.group, run.seed, temperature=1.3)
    batch_size, folder = run.preset.batch_size, run.folder / "reward_model"
    train_reward_model(model, chat, pairs, run.preset.reward, batch_size, folder / "run", run.resume, run.seed)
    torch.save(model.state_dict(), folder / "reward.pt")
    after = ranking(model, chat, held_out)["accuracy"]
    drawn = _drawn(run, policy, chat, DRAWS)
    scores = _scores(drawn, chat, asked).view(-1, CHOICES)
    rewards = model.judge(drawn.prompts, drawn.responses, chat.pad).cpu().view(-1, CHOICES)
    chosen = scores.gather(1, rewards.argmax(dim=1, keepdim=True))
    return [
        measured("reward model", "ranks held-out pairs", before, after),
        measured("reward model", f"picks the best of {CHOICES}", scores.mean().item(), chosen.mean().item()),
    ]


def dpo(run: Run) -> list[Milestone]:
    """Preferences straight into the policy."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    # Its own words only: pushed away from texts that it would never write, a policy forgets what it would.
    rated = run.new_questions()[: run.preset.n_rated]
    pairs = rated_pairs(policy, chat, rated, run.preset.group, run.seed, written=False)
    collated = partial(preference_batch, pad=chat.pad, device=run.device)
    # A policy whose answers are all right, or all wrong, prefers nothing and stays as it is.
    batch_size = min(run.preset.batch_size, len(pairs))
    batches = list(islice(Batches(pairs, batch_size, collated, seed=run.seed), run.preset.dpo_steps)) if pairs else []
    rate, folder = run.preset.dpo_learning_rate, run.folder / "dpo"
    alignment.dpo(policy, reference, batches, rate, nll_weight=NLL_WEIGHT, folder=folder)
    run.save("dpo", policy, chat)
    return _aligned("DPO", run, policy, reference, chat)


def grpo(run: Run) -> list[Milestone]:
    """The policy's own answers, compared with each other."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    asked = run.new_questions()
    right = {tuple(chat.prompt(one.question)): one.answer for one in asked}

    def judge(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]) -> torch.Tensor:
        pairs = zip(prompts, responses, strict=True)
        rewards = [_score(response, right[tuple(prompt)], chat) for prompt, response in pairs]
        return torch.tensor(rewards, device=run.device)

    alignment.grpo(
        policy, reference, chat, _question_batches(asked, run.preset.grpo_steps, run.preset.grpo_questions), judge,
        group=run.preset.group, max_new_tokens=LONGEST_ANSWER, learning_rate=run.preset.grpo_learning_rate,
        generator=run.generator(), folder=run.folder / "grpo",
    )  # fmt: skip
    run.save("grpo", policy, chat)
    return _aligned("GRPO", run, policy, reference, chat)


def ppo(run: Run) -> list[Milestone]:
    """With a critic, and the learned reward: the classical way. It raises what the reward model likes, right or not."""
    if not run.preset.ppo_steps:
        return []
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    rewards = RewardModel(policy)
    rewards.load_state_dict(
        torch.load(run.folder / "reward_model" / "reward.pt", map_location=run.device, weights_only=True)
    )
    before = _drawn(run, policy, chat)
    alignment.ppo(
        policy, reference, ValueModel(copy.deepcopy(policy)), chat,
        _question_batches(run.new_questions(), run.preset.ppo_steps, run.preset.grpo_questions * run.preset.group),
        lambda prompts, responses: rewards.judge(prompts, responses, chat.pad),
        max_new_tokens=LONGEST_ANSWER, learning_rate=run.preset.grpo_learning_rate,
        generator=run.generator(), folder=run.folder / "ppo",
    )  # fmt: skip
    after = _drawn(run, policy, chat)
    figures = [rewards.judge(one.prompts, one.responses, chat.pad).mean().item() for one in (before, after)]
    distance = kl_divergence(policy, reference, after.tokens, after.mask)
    return [
        measured("PPO", "raises the learned reward", *figures),
        measured("PPO", "stays near the reference", 0.0, distance),
    ]


def _aligned(
    part: str, run: Run, policy: LanguageModel, reference: LanguageModel, chat: ChatTokenizer
) -> list[Milestone]:
    """Did what the policy says become better, and how far did the policy move?"""
    asked = run.held_out()
    drawn = [_drawn(run, one, chat, DRAWS) for one in (reference, policy)]
    before, after = (_scores(one, chat, asked).mean().item() for one in drawn)
    # Of one response to each question: it is a mean over the whole vocabulary already.
    distance = kl_divergence(policy, reference, drawn[1].tokens[::DRAWS], drawn[1].mask[::DRAWS])
    greedy = [follows(one, chat, asked)["all"] for one in (reference, policy)]
    return [
        measured(part, "raises the reward", before, after),
        measured(part, "keeps the likeliest answers", *greedy),
        measured(part, "stays near the reference", 0.0, distance),
    ]


def _drawn(run: Run, policy: LanguageModel, chat: ChatTokenizer, group: int = 1) -> Rollout:
    """`group` answers to each held-out question."""
    questions = [one.question for one in run.held_out()]
    return rollout(policy, chat, questions, group, LONGEST_ANSWER, generator=run.generator())


def _scores(drawn: Rollout, chat: ChatTokenizer, asked: Sequence[Instruction]) -> torch.Tensor:
    """(responses,): the score of each; every question has as many responses as the others."""
    group = len(drawn.responses) // len(asked)
    scores = [_score(ids, asked[number // group].answer, chat) for number, ids in enumerate(drawn.responses)]
    return torch.tensor(scores)


def _score(response: Sequence[int], answer: str, chat: ChatTokenizer) -> float:
    """A response that does not end is no answer, whatever it says."""
    return score(chat.decode(response), answer) if response[-1] == chat.end else 0.0


def _question_batches(asked: Sequence[Instruction], steps: int, size: int) -> list[list[str]]:
    """`steps` batches of `size` questions, from the start again where there are too few."""
    return [[asked[(step * size + place) % len(asked)].question for place in range(size)] for step in range(steps)]
