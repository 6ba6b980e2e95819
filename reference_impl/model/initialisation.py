"""The initial weights, as in GPT-2 (Radford et al., 2019, section 2.3).

Weights N(0, 0.02²), biases 0, norms 1. Each block adds two vectors to the residual stream, so the projections that
write to it are divided by √(2 · layers), which keeps the stream's scale independent of depth. The logits start near 0,
and the loss near ln(vocab_size).
"""

from __future__ import annotations

import math

from torch import nn

__all__ = ["STD", "initialise"]

STD = 0.02
RESIDUAL_PROJECTIONS = ("attention.out", "down")


def initialise(model: nn.Module, n_layers: int) -> None:
    """Initialises every weight of `model` in place from torch's global generator, in the order of its modules."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            scaled = name.endswith(RESIDUAL_PROJECTIONS)
            nn.init.normal_(module.weight, std=STD / math.sqrt(2 * n_layers) if scaled else STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
