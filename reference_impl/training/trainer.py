"""Training by gradient descent on a loss, for any model: pretraining, finetuning and reward models alike.

batches = language_model_batches(texts, tokenizer, length=64, batch_size=32)
config = TrainConfig(steps=500, learning_rate=1e-3)
trainer = Trainer(model, language_model_loss, batches, config, folder=Path("run"))
trainer.resume()                 # continues an interrupted run from its last checkpoint
history = trainer.run()
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference_impl.training.loop import Metrics, ResumableBatches, TrainConfig, TrainingLoop

__all__ = ["TrainConfig", "Trainer"]


class Trainer(TrainingLoop):
    """The loop with one gradient step on `config.accumulate` batches. loss: (model, batch) -> ()."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        batches: ResumableBatches,
        config: TrainConfig,
        *,
        validate: Callable[[Any], float] | None = None,
        folder: Path | None = None,
        description: str = "training",
    ) -> None:
        super().__init__(model, batches, config, validate=validate, folder=folder, description=description)
        self.loss = loss

    def update(self) -> Metrics:
        """Returns the loss, and the norm of its gradient before clipping."""
        total = torch.zeros((), device=self.device)
        for _ in range(self.config.accumulate):
            batch = self.next_batch()
            with self._autocast():
                loss = self.loss(self.model, batch) / self.config.accumulate
            loss.backward()
            total += loss.detach()
        return {"loss": total, "gradient_norm": self.descend()}

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)
