"""A reward model based on a language model: preference pairs, training and evaluation.

Ouyang et al. (2022), section 3.5, step 2: the finetuned model with a scalar head on the last token, trained with the
Bradley–Terry loss of `reward_model`. The responses are the correct answer, answers with an inserted mistake, and
samples from the policy, because those are what the model will score. A response is correct or wrong; two wrong ones
form no pair.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reference_impl.alignment.reward_model import RewardHead, bradley_terry_loss, preference_pairs, sanity_checks
from reference_impl.alignment.rollouts import sample_rollout
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.finetuning.finetune import MAX_ANSWER_TOKENS
from reference_impl.finetuning.instructions import Instruction, score, wrong_answer
from reference_impl.finetuning.sft import collate
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.data import Batches
from reference_impl.training.trainer import TrainConfig, Trainer

__all__ = ["Pair", "RewardModel", "best_of_n", "measure_ranking", "sample_pairs", "train_reward_model"]


class Pair(NamedTuple):
    """A prompt, the better response and the worse one, as ids."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


class RewardModel(nn.Module):
    """A copy of a language model, with a scalar head instead of its vocabulary."""

    def __init__(self, body: LanguageModel) -> None:
        super().__init__()
        self.body = copy.deepcopy(body)
        self.head = RewardHead(body.config.d_model).to(body.unembed.weight.device)
        # Not frozen but unused; an optimizer that decays it would change an embedding that is tied to it.
        if not body.config.tie_weights:
            self.body.unembed.requires_grad_(False)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, seq) of ids, (batch, seq) -> (batch,): the reward of each sequence."""
        return self.head(self.body.hidden(ids), attention_mask)

    @torch.no_grad()
    def score(self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], pad: int) -> Tensor:
        """Prompts and responses, as ids -> (responses,): their rewards, without dropout.

        Equal sequences are computed once.
        """
        sequences = [(*prompt, *response) for prompt, response in zip(prompts, responses, strict=True)]
        rows = {sequence: row for row, sequence in enumerate(dict.fromkeys(sequences))}
        batch = _collate_side([list(sequence) for sequence in rows], pad)
        device = self.head.score.weight.device
        training = self.training
        try:
            rewards = self.eval()(batch["input_ids"].to(device), batch["attention_mask"].to(device))
        finally:
            self.train(training)
        return rewards[[rows[sequence] for sequence in sequences]]


def sample_pairs(
    policy: LanguageModel,
    tokenizer: ChatTokenizer,
    questions: Sequence[Instruction],
    group: int = 4,
    seed: int = 0,
    synthetic: bool = True,
    temperature: float = 1.0,
) -> list[Pair]:
    """Pairs of every correct with every wrong response to the same question, in random order.

    Responses: `group` samples from the policy and, if `synthetic`, the answer and two versions of it with a mistake.
    Equal responses count once.
    """
    draw = random.Random(seed)
    generator = torch.Generator(policy.unembed.weight.device).manual_seed(seed)
    texts = [one.question for one in questions]
    samples = sample_rollout(policy, tokenizer, texts, group, MAX_ANSWER_TOKENS, temperature, generator).responses
    pairs = []
    for index, one in enumerate(questions):
        answers = [one.answer, wrong_answer(one, draw), wrong_answer(one, draw)] if synthetic else []
        responses = [tokenizer.response(text) for text in answers] + samples[index * group : (index + 1) * group]
        distinct = [list(response) for response in dict.fromkeys(map(tuple, responses))]
        ratings = [float(_is_correct(response, one, tokenizer)) for response in distinct]
        prompt = tokenizer.prompt(one.question)
        for chosen, rejected in preference_pairs(prompt, distinct, ratings):
            pairs.append(Pair(prompt, chosen[len(prompt) :], rejected[len(prompt) :]))
    draw.shuffle(pairs)
    return pairs


def train_reward_model(
    model: RewardModel,
    tokenizer: ChatTokenizer,
    pairs: Sequence[Pair],
    config: TrainConfig,
    batch_size: int,
    folder: Path | None = None,
    resume: bool = False,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Trains the whole model to score the chosen response above the rejected one; returns the history."""
    batches = Batches(pairs, batch_size, partial(_collate_pairs, pad=tokenizer.pad), seed=seed)
    trainer = Trainer(model, _comparison_loss, batches, config, folder=folder, description="reward model")
    if resume:
        trainer.resume()
    return trainer.run()


def measure_ranking(model: RewardModel, tokenizer: ChatTokenizer, pairs: Sequence[Pair]) -> dict[str, float]:
    """The metrics of `reward_model.sanity_checks` over `pairs`: accuracy, mean_margin, longer_wins."""
    prompts = [pair.prompt for pair in pairs]
    sides = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    scores = [model.score(prompts, side, tokenizer.pad).cpu() for side in sides]
    lengths = [torch.tensor([len(response) for response in side]) for side in sides]
    return sanity_checks(*scores, *lengths)


def best_of_n(scores: Tensor, rewards: Tensor, n: int) -> float:
    """scores, rewards: (questions, samples) -> the expected score of the sample with the highest reward among n.

    The mean over all subsets of n samples, without listing them (Nakano et al., 2021, appendix I): the sample of rank i
    (from 0) by its reward is the best of comb(i, n − 1) subsets.
    """
    samples = scores.shape[1]
    weights = torch.tensor([math.comb(rank, n - 1) / math.comb(samples, n) for rank in range(samples)])
    ranked = scores.gather(1, rewards.argsort(dim=1))
    return (ranked * weights).sum(dim=1).mean().item()


def _comparison_loss(model: RewardModel, batch: dict[str, dict[str, Tensor]]) -> Tensor:
    chosen, rejected = (
        model(batch[side]["input_ids"], batch[side]["attention_mask"]) for side in ("chosen", "rejected")
    )
    return bradley_terry_loss(chosen, rejected)


def _collate_pairs(pairs: Sequence[Pair], pad: int) -> dict[str, dict[str, Tensor]]:
    return {
        "chosen": _collate_side([[*pair.prompt, *pair.chosen] for pair in pairs], pad),
        "rejected": _collate_side([[*pair.prompt, *pair.rejected] for pair in pairs], pad),
    }


def _collate_side(sequences: Sequence[list[int]], pad: int) -> dict[str, Tensor]:
    return collate([(ids, ids) for ids in sequences], pad)


def _is_correct(response: list[int], question: Instruction, tokenizer: ChatTokenizer) -> bool:
    """A response that does not end counts as wrong."""
    return response[-1] == tokenizer.end and score(tokenizer.decode(response), question.answer) == 1
