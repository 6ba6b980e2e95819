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
from reference_impl.milestones import Milestone
from reference_impl.model import LanguageModel
from reference_impl.reward_model import RewardModel, ranking, rated_pairs, train_reward_model
from reference_impl.run import Run

__all__ = ["dpo", "grpo", "ppo", "reward_model"]

FARTHEST = 0.5
"""nats per token that alignment may move the policy from the reference by"""
NOISE = 0.02
"""by which a mean score has to rise, of 800 drawn answers in the preset `tiny`: at least their standard error"""


def reward_model(run: Run) -> list[Milestone]:
    """A judge that is learned from comparisons, and what choosing by it is worth."""
    policy, chat = run.load("sft")
    model = RewardModel(policy)
    asked = run.held_out()
    held_out = rated_pairs(policy, chat, asked, seed=1)
    before = ranking(model, chat, held_out)["accuracy"]
    # Hotter than it will be judged: a policy that is mostly right has few mistakes to learn from.
    rated = run.new_questions()[: run.preset.n_rated]
    pairs = rated_pairs(policy, chat, rated, run.preset.group, temperature=1.3)
    folder = run.folder / "reward_model"
    train_reward_model(model, chat, pairs, run.preset.reward, run.preset.batch_size, folder / "run", run.resume)
    torch.save(model.state_dict(), folder / "reward.pt")
    after = ranking(model, chat, held_out)["accuracy"]
    drawn = _drawn(policy, chat, asked, group=4)
    right = _scores(drawn, chat, asked, group=4).view(-1, 4)
    rewards = model.judge(drawn.prompts, drawn.responses, chat.pad).cpu().view(-1, 4)
    chosen = right.gather(1, rewards.argmax(dim=1, keepdim=True)).mean().item()
    single = right.mean().item()
    return [
        Milestone("reward model", "ranks held-out pairs", "share ranked right", before, after, "at least", 0.7),
        Milestone("reward model", "picks the best of four", "score, held out", single, chosen, "above", single),
    ]


def dpo(run: Run) -> list[Milestone]:
    """Preferences straight into the policy."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    # Its own words only: pushed away from texts that it would never write, a policy forgets what it would.
    rated = run.new_questions()[: run.preset.n_rated]
    pairs = rated_pairs(policy, chat, rated, run.preset.group, written=False)
    collated = partial(preference_batch, pad=chat.pad, device=run.device)
    # A policy whose answers are all right, or all wrong, prefers nothing and stays as it is.
    batch_size = min(run.preset.batch_size, len(pairs))
    batches = list(islice(Batches(pairs, batch_size, collated), run.preset.dpo_steps)) if pairs else []
    alignment.dpo(policy, reference, batches, run.preset.dpo_learning_rate, nll_weight=1.0, folder=run.folder / "dpo")
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
        generator=torch.Generator(run.device).manual_seed(0), folder=run.folder / "grpo",
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
    asked = run.held_out()
    before = _drawn(policy, chat, asked)
    alignment.ppo(
        policy, reference, ValueModel(copy.deepcopy(policy)), chat,
        _question_batches(run.new_questions(), run.preset.ppo_steps, run.preset.grpo_questions * run.preset.group),
        lambda prompts, responses: rewards.judge(prompts, responses, chat.pad),
        max_new_tokens=LONGEST_ANSWER, learning_rate=run.preset.grpo_learning_rate,
        generator=torch.Generator(run.device).manual_seed(0), folder=run.folder / "ppo",
    )  # fmt: skip
    after = _drawn(policy, chat, asked)
    figures = [rewards.judge(one.prompts, one.responses, chat.pad).mean().item() for one in (before, after)]
    distance = kl_divergence(policy, reference, after.tokens, after.mask)
    return [
        Milestone("PPO", "raises the learned reward", "reward, held out", *figures, "above", figures[0]),
        Milestone("PPO", "stays near the reference", "KL, nats per token", 0.0, distance, "at most", FARTHEST),
    ]


def _aligned(
    part: str, run: Run, policy: LanguageModel, reference: LanguageModel, chat: ChatTokenizer
) -> list[Milestone]:
    """Did what the policy says become better, and how far did the policy move?"""
    asked = run.held_out()
    drawn = [_drawn(one, chat, asked, group=4) for one in (reference, policy)]
    before, after = (_scores(one, chat, asked, group=4).mean().item() for one in drawn)
    distance = kl_divergence(policy, reference, drawn[1].tokens, drawn[1].mask)
    greedy = [follows(one, chat, asked)["all"] for one in (reference, policy)]
    return [
        Milestone(
            part, "raises the reward", "score of drawn answers, held out", before, after, "above", before + NOISE
        ),
        Milestone(part, "keeps the likeliest answers", "share right, held out", *greedy, "at least", greedy[0] - 0.02),
        Milestone(part, "stays near the reference", "KL, nats per token", 0.0, distance, "at most", FARTHEST),
    ]


def _drawn(policy: LanguageModel, chat: ChatTokenizer, asked: Sequence[Instruction], group: int = 1) -> Rollout:
    generator = torch.Generator(policy.unembed.weight.device).manual_seed(1)
    questions = [one.question for one in asked]
    return rollout(policy, chat, questions, group, LONGEST_ANSWER, generator=generator)


def _scores(drawn: Rollout, chat: ChatTokenizer, asked: Sequence[Instruction], group: int) -> torch.Tensor:
    """(questions · group,): the score of each drawn response."""
    scores = [_score(ids, asked[number // group].answer, chat) for number, ids in enumerate(drawn.responses)]
    return torch.tensor(scores)


def _score(response: Sequence[int], answer: str, chat: ChatTokenizer) -> float:
    """A response that does not end is no answer, whatever it says."""
    return score(chat.decode(response), answer) if response[-1] == chat.end else 0.0


def _question_batches(asked: Sequence[Instruction], steps: int, size: int) -> list[list[str]]:
    """`steps` batches of `size` questions, from the start again where there are too few."""
    return [[asked[(step * size + place) % len(asked)].question for place in range(size)] for step in range(steps)]
