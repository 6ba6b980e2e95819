"""Comparisons of each part with what it replaces: two small models that differ in one choice.

Everything else is equal: text, batches, steps, seed and, where a part could have more of them, parameters. The losses
are in nats per token on held-out documents. With one seed, differences of about a hundredth are noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from reference_impl.model.config import Config
from reference_impl.model.language_model import LanguageModel
from reference_impl.model.mlp import swiglu_width
from reference_impl.model.sampling import generate, is_greedy
from reference_impl.pipeline.milestones import Milestone, make_milestone
from reference_impl.tokenizer import BPE
from reference_impl.training.data import Batches, language_model_batches
from reference_impl.training.losses import language_model_loss, mean_loss
from reference_impl.training.trainer import TrainConfig, Trainer

__all__ = ["Comparison", "compare_experts", "compare_parts", "measure_cache", "measure_overfitting"]


@dataclass(frozen=True)
class Comparison:
    """The sizes of the compared models and the hyperparameters of their training."""

    model: dict[str, Any]
    window: int
    batch_size: int
    training: TrainConfig


@dataclass(frozen=True)
class _Part:
    """A part, the statement of its claim, and the changes to GPT-2's config without the part and with it."""

    name: str
    statement: str
    without: dict[str, Any]
    within: dict[str, Any]


def measure_overfitting(
    tokenizer: BPE, text: str, device: torch.device, steps: int = 150, folder: Path | None = None, seed: int = 0
) -> Milestone:
    """Trains a small model on four short passages, which any correct model memorises."""
    torch.manual_seed(seed)
    sizes = {"context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4}
    model = LanguageModel(Config.modern(vocab_size=tokenizer.vocab_size, **sizes)).to(device)
    ids = torch.tensor(tokenizer.encode(text[:2000])[: 4 * 32 + 1])
    passages = (ids[:-1].view(4, 32).to(device), ids[1:].view(4, 32).to(device))
    before = mean_loss(model, language_model_loss, [passages])
    batches = Batches([passages], 1, lambda examples: examples[0], seed=seed)
    config = TrainConfig(steps, learning_rate=5e-3, warmup=10, weight_decay=0.0)
    Trainer(model, language_model_loss, batches, config, folder=folder, description="toy set").run()
    after = mean_loss(model, language_model_loss, [passages])
    return make_milestone("model", "memorises a toy set", before, after)


def compare_parts(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
    seed: int = 0,
) -> list[Milestone]:
    """Removes each part from the modern model, adds a sliding window to it, and compares the whole with GPT-2.

    The other parts are modern ones because such a model learns faster. In a model with learned positions, this short
    training showed differences of a quarter of a nat between parts that do not differ here.
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
        _Part("sliding window", "hardly worse with half the context", modern, modern | window),
        _Part("modern model", "better than GPT-2's parts", {}, modern),
    ]
    losses: dict[str, float] = {}

    def measure_loss(changes: dict[str, Any], name: str) -> float:
        if (key := repr(changes)) not in losses:
            losses[key] = _train_and_evaluate(
                changes, sizes, tokenizer, trained_on, held_out, device, name, folder, seed
            )
        return losses[key]

    milestones = []
    for part in parts:
        before, after = measure_loss(part.without, f"without {part.name}"), measure_loss(part.within, part.name)
        milestones.append(make_milestone(part.name, part.statement, before, after))
    return milestones


def compare_experts(
    sizes: Comparison,
    tokenizer: BPE,
    trained_on: Sequence[str],
    held_out: Sequence[str],
    device: torch.device,
    folder: Path | None = None,
    seed: int = 0,
) -> Milestone:
    """Compares a dense model with eight experts of half its width, two per token: equally many active parameters."""
    d_ff = 4 * sizes.model["d_model"]
    n_kv_heads = max(1, sizes.model["n_heads"] // 2)
    modern = {"norm": "rmsnorm", "positions": "rope", "bias": False, "n_kv_heads": n_kv_heads}
    experts = {"n_experts": 8, "experts_per_token": 2, "d_ff": d_ff // 2}
    dense, mixture = (
        _train_and_evaluate(modern | changes, sizes, tokenizer, trained_on, held_out, device, name, folder, seed)
        for changes, name in (({"d_ff": d_ff}, "dense"), (experts, "mixture of experts"))
    )
    return make_milestone("mixture of experts", "better than dense at equal active parameters", dense, mixture)


@torch.no_grad()
def measure_cache(model: LanguageModel, tokens: int) -> list[Milestone]:
    """Generates `tokens` tokens greedily with a cache; compares the tokens and the operations with full forward passes.

    Operations are counted because a clock also measures the load of the machine.
    """
    model.eval()
    prompt = torch.zeros(1, 4, dtype=torch.int64, device=model.unembed.weight.device)
    with FlopCounterMode(display=False) as with_cache:
        sequence = generate(model, prompt, tokens, temperature=0.0)
    with FlopCounterMode(display=False) as without:
        for length in range(prompt.shape[1], sequence.shape[1]):
            model(sequence[:, :length])
    share = is_greedy(model, sequence, prompt.shape[1]).double().mean().item()
    gflops = [counter.get_total_flops() / 1e9 for counter in (without, with_cache)]
    return [
        make_milestone("cache", "generates the same tokens", None, share),
        make_milestone("cache", "reads each token once", *gflops),
    ]


def _train_and_evaluate(
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
    """The held-out loss of GPT-2 with `changes` to its config; curves and checkpoint are in the subfolder `name`."""
    torch.manual_seed(seed)
    shape = {"context_length": sizes.window} | sizes.model
    model = LanguageModel(Config.gpt2(vocab_size=tokenizer.vocab_size, **shape | changes)).to(device)
    stride = sizes.window // 2
    batches = language_model_batches(trained_on, tokenizer, sizes.window, sizes.batch_size, stride=stride, seed=seed)
    subfolder = folder / name.replace(" ", "-") if folder is not None else None
    trainer = Trainer(model, language_model_loss, batches, sizes.training, folder=subfolder, description=name)
    trainer.resume()
    trainer.run()
    validation = language_model_batches(held_out, tokenizer, sizes.window, sizes.batch_size)
    on_device = ((inputs.to(device), targets.to(device)) for inputs, targets in validation.one_round())
    return mean_loss(model, language_model_loss, on_device)
