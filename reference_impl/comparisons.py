"""Each part beside what it replaces: two small models that differ in one choice, trained on the same batches.

Everything else is equal: text, order, steps, seed and, where a part could have more of them, parameters. The losses are
on documents that neither has read, in nats per token. One seed each, so differences of about a hundredth mean nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reference_impl.config import Config
from reference_impl.data import Batches, language_model_batches
from reference_impl.losses import language_model_loss, mean_loss
from reference_impl.milestones import Milestone
from reference_impl.mlp import swiglu_width
from reference_impl.model import LanguageModel
from reference_impl.sampling import generate, is_greedy
from reference_impl.tokenizer import BPE
from reference_impl.trainer import Recipe, Trainer

__all__ = ["Comparison", "cache_gain", "expert_gain", "overfits", "part_gains"]

NOISE = 0.02
"""nats per token by which a loss may be higher and still count as no worse; two seeds of one model differ as well"""


@dataclass(frozen=True)
class Comparison:
    """Sizes of the models that are compared, and how they are trained."""

    model: dict[str, Any]
    window: int
    batch_size: int
    recipe: Recipe


@dataclass(frozen=True)
class _Part:
    """What is claimed of a part, and the changes to GPT-2's choices without it and with it."""

    name: str
    claim: str
    without: dict[str, Any]
    within: dict[str, Any]
    slack: float
    """nats that the loss may rise by: 0 where the part is to lower it"""


def overfits(
    tokenizer: BPE, text: str, device: torch.device, steps: int = 150, folder: Path | None = None
) -> Milestone:
    """A model that cannot learn four short passages by heart has a mistake in it."""
    torch.manual_seed(0)
    sizes = {"context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4}
    model = LanguageModel(Config.modern(vocab_size=tokenizer.vocab_size, **sizes)).to(device)
    ids = torch.tensor(tokenizer.encode(text[:2000])[: 4 * 32 + 1])
    four = (ids[:-1].view(4, 32).to(device), ids[1:].view(4, 32).to(device))
    before = mean_loss(model, language_model_loss, [four])
    batches = Batches([four], 1, lambda chosen: chosen[0])
    recipe = Recipe(steps, learning_rate=5e-3, warmup=10, weight_decay=0.0)
    Trainer(model, language_model_loss, batches, recipe, folder=folder, description="toy set").run()
    after = mean_loss(model, language_model_loss, [four])
    return Milestone("model", "learns a toy set by heart", "loss on the toy set", before, after, "at most", 0.05)


def part_gains(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
) -> list[Milestone]:
    """Each part of the modern model with its others in place, the window added to it, and the whole beside GPT-2's.

    The rest is modern because it learns sooner: in so short a training, in a model with learned positions, parts were
    seen to differ by a quarter of a nat that do not differ here.
    """
    d_model, n_heads = sizes.model["d_model"], sizes.model["n_heads"]
    choices: dict[str, dict[str, Any]] = {
        "RMSNorm": {"norm": "rmsnorm"},
        "RoPE": {"positions": "rope"},
        "SwiGLU": {"mlp": "swiglu", "d_ff": swiglu_width(d_model, multiple_of=8)},
        "grouped queries": {"n_kv_heads": max(1, n_heads // 2)},
    }
    modern = {"bias": False}
    for choice in choices.values():
        modern |= choice

    def without(name: str) -> dict[str, Any]:
        return {field: value for field, value in modern.items() if field not in choices[name]}

    window = {"window": sizes.window // 2, "sinks": 2}
    parts = [
        _Part("RMSNorm", "no worse than LayerNorm, with less work", without("RMSNorm"), modern, NOISE),
        _Part("RoPE", "better than learned positions", without("RoPE"), modern, 0.0),
        _Part("SwiGLU", "no worse than GELU, parameters equal", without("SwiGLU"), modern, NOISE),
        _Part("grouped queries", "hardly worse with half the cache", without("grouped queries"), modern, 2 * NOISE),
        _Part("sliding window", "hardly worse seeing half the text", modern, modern | window, 2 * NOISE),
        _Part("modern model", "better than GPT-2's parts", {}, modern, 0.0),
    ]
    losses: dict[str, float] = {}

    def loss(changes: dict[str, Any], name: str) -> float:
        if (key := repr(changes)) not in losses:
            losses[key] = _held_out_loss(changes, sizes, tokenizer, trained_on, held_out, device, name, folder)
        return losses[key]

    milestones = []
    for part in parts:
        before, after = loss(part.without, f"without {part.name}"), loss(part.within, part.name)
        bound = before + part.slack
        milestones.append(Milestone(part.name, part.claim, "held-out loss", before, after, "at most", bound))
    return milestones


def expert_gain(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
) -> Milestone:
    """Two of eight experts of half the width each: a token uses as many parameters as in the dense model."""
    d_ff = 4 * sizes.model["d_model"]
    n_kv_heads = max(1, sizes.model["n_heads"] // 2)
    modern = {"norm": "rmsnorm", "positions": "rope", "bias": False, "n_kv_heads": n_kv_heads}
    experts = {"n_experts": 8, "experts_per_token": 2, "d_ff": d_ff // 2}
    losses = [
        _held_out_loss(modern | changes, sizes, tokenizer, trained_on, held_out, device, name, folder)
        for changes, name in (({"d_ff": d_ff}, "dense"), (experts, "mixture of experts"))
    ]
    claim = "better than dense at equal active parameters"
    return Milestone("mixture of experts", claim, "held-out loss", *losses, "below", losses[0])


def cache_gain(model: LanguageModel, tokens: int) -> Milestone:
    """How much faster a text of `tokens` is written with a cache, if it is the model's; 0 if it is not."""
    device = model.unembed.weight.device
    prompt = torch.zeros(1, 4, dtype=torch.int64, device=device)
    started = time.perf_counter()
    cached = generate(model, prompt, tokens, temperature=0.0)
    middle = time.perf_counter()
    _without_cache(model, prompt, tokens)
    ended = time.perf_counter()
    right = bool(is_greedy(model, cached, prompt.shape[1]).all())
    gain = (ended - middle) / (middle - started) if right else 0.0
    claim = "writes the same text sooner"
    return Milestone("cache", claim, f"speed for {tokens} tokens", 1.0, gain, "above", 1.0)


@torch.no_grad()
def _without_cache(model: LanguageModel, ids: torch.Tensor, tokens: int) -> torch.Tensor:
    model.eval()
    for _ in range(tokens):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=1)
    return ids


def _held_out_loss(
    changes: dict[str, Any],
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    name: str,
    folder: Path | None,
) -> float:
    """Of a model with `changes` to GPT-2's choices; its curve and checkpoint are in a folder of its name."""
    torch.manual_seed(0)
    shape = {"context_length": sizes.window} | sizes.model
    model = LanguageModel(Config.gpt2(vocab_size=tokenizer.vocab_size, **shape | changes)).to(device)
    batches = language_model_batches(trained_on, tokenizer, sizes.window, sizes.batch_size, stride=sizes.window // 2)
    own = folder / name.replace(" ", "-") if folder is not None else None
    trainer = Trainer(model, language_model_loss, batches, sizes.recipe, folder=own, description=name)
    trainer.resume()
    trainer.run()
    whole = language_model_batches(held_out, tokenizer, sizes.window, sizes.batch_size)
    on_device = ((inputs.to(device), targets.to(device)) for inputs, targets in whole.one_round())
    return mean_loss(model, language_model_loss, on_device)
