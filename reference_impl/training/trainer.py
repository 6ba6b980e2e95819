"""The training loop, for any model and any loss: pretraining, finetuning and preference losses alike.

    batches = language_model_batches(texts, tokenizer, length=64, batch_size=32)
    trainer = Trainer(model, language_model_loss, batches, Recipe(steps=500, learning_rate=1e-3), folder=Path("run"))
    trainer.resume()                 # continues an interrupted run from its last checkpoint
    history = trainer.run()

A resumed run gives the same results: the checkpoint holds weights, optimizer, step, position in the data and random
state. On a CPU they agree bit for bit; on a GPU only with deterministic kernels (torch.use_deterministic_algorithms).
`model.compile()` before training makes it faster on a GPU.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reference_impl.training.optimizer import adamw, warmup_cosine
from reference_impl.training.progress import bar, curves

__all__ = ["Recipe", "ResumableBatches", "Trainer"]

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a run. Intervals are in steps; a step is one update of the weights."""

    steps: int
    learning_rate: float
    warmup: int = 0
    final_learning_rate: float = 0.0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    """the largest global norm of all gradients"""
    accumulate: int = 1
    """batches per step: equivalent to one larger batch if every batch has the same number of targets"""
    bf16: bool = False
    """autocast: matrix products in bfloat16, weights and sums in float32"""
    log_every: int = 10
    validate_every: int | None = None
    checkpoint_every: int | None = None


class ResumableBatches(Protocol):
    """An endless iterator that can save and restore its position, such as `data.Batches`."""

    def __next__(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Trainer:
    """Trains the parameters of `model` that require a gradient, on their device.

    loss: (model, batch) -> (), called in training mode. validate: model -> a number to log.
    folder: for checkpoints and curves; None: neither is written. Raises ValueError if nothing is trainable.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        batches: ResumableBatches,
        recipe: Recipe,
        *,
        validate: Callable[[Any], float] | None = None,
        folder: Path | None = None,
        description: str = "training",
    ) -> None:
        self.model, self.loss, self.batches, self.recipe = model, loss, batches, recipe
        self.validate, self.folder, self.description = validate, folder, description
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.trained:
            raise ValueError("no parameter of the model requires a gradient, so there is nothing to train")
        self.device = self.trained[0].device
        self.optimizer = adamw(model, recipe.learning_rate, recipe.weight_decay, recipe.betas)
        self.step = 0
        """the number of updates so far"""
        self.history: list[dict[str, float]] = []
        """step, loss, learning_rate, gradient_norm, and validation at the steps where it was measured"""

    def run(self) -> list[dict[str, float]]:
        """Trains until `recipe.steps` updates in total; returns the history.

        Raises FloatingPointError for a loss or gradient that is not finite.
        """
        was_training = self.model.training
        self.model.train()
        with bar(self.description, self.recipe.steps) as advance, curves(self.folder, self.step + 1) as write:
            note = ""
            while self.step < self.recipe.steps:
                learning_rate = self._set_learning_rate()
                loss, norm = self.train_step()
                if self._is_due(self.recipe.log_every) or self._is_due(self.recipe.validate_every):
                    metrics = self._step_metrics(loss, learning_rate, norm)
                    self.history.append({"step": self.step} | metrics)
                    write(self.step, metrics)
                    note = f"loss {metrics['loss']:.3f}"
                advance(self.step, note)
                if self.folder is not None and self._is_due(self.recipe.checkpoint_every):
                    self.save()
        self.model.train(was_training)
        return self.history

    def train_step(self) -> tuple[Tensor, Tensor]:
        """One update at the optimizer's learning rate; returns its loss and the gradient norm before clipping."""
        total = torch.zeros((), device=self.device)
        for _ in range(self.recipe.accumulate):
            batch = _to_device(next(self.batches), self.device)
            with self._precision():
                loss = self.loss(self.model, batch) / self.recipe.accumulate
            loss.backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return total, norm

    def save(self) -> None:
        """Writes a checkpoint to `folder` atomically: a crash leaves the last one complete.

        Raises ValueError without a folder.
        """
        if self.folder is None:
            raise ValueError("this trainer has no folder to write a checkpoint to")
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        unfinished = self.folder / f"{CHECKPOINT}.unfinished"
        torch.save(state, unfinished)
        os.replace(unfinished, self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Restores the checkpoint in `folder`; returns whether there was one.

        Raises ValueError if its recipe differs, because the result would match neither recipe.
        """
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return False
        state = torch.load(self.folder / CHECKPOINT, map_location="cpu", weights_only=True)
        ours, saved = asdict(self.recipe), state["recipe"]
        changed = {name: (saved.get(name), ours[name]) for name in ours if saved.get(name) != ours[name]}
        if changed:
            raise ValueError(
                f"{self.folder / CHECKPOINT} belongs to another recipe, (saved, ours): {changed}; choose another folder"
            )
        self.step, self.history = state["step"], state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.load_state_dict(state["batches"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["random_cuda"])
        return True

    def _set_learning_rate(self) -> float:
        recipe = self.recipe
        rate = warmup_cosine(
            self.step, recipe.learning_rate, recipe.warmup, recipe.steps, floor=recipe.final_learning_rate
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and (self.step % every == 0 or self.step == self.recipe.steps)

    def _step_metrics(self, loss: Tensor, learning_rate: float, norm: Tensor) -> dict[str, float]:
        """The metrics of the last step, with validation where it is due."""
        metrics = {"loss": loss.item(), "learning_rate": learning_rate, "gradient_norm": norm.item()}
        if not all(map(math.isfinite, metrics.values())):
            raise FloatingPointError(
                f"{self.description}: loss {metrics['loss']} and gradient norm {metrics['gradient_norm']} at step "
                f"{self.step}; try a smaller learning rate or a longer warmup"
            )
        if self.validate is not None and self._is_due(self.recipe.validate_every):
            metrics["validation"] = self.validate(self.model)
        return metrics


def _to_device(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor in it on `device`, through lists, tuples and dicts."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: _to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(_to_device(part, device) for part in batch)
    return batch
