"""What the weights are before the first step: GPT-2's normal numbers (Radford et al., 2019, section 2.3).

Weights N(0, 0.02²), biases 0, norms 1. Each block adds two vectors to the residual sum, so the projections that write
to it start smaller by √(2 · layers), and the sum has about the same size at any depth. The logits start near 0 then,
and the loss near ln(vocab_size).
"""

from __future__ import annotations

import math

from torch import nn

__all__ = ["STD", "initialise"]

STD = 0.02
WRITES_TO_THE_RESIDUAL = ("attention.out", "down")


def initialise(model: nn.Module, n_layers: int) -> None:
    """Draws every weight of `model` anew, from torch's global generator, in the order of its modules."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            scaled = name.endswith(WRITES_TO_THE_RESIDUAL)
            nn.init.normal_(module.weight, std=STD / math.sqrt(2 * n_layers) if scaled else STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
