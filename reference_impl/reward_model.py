"""A reward model on a real model: pairs of rated responses, training by comparison, and the judge that comes of it.

Ouyang et al. (2022), section 3.5, step 2: the finetuned model with a scalar head on the last token, trained with the
Bradley–Terry loss of `reward`. The pairs: the right answer, answers with a mistake put in, and what the policy itself
says when it is asked, since that is what the model will have to judge. An answer is right or wrong; of two wrong ones
none is preferred.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reference_impl.alignment import rollout
from reference_impl.chat import ChatTokenizer
from reference_impl.data import Batches
from reference_impl.finetuning import LONGEST_ANSWER
from reference_impl.instructions import Instruction, score, wrong_answer
from reference_impl.model import LanguageModel
from reference_impl.reward import RewardHead, bradley_terry_loss, preference_pairs, sanity_checks
from reference_impl.sft import collate
from reference_impl.trainer import Recipe, Trainer

__all__ = ["Pair", "RewardModel", "ranking", "rated_pairs", "train_reward_model"]


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
        """(batch, seq) of ids, (batch, seq) -> (batch,): the reward of each text."""
        return self.head(self.body.hidden(ids), attention_mask)

    @torch.no_grad()
    def judge(self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], pad: int) -> Tensor:
        """Prompts and responses as ids -> (responses,): their rewards, without dropout."""
        texts = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
        batch = _side(texts, pad)
        device = self.head.score.weight.device
        training = self.training
        try:
            return self.eval()(batch["input_ids"].to(device), batch["attention_mask"].to(device))
        finally:
            self.train(training)


def rated_pairs(
    policy: LanguageModel,
    tokenizer: ChatTokenizer,
    asked: Sequence[Instruction],
    group: int = 4,
    seed: int = 0,
    written: bool = True,
    temperature: float = 1.0,
) -> list[Pair]:
    """Every right response with every wrong one to the same instruction, in a random order.

    Responses: `group` drawn from the policy and, if `written`, the answer and two with a mistake; equal ones count
    once.
    """
    draw = random.Random(seed)
    device = policy.unembed.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    questions = [one.question for one in asked]
    drawn = rollout(policy, tokenizer, questions, group, LONGEST_ANSWER, temperature, generator).responses
    pairs = []
    for number, one in enumerate(asked):
        texts = [one.answer, wrong_answer(one, draw), wrong_answer(one, draw)] if written else []
        responses = [tokenizer.response(text) for text in texts] + drawn[number * group : (number + 1) * group]
        different = [list(response) for response in dict.fromkeys(map(tuple, responses))]
        ratings = [float(_is_right(response, one, tokenizer)) for response in different]
        prompt = tokenizer.prompt(one.question)
        for chosen, rejected in preference_pairs(prompt, different, ratings):
            pairs.append(Pair(prompt, chosen[len(prompt) :], rejected[len(prompt) :]))
    draw.shuffle(pairs)
    return pairs


def train_reward_model(
    model: RewardModel,
    tokenizer: ChatTokenizer,
    pairs: Sequence[Pair],
    recipe: Recipe,
    batch_size: int,
    folder: Path | None = None,
    resume: bool = False,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Trains the whole model to score the chosen response above the rejected one; returns the history of the run."""
    batches = Batches(pairs, batch_size, partial(_pair_batch, pad=tokenizer.pad), seed=seed)
    trainer = Trainer(model, _comparison_loss, batches, recipe, folder=folder, description="reward model")
    if resume:
        trainer.resume()
    return trainer.run()


def ranking(model: RewardModel, tokenizer: ChatTokenizer, pairs: Sequence[Pair]) -> dict[str, float]:
    """The figures of `reward.sanity_checks` over `pairs`: accuracy, mean_margin, longer_wins."""
    prompts = [pair.prompt for pair in pairs]
    sides = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    scores = [model.judge(prompts, side, tokenizer.pad).cpu() for side in sides]
    lengths = [torch.tensor([len(response) for response in side]) for side in sides]
    return sanity_checks(*scores, *lengths)


def _comparison_loss(model: RewardModel, batch: dict[str, dict[str, Tensor]]) -> Tensor:
    chosen, rejected = (
        model(batch[side]["input_ids"], batch[side]["attention_mask"]) for side in ("chosen", "rejected")
    )
    return bradley_terry_loss(chosen, rejected)


def _pair_batch(pairs: Sequence[Pair], pad: int) -> dict[str, dict[str, Tensor]]:
    return {
        "chosen": _side([[*pair.prompt, *pair.chosen] for pair in pairs], pad),
        "rejected": _side([[*pair.prompt, *pair.rejected] for pair in pairs], pad),
    }


def _side(texts: Sequence[list[int]], pad: int) -> dict[str, Tensor]:
    return collate([(ids, ids) for ids in texts], pad)


def _is_right(response: list[int], asked: Instruction, tokenizer: ChatTokenizer) -> bool:
    """A response that does not end is no answer, whatever it says."""
    return response[-1] == tokenizer.end and score(tokenizer.decode(response), asked.answer) == 1
