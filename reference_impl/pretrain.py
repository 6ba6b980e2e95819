"""Pretraining: from a text to a language model that continues it, with the measures that say how well.

    model, tokenizer, metrics = pretrain(PRESETS["tiny"].pretraining, "cpu", Path("run/pretrain"))

Every sixth document is held out. The weights kept are those with the lowest loss on them: on a text of a hundred
kilobytes a model soon learns by heart, and the held-out loss says when.
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

from reference_impl.config import Config
from reference_impl.data import TEXT, Batches, documents, language_model_batches
from reference_impl.losses import language_model_loss, mean_loss
from reference_impl.model import LanguageModel, parameter_count
from reference_impl.sampling import generate
from reference_impl.saved import save_model
from reference_impl.tokenizer import BPE
from reference_impl.trainer import Recipe, Trainer

__all__ = ["SPECIAL", "Pretraining", "pretrain", "share_of_known_words", "snippet", "split"]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
"""what the stages after this one need: no model has to grow for them"""
HELD_OUT_EVERY = 6
SNIPPETS = 4
"""how many the share of known words is measured on"""


@dataclass(frozen=True)
class Pretraining:
    """Sizes of one pretraining run; `model` goes to `Config.modern`."""

    vocab_size: int
    model: dict[str, Any]
    window: int
    """tokens that a training example is long"""
    stride: int
    batch_size: int
    recipe: Recipe
    compile: bool = False


def pretrain(
    sizes: Pretraining, device: torch.device | str, folder: Path, *, text: Path = TEXT, seed: int = 0
) -> tuple[LanguageModel, BPE, dict[str, Any]]:
    """Trains a tokenizer and a model on `text`, or takes up the run in `folder`; leaves both there (saved.load_model).

    The metrics: vocab_size, parameters, tokens, seconds; loss_of_guessing (ln vocab_size), loss (of training, at the
    end), validation_at_start, validation (the lowest), bits_per_byte (of that); snippet, known_words. Losses are nats
    per token. Draws from torch's global generator, which `seed` sets.
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
    best = _Best(folder / "best.pt", language_model_batches(held_out, tokenizer, sizes.window, batch_size=4))
    trainer = Trainer(
        model,
        language_model_loss,
        batches,
        sizes.recipe,
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
    samples = [snippet(model, tokenizer, seed=seed + number) for number in range(SNIPPETS)]
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


class _Best:
    """Validation that keeps the weights with the lowest loss on held-out batches.

    They are on disk before the checkpoint that knows of them, so a run that is stopped in between finds them again.
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
    """(trained on, held out): every sixth document is held out; of fewer than six, the last."""
    held_out = documents[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or documents[-1:]
    return [document for document in documents if document not in held_out], held_out


def snippet(model: LanguageModel, tokenizer: BPE, prompt: str = "Alice", length: int = 120, seed: int = 0) -> str:
    """What the model writes after `prompt`: `length` tokens, drawn at temperature 0.7 from the 50 likeliest."""
    device = model.unembed.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt)], device=device)
    text = generate(model, ids, length, temperature=0.7, top_k=50, generator=generator)
    return tokenizer.decode(text[0].tolist())


def share_of_known_words(written: str, text: str) -> float:
    """Which share of the words of `written` are words of `text`: near 1 once a model spells."""
    words = re.findall(r"[a-z]+", written.lower())
    known = set(re.findall(r"[a-z]+", text.lower()))
    return sum(word in known for word in words) / max(1, len(words))


def _bytes_per_token(texts: list[str], tokenizer: BPE) -> float:
    return sum(len(text.encode()) for text in texts) / sum(len(tokenizer.encode(text)) for text in texts)
