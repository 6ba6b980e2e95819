"""Compares the time of a training step of the reference's GPT-2 with plain PyTorch, in one run on one machine.

    python -m tools.bench.reference                # a small model on the CPU; GPT-2 small on a GPU, if there is one
    python -m tools.bench.reference --compile --rounds 30

The plain models use torch's own fused modules: `nn.TransformerEncoder`, and the usual blocks of nn.LayerNorm,
one nn.Linear for query, key and value, and scaled_dot_product_attention. A step is forward, loss, backward, clipping
and fused AdamW. All models take turns, in an order that changes from round to round, so that other load on the
machine affects all of them equally. The ratio is the median over rounds of the reference's time divided by the other's.
On a CPU the time is processor time summed over threads, which does not include other programs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.language_model import Config, LanguageModel, parameter_count
from reference_impl.training.optimizer import adamw

SIZES = {
    "cpu": (Config.gpt2(vocab_size=2048, context_length=128, d_model=256, n_layers=4, n_heads=4), 8),
    "cuda": (Config.gpt2(vocab_size=50304), 8),
}
"""config and batch size; 50304 is GPT-2's vocabulary rounded up to a multiple of 64, as usual on a GPU"""
TARGET = 1.1
WARM_UP = 3
"""rounds that are not counted: they allocate memory and, with --compile, compile code"""


class PlainBlock(nn.Module):
    """GPT-2's block in the usual way, from torch's modules."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norms = nn.ModuleList([nn.LayerNorm(d_model), nn.LayerNorm(d_model)])
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.mlp = nn.Sequential(
            nn.Linear(d_model, 4 * d_model), nn.GELU(approximate="tanh"), nn.Linear(4 * d_model, d_model)
        )

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(self.norms[0](x)).unflatten(-1, (3, self.n_heads, -1)).transpose(1, 3)
        q, k, v = heads.unbind(dim=2)  # (batch, n_heads, seq, d_head) each
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        transformed: Tensor = self.mlp(self.norms[1](x))
        return x + transformed


class EncoderBlocks(nn.Module):
    """`nn.TransformerEncoder` with a causal mask."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            config.d_model, config.n_heads, config.d_ff, dropout=0.0, activation=nn.GELU(approximate="tanh"),
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)
        mask = nn.Transformer.generate_square_subsequent_mask(config.context_length)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.layers(x, mask=self.mask.to(x.dtype), is_causal=True)
        return encoded


class PlainModel(nn.Module):
    """Embedding, blocks, norm, and unembedding with the weights of the embedding."""

    def __init__(self, config: Config, blocks: nn.Module) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = nn.Embedding(config.context_length, config.d_model)
        self.blocks, self.norm = blocks, nn.LayerNorm(config.d_model)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.tokens.weight)


def models(config: Config) -> dict[str, nn.Module]:
    """The models by name, the reference first."""
    plain = nn.Sequential(*(PlainBlock(config.d_model, config.n_heads) for _ in range(config.n_layers)))
    return {
        "reference": LanguageModel(config),
        "reference, readable attention": LanguageModel(replace(config, attention="readable")),
        "plain blocks": PlainModel(config, plain),
        "nn.TransformerEncoder": PlainModel(config, EncoderBlocks(config)),
    }


def training_step(model: nn.Module, ids: Tensor, bf16: bool) -> Callable[[], None]:
    optimizer = adamw(model, 1e-4)
    weights = list(model.parameters())

    def step() -> None:
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
            logits = model(ids[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def timed(step: Callable[[], None], device: str) -> float:
    """Seconds for one step, until all of its work is done."""
    if device == "cpu":
        started = time.process_time()
        step()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def measure(device: str, rounds: int, compiled: bool) -> dict[str, list[float]]:
    """Seconds of each round, for each model."""
    config, batch = SIZES[device]
    torch.manual_seed(0)
    ids = torch.randint(config.vocab_size, (batch, config.context_length + 1), device=device)
    built = {name: model.to(device) for name, model in models(config).items()}
    sizes = {parameter_count(model) for model in built.values()}
    assert len(sizes) == 1, f"the models are not the same: {sizes} parameters"
    if compiled:
        for model in built.values():
            model.compile()
    steps = {name: training_step(model, ids, bf16=device == "cuda") for name, model in built.items()}
    names = list(steps)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + WARM_UP):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            took = timed(steps[name], device)
            if number >= WARM_UP:
                seconds[name].append(took)
    return seconds


def report(device: str, seconds: dict[str, list[float]], console: Console) -> None:
    config, batch = SIZES[device]
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    table = Table(
        title=f"{device}, {name}: {config.n_layers} layers of {config.d_model}, {batch} × {config.context_length}"
    )
    for title in ("model", "ms, median", "tokens/s", "reference ÷ this"):
        table.add_column(title, justify="left" if title == "model" else "right")
    for model, times in seconds.items():
        median = statistics.median(times)
        ratio = statistics.median(mine / theirs for mine, theirs in zip(seconds["reference"], times, strict=True))
        tokens = batch * config.context_length / median
        table.add_row(model, f"{1e3 * median:.1f}", f"{tokens:,.0f}", f"{ratio:.3f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile every model; needs a C++ compiler on a CPU"
    )
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    console = Console()
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        report(device, measure(device, options.rounds, options.compile), console)
    console.print(f"target: the reference within {TARGET} times of plain blocks and of nn.TransformerEncoder")


if __name__ == "__main__":
    main()
