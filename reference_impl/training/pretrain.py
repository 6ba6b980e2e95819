"""Pretraining: from a text to a language model that continues it, with metrics of its quality.

    model, tokenizer, metrics = pretrain(PRESETS["tiny"].pretraining, "cpu", Path("run/pretrain"))

Every sixth document is held out. The final weights are those with the lowest held-out loss, because a model soon
memorises a text of a hundred kilobytes.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_impl.model.checkpoint import save_model
from reference_impl.model.config import Config
from reference_impl.model.language_model import LanguageModel, parameter_count
from reference_impl.model.sampling import generate
from reference_impl.tokenizer import BPE
from reference_impl.training.data import TEXT, Batches, documents, language_model_batches
from reference_impl.training.losses import language_model_loss, mean_loss
from reference_impl.training.trainer import TrainConfig, Trainer

__all__ = ["SPECIAL", "Pretraining", "pretrain", "sample_snippets", "share_of_known_words", "split"]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
"""special tokens of the later stages, so that no vocabulary has to be extended for them"""
HELD_OUT_EVERY = 6
SNIPPETS = 64
"""the number of samples for the share of known words; with 16, half of its spread over seeds was noise of sampling"""


@dataclass(frozen=True)
class Pretraining:
    """Sizes of one pretraining run; `model` goes to `Config.modern`."""

    vocab_size: int
    model: dict[str, Any]
    window: int
    """length of a training example in tokens"""
    stride: int
    batch_size: int
    training: TrainConfig
    compile: bool = False


def pretrain(
    sizes: Pretraining, device: torch.device | str, folder: Path, *, text: Path = TEXT, seed: int = 0
) -> tuple[LanguageModel, BPE, dict[str, Any]]:
    """Trains a tokenizer and a model on `text`, or resumes the run in `folder`; saves both there.

    The metrics: vocab_size, parameters, tokens, seconds; loss_of_guessing (ln vocab_size), loss (of training, at the
    end), validation_at_start, validation (the lowest), bits_per_byte (of that); snippet, known_words. Losses are nats
    per token. Seeds torch's global generator with `seed`.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    trained_on, held_out = split(documents(text))
    tokenizer = BPE.train(SPECIAL[0].join(trained_on), sizes.vocab_size, SPECIAL)
    torch.manual_seed(seed)
    model = LanguageModel(Config.modern(vocab_size=tokenizer.vocab_size, **sizes.model)).to(device)
    batches = language_model_batches(
        trained_on, tokenizer, sizes.window, sizes.batch_size, stride=sizes.stride, seed=seed
    )
    best = _BestWeights(folder / "best.pt", language_model_batches(held_out, tokenizer, sizes.window, batch_size=4))
    trainer = Trainer(
        model,
        language_model_loss,
        batches,
        sizes.training,
        validate=best.validate,
        folder=folder,
        description="pretraining",
    )
    validation_at_start = best.measure(model)  # before a checkpoint replaces the new weights
    if trainer.resume():
        best.lowest = min((row["validation"] for row in trainer.history if "validation" in row), default=math.inf)
    if sizes.compile:
        model.compile()
    history = trainer.run()
    best.restore(model)
    save_model(model, tokenizer, folder)
    samples = sample_snippets(model, tokenizer, SNIPPETS, seed=seed)
    metrics = {
        "vocab_size": tokenizer.vocab_size,
        "parameters": parameter_count(model),
        "tokens": sum(len(tokenizer.encode(document)) for document in trained_on),
        "seconds": time.monotonic() - started,
        "loss_of_guessing": math.log(tokenizer.vocab_size),
        "loss": history[-1]["loss"],
        "validation_at_start": validation_at_start,
        "validation": best.lowest,
        "bits_per_byte": best.lowest / math.log(2) / _bytes_per_token(held_out, tokenizer),
        "snippet": samples[0],
        "known_words": share_of_known_words(" ".join(samples), " ".join(documents(text))),
    }
    return model, tokenizer, metrics


class _BestWeights:
    """Validation that saves the weights with the lowest loss on held-out batches.

    They are saved before the checkpoint whose history includes them, so an interrupted run always finds them.
    """

    def __init__(self, path: Path, batches: Batches[Any, tuple[Tensor, Tensor]]) -> None:
        self.path, self.batches, self.lowest = path, batches, math.inf

    def measure(self, model: LanguageModel) -> float:
        device = model.unembed.weight.device
        on_device = ((inputs.to(device), targets.to(device)) for inputs, targets in self.batches.one_round())
        return mean_loss(model, language_model_loss, on_device)

    def validate(self, model: LanguageModel) -> float:
        loss = self.measure(model)
        if loss < self.lowest:
            self.lowest = loss
            torch.save(model.state_dict(), self.path)
        return loss

    def restore(self, model: LanguageModel) -> None:
        model.load_state_dict(torch.load(self.path, map_location=model.unembed.weight.device, weights_only=True))


def split(documents: list[str]) -> tuple[list[str], list[str]]:
    """(trained on, held out): every sixth document is held out; with fewer than six, the last."""
    held_out = documents[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or documents[-1:]
    return [document for document in documents if document not in held_out], held_out


def sample_snippets(
    model: LanguageModel, tokenizer: BPE, count: int, prompt: str = "Alice", length: int = 120, seed: int = 0
) -> list[str]:
    """`count` texts: `prompt` and `length` sampled tokens, at temperature 0.7 with top-k 50."""
    device = model.unembed.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt)] * count, device=device)
    sequences = generate(model, ids, length, temperature=0.7, top_k=50, generator=generator)
    return [tokenizer.decode(sequence) for sequence in sequences.tolist()]


def share_of_known_words(written: str, text: str) -> float:
    """The share of words of `written` that occur in `text`: near 1 once a model can spell."""
    words = re.findall(r"[a-z]+", written.lower())
    known = set(re.findall(r"[a-z]+", text.lower()))
    return sum(word in known for word in words) / max(1, len(words))


def _bytes_per_token(texts: list[str], tokenizer: BPE) -> float:
    return sum(len(text.encode()) for text in texts) / sum(len(tokenizer.encode(text)) for text in texts)
