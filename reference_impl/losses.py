"""The loss of a language model: how surprised it is by the next token, in nats.

Cross-entropy of a softmax: −log p(target) = logsumexp(logits) − logits[target]. A model that knows nothing gives every
token 1 / vocab_size and has the loss ln(vocab_size). Perplexity is exp(loss).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model import LanguageModel

__all__ = ["language_model_loss", "mean_loss", "readable_cross_entropy"]


def readable_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """logits: (..., vocab), targets: (...) -> (), the mean; F.cross_entropy is its fused form."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    chosen = wide.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (wide.logsumexp(dim=-1) - chosen).mean()


def language_model_loss(model: LanguageModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    """batch: inputs and targets, (batch, seq) each -> (): the mean over tokens, with what a mixture of experts adds."""
    inputs, targets = batch
    logits = model(inputs)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    return loss + model.auxiliary_loss() if model.training and model.config.n_experts else loss


@torch.no_grad()
def mean_loss(model: nn.Module, loss: Callable[[Any, Any], Tensor], batches: Iterable[Any]) -> float:
    """The mean of `loss` over batches, each weighted by its rows, in evaluation mode: no dropout, no auxiliary loss."""
    training = model.training
    model.eval()
    try:
        losses = [(loss(model, batch).item(), _rows(batch)) for batch in batches]
    finally:
        model.train(training)
    return sum(loss * rows for loss, rows in losses) / sum(rows for _, rows in losses)


def _rows(batch: Any) -> int:
    """How many examples a batch holds: the first axis of its first tensor."""
    if isinstance(batch, Tensor):
        return batch.shape[0]
    return _rows(next(iter(batch.values() if isinstance(batch, dict) else batch)))
