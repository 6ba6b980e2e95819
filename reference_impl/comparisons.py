"""Each part beside what it replaces: two small models that differ in one choice, trained on the same batches.

Everything else is equal: text, order, steps, seed and, where a part could have more of them, parameters. The losses are
on documents that neither has read, in nats per token. One seed each, so differences of about a hundredth mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from reference_impl.config import Config
from reference_impl.data import Batches, language_model_batches
from reference_impl.losses import language_model_loss, mean_loss
from reference_impl.milestones import Milestone, measured
from reference_impl.mlp import swiglu_width
from reference_impl.model import LanguageModel
from reference_impl.sampling import generate, is_greedy
from reference_impl.tokenizer import BPE
from reference_impl.trainer import Recipe, Trainer

__all__ = ["Comparison", "cache_gains", "expert_gain", "overfits", "part_gains"]


@dataclass(frozen=True)
class Comparison:
    """Sizes of the models that are compared, and how they are trained."""

    model: dict[str, Any]
    window: int
    batch_size: int
    recipe: Recipe


@dataclass(frozen=True)
class _Part:
    """What is claimed of a part (see `claims`), and the changes to GPT-2's choices without it and with it."""

    name: str
    claim: str
    without: dict[str, Any]
    within: dict[str, Any]


def overfits(
    tokenizer: BPE, text: str, device: torch.device, steps: int = 150, folder: Path | None = None, seed: int = 0
) -> Milestone:
    """A model that cannot learn four short passages by heart has a mistake in it."""
    torch.manual_seed(seed)
    sizes = {"context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4}
    model = LanguageModel(Config.modern(vocab_size=tokenizer.vocab_size, **sizes)).to(device)
    ids = torch.tensor(tokenizer.encode(text[:2000])[: 4 * 32 + 1])
    four = (ids[:-1].view(4, 32).to(device), ids[1:].view(4, 32).to(device))
    before = mean_loss(model, language_model_loss, [four])
    batches = Batches([four], 1, lambda chosen: chosen[0], seed=seed)
    recipe = Recipe(steps, learning_rate=5e-3, warmup=10, weight_decay=0.0)
    Trainer(model, language_model_loss, batches, recipe, folder=folder, description="toy set").run()
    after = mean_loss(model, language_model_loss, [four])
    return measured("model", "learns a toy set by heart", before, after)


def part_gains(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
    seed: int = 0,
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
        _Part("RMSNorm", "no worse than LayerNorm, with less work", without("RMSNorm"), modern),
        _Part("RoPE", "better than learned positions", without("RoPE"), modern),
        _Part("SwiGLU", "no worse than GELU, parameters equal", without("SwiGLU"), modern),
        _Part("grouped queries", "hardly worse with half the cache", without("grouped queries"), modern),
        _Part("sliding window", "hardly worse seeing half the text", modern, modern | window),
        _Part("modern model", "better than GPT-2's parts", {}, modern),
    ]
    losses: dict[str, float] = {}

    def loss(changes: dict[str, Any], name: str) -> float:
        if (key := repr(changes)) not in losses:
            losses[key] = _held_out_loss(changes, sizes, tokenizer, trained_on, held_out, device, name, folder, seed)
        return losses[key]

    milestones = []
    for part in parts:
        before, after = loss(part.without, f"without {part.name}"), loss(part.within, part.name)
        milestones.append(measured(part.name, part.claim, before, after))
    return milestones


def expert_gain(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
    seed: int = 0,
) -> Milestone:
    """Two of eight experts of half the width each: a token uses as many parameters as in the dense model."""
    d_ff = 4 * sizes.model["d_model"]
    n_kv_heads = max(1, sizes.model["n_heads"] // 2)
    modern = {"norm": "rmsnorm", "positions": "rope", "bias": False, "n_kv_heads": n_kv_heads}
    experts = {"n_experts": 8, "experts_per_token": 2, "d_ff": d_ff // 2}
    dense, mixture = (
        _held_out_loss(modern | changes, sizes, tokenizer, trained_on, held_out, device, name, folder, seed)
        for changes, name in (({"d_ff": d_ff}, "dense"), (experts, "mixture of experts"))
    )
    return measured("mixture of experts", "better than dense at equal active parameters", dense, mixture)


@torch.no_grad()
def cache_gains(model: LanguageModel, tokens: int) -> list[Milestone]:
    """A greedy text of `tokens` tokens, written with a cache: is it the model's own, and how much work did it take?

    Work is counted, since a clock also measures the machine's load.
    """
    model.eval()
    prompt = torch.zeros(1, 4, dtype=torch.int64, device=model.unembed.weight.device)
    with FlopCounterMode(display=False) as with_cache:
        text = generate(model, prompt, tokens, temperature=0.0)
    with FlopCounterMode(display=False) as without:
        for length in range(prompt.shape[1], text.shape[1]):
            model(text[:, :length])
    share = is_greedy(model, text, prompt.shape[1]).double().mean().item()
    work = [counter.get_total_flops() / 1e9 for counter in (without, with_cache)]
    return [
        measured("cache", "writes the same text", None, share),
        measured("cache", "reads each token once", *work),
    ]


def _held_out_loss(
    changes: dict[str, Any],
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    name: str,
    folder: Path | None,
    seed: int,
) -> float:
    """Of a model with `changes` to GPT-2's choices; its curve and checkpoint are in a folder of its name."""
    torch.manual_seed(seed)
    shape = {"context_length": sizes.window} | sizes.model
    model = LanguageModel(Config.gpt2(vocab_size=tokenizer.vocab_size, **shape | changes)).to(device)
    stride = sizes.window // 2
    batches = language_model_batches(trained_on, tokenizer, sizes.window, sizes.batch_size, stride=stride, seed=seed)
    own = folder / name.replace(" ", "-") if folder is not None else None
    trainer = Trainer(model, language_model_loss, batches, sizes.recipe, folder=own, description=name)
    trainer.resume()
    trainer.run()
    whole = language_model_batches(held_out, tokenizer, sizes.window, sizes.batch_size)
    on_device = ((inputs.to(device), targets.to(device)) for inputs, targets in whole.one_round())
    return mean_loss(model, language_model_loss, on_device)
