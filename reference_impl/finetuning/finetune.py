"""Supervised finetuning of a language model: the loss and the collate function of `sft`, run by `Trainer`.

Ouyang et al. (2022), section 3.5, step 1: the pretrained model is trained on questions with good answers. Only the
tokens of the answers are targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from reference_impl.finetuning.chat import ChatTokenizer, Message, respond
from reference_impl.finetuning.instructions import Instruction, accuracy
from reference_impl.finetuning.sft import collate, sft_loss
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.data import Batches
from reference_impl.training.trainer import TrainConfig, Trainer

__all__ = ["MAX_ANSWER_TOKENS", "answer_questions", "finetune", "measure_accuracy", "supervised_loss"]

MAX_ANSWER_TOKENS = 24


def supervised_loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """batch: `input_ids` and `labels`, (batch, seq) -> (): the mean over the tokens of the answers."""
    return sft_loss(model(batch["input_ids"]), batch["labels"])


def finetune(
    model: nn.Module,
    tokenizer: ChatTokenizer,
    conversations: Sequence[Sequence[Message]],
    config: TrainConfig,
    batch_size: int,
    folder: Path | None = None,
    resume: bool = False,
    description: str = "supervised finetuning",
    seed: int = 0,
) -> list[dict[str, float]]:
    """Trains the trainable parameters of `model` on the assistant's messages; returns the history."""
    examples = [tokenizer.example(messages) for messages in conversations]
    batches = Batches(examples, batch_size, partial(collate, pad_id=tokenizer.pad), seed=seed)
    trainer = Trainer(model, supervised_loss, batches, config, folder=folder, description=description)
    if resume:
        trainer.resume()
    return trainer.run()


def answer_questions(model: LanguageModel, tokenizer: ChatTokenizer, questions: Sequence[str]) -> list[str]:
    """The greedy answer to each question, of at most `MAX_ANSWER_TOKENS` tokens."""
    prompts = [tokenizer.prompt(question) for question in questions]
    return [tokenizer.decode(response) for response in respond(model, tokenizer, prompts, MAX_ANSWER_TOKENS)]


def measure_accuracy(
    model: LanguageModel, tokenizer: ChatTokenizer, questions: Sequence[Instruction]
) -> dict[str, float]:
    """The share of correct greedy answers: over all questions, as "all", and for each task."""
    return accuracy(answer_questions(model, tokenizer, [one.question for one in questions]), questions)
