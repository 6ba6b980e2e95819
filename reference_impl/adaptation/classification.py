"""Text classification: a linear head on the last real token of a language model, trained alone or with the model.

Only the last token attends to the whole sequence (Radford et al., GPT, 2018, section 3.2). Conventions: sequences are
padded on the right, and `attention_mask` is 1 at real tokens; the loss is the mean cross-entropy over the sequences, in
float32 at least; a class that is never predicted has precision 0, one that never occurs has recall 0, as in
scikit-learn with `zero_division=0`.
"""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.alignment.reward_model import last_token
from reference_impl.model.dtypes import upcast

__all__ = ["Classifier", "classification_loss", "confusion_matrix", "metrics"]


class Body(Protocol):
    """The interface that the head needs from a model, which is an nn.Module."""

    def hidden(self, ids: Tensor) -> Tensor:
        """(batch, seq) of token ids -> (batch, seq, d_model)"""

    def requires_grad_(self, requires_grad: bool) -> Self: ...

    def eval(self) -> Self: ...


class Classifier(nn.Module):
    """A language model without its output layer, and a head: (batch, seq) token ids -> (batch, n_classes).

    `frozen`: only the head is trained, and the body stays in evaluation mode (no dropout).
    """

    def __init__(self, body: Body, d_model: int, n_classes: int, frozen: bool = False) -> None:
        super().__init__()
        self.body: Body = body.requires_grad_(not frozen)
        self.head = nn.Linear(d_model, n_classes)
        self.frozen = frozen

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(last_token(self.body.hidden(ids), attention_mask))

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self


def classification_loss(classifier: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """batch: `input_ids`, `attention_mask` (batch, seq) and `classes` (batch,) -> (): mean cross-entropy."""
    logits = classifier(batch["input_ids"], batch["attention_mask"])
    return F.cross_entropy(upcast(logits), batch["classes"])


def confusion_matrix(predicted: Tensor, actual: Tensor, n_classes: int) -> Tensor:
    """(batch,), (batch,) -> (n_classes, n_classes) counts: row = actual class, column = predicted class."""
    cells = actual * n_classes + predicted
    return torch.bincount(cells, minlength=n_classes**2).view(n_classes, n_classes)


def metrics(predicted: Tensor, actual: Tensor, n_classes: int) -> dict[str, float]:
    """(batch,), (batch,) -> accuracy, and precision, recall and F1, as the unweighted mean over classes (macro)."""
    counts = confusion_matrix(predicted, actual, n_classes).double()
    correct = counts.diagonal()
    precision = correct / counts.sum(dim=0).clamp_min(1)
    recall = correct / counts.sum(dim=1).clamp_min(1)
    f1 = 2 * correct / (counts.sum(dim=0) + counts.sum(dim=1)).clamp_min(1)
    return {
        "accuracy": (correct.sum() / counts.sum()).item(),
        "precision": precision.mean().item(),
        "recall": recall.mean().item(),
        "f1": f1.mean().item(),
    }
