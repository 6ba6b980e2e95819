"""AdamW, the learning-rate schedule and gradient clipping, each as readable code and in torch's fast form.

AdamW after Loshchilov and Hutter (2019), algorithm 2, with the decay before the step, as torch.optim.AdamW; clipping by
the global norm of all gradients after Pascanu et al. (2013); warmup and cosine after Loshchilov and Hutter (2017) and
Radford et al. (2018).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

__all__ = ["ReadableAdamW", "adamw", "readable_clip", "warmup_cosine"]


def warmup_cosine(step: int, peak: float, warmup: int, total: int, floor: float = 0.0) -> float:
    """The learning rate of step `step`, counted from 0.

    peak · (step + 1) / warmup before step `warmup`, so the first is not 0; `peak` at step `warmup`; half a cosine down
    to `floor` at step `total`; `floor` after that.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def adamw(
    model: nn.Module, learning_rate: float, weight_decay: float = 0.1, betas: tuple[float, float] = (0.9, 0.95)
) -> torch.optim.AdamW:
    """torch's fused AdamW over the trainable parameters; matrices decay, biases and norms do not (as in nanoGPT)."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trainable if parameter.dim() >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trainable if parameter.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=betas, fused=True)


class ReadableAdamW:
    """The same update, one line per line of the paper's algorithm 2."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
    ) -> None:
        self.parameters = list(parameters)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        for parameter, gradient, mean, square in self._with_gradient():
            mean.mul_(beta1).add_((1 - beta1) * gradient)
            square.mul_(beta2).add_((1 - beta2) * gradient.square())
            unbiased_mean = mean / (1 - beta1**self.steps)
            unbiased_square = square / (1 - beta2**self.steps)
            parameter.mul_(1 - self.lr * self.weight_decay)
            parameter.sub_(self.lr * unbiased_mean / (unbiased_square.sqrt() + self.eps))

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _with_gradient(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        for parameter, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            if parameter.grad is not None:
                yield parameter, parameter.grad, mean, square


@torch.no_grad()
def readable_clip(parameters: Iterable[Tensor], largest_norm: float) -> Tensor:
    """Scales all gradients by one factor so that their global norm is at most `largest_norm`; returns the norm before.

    nn.utils.clip_grad_norm_ is its fast form.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    factor = (largest_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)
    return norm
