"""Supervised finetuning of a real model: the loss and the collate of `sft`, driven by `Trainer`.

Ouyang et al. (2022), section 3.5, step 1: the pretrained model, trained on questions with good answers. Only the
answers are targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from reference_impl.chat import ChatTokenizer, Message, respond
from reference_impl.data import Batches
from reference_impl.instructions import Instruction, accuracy
from reference_impl.model import LanguageModel
from reference_impl.sft import collate, sft_loss
from reference_impl.trainer import Recipe, Trainer

__all__ = ["LONGEST_ANSWER", "answers", "finetune", "follows", "supervised_loss"]

LONGEST_ANSWER = 24  # tokens


def supervised_loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """batch: `input_ids` and `labels`, (batch, seq) -> (): the mean over the tokens of answers."""
    return sft_loss(model(batch["input_ids"]), batch["labels"])


def finetune(
    model: nn.Module,
    tokenizer: ChatTokenizer,
    conversations: Sequence[Sequence[Message]],
    recipe: Recipe,
    batch_size: int,
    folder: Path | None = None,
    resume: bool = False,
    description: str = "supervised finetuning",
    seed: int = 0,
) -> list[dict[str, float]]:
    """Trains what is trainable in `model` on what the assistant says in `conversations`; returns the history."""
    examples = [tokenizer.example(messages) for messages in conversations]
    batches = Batches(examples, batch_size, partial(collate, pad_id=tokenizer.pad), seed=seed)
    trainer = Trainer(model, supervised_loss, batches, recipe, folder=folder, description=description)
    if resume:
        trainer.resume()
    return trainer.run()


def answers(model: LanguageModel, tokenizer: ChatTokenizer, questions: Sequence[str]) -> list[str]:
    """The likeliest answer to each question, cut at `LONGEST_ANSWER` tokens."""
    prompts = [tokenizer.prompt(question) for question in questions]
    return [tokenizer.decode(response) for response in respond(model, tokenizer, prompts, LONGEST_ANSWER)]


def follows(model: LanguageModel, tokenizer: ChatTokenizer, asked: Sequence[Instruction]) -> dict[str, float]:
    """The share of right answers: under "all", and for each task."""
    return accuracy(answers(model, tokenizer, [one.question for one in asked]), asked)
