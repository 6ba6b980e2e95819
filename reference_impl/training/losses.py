"""The loss of a language model: the cross-entropy of the next token, in nats.

−log p(target) = logsumexp(logits) − logits[target]. A uniform prediction gives every token 1 / vocab_size and has the
loss ln(vocab_size). Perplexity is exp(loss).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.dtypes import upcast
from reference_impl.model.language_model import LanguageModel

__all__ = ["language_model_loss", "mean_loss", "readable_cross_entropy"]


def readable_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """logits: (..., vocab), targets: (...) -> (), the mean; F.cross_entropy is its fused form."""
    wide = upcast(logits)
    chosen = wide.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (wide.logsumexp(dim=-1) - chosen).mean()


def language_model_loss(model: LanguageModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    """batch: inputs and targets, (batch, seq) each -> (): the mean over tokens.

    In training, the auxiliary loss of a mixture of experts is added.
    """
    inputs, targets = batch
    logits = model(inputs)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())  # (batch · seq, vocab), (batch · seq,)
    return loss + model.auxiliary_loss() if model.training and model.config.n_experts else loss


@torch.no_grad()
def mean_loss(model: nn.Module, loss: Callable[[Any, Any], Tensor], batches: Iterable[Any]) -> float:
    """The mean of `loss` over batches, weighted by batch size, in evaluation mode: no dropout, no auxiliary loss."""
    training = model.training
    model.eval()
    try:
        losses = [(loss(model, batch).item(), _batch_size(batch)) for batch in batches]
    finally:
        model.train(training)
    return sum(loss * size for loss, size in losses) / sum(size for _, size in losses)


def _batch_size(batch: Any) -> int:
    """The batch size: the first axis of the first tensor."""
    if isinstance(batch, Tensor):
        return batch.shape[0]
    return _batch_size(next(iter(batch.values() if isinstance(batch, dict) else batch)))
