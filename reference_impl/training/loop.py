"""The training loop that all methods share: schedule, logging, checkpoints. What one step does is up to a subclass.

A resumed run gives the same results: the checkpoint holds weights, optimizer, step, position in the data and random
state. On a CPU they agree bit for bit; on a GPU only with deterministic kernels (torch.use_deterministic_algorithms).
`model.compile()` before training makes it faster on a GPU.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reference_impl.training.optimizer import adamw, warmup_cosine
from reference_impl.training.progress import bar, curves

__all__ = ["Metrics", "ResumableBatches", "TrainConfig", "TrainingLoop"]

CHECKPOINT = "checkpoint.pt"
Metrics = Mapping[str, Tensor | float]
"""name -> number; tensors are (), so that a step need not wait for the GPU"""


@dataclass(frozen=True)
class TrainConfig:
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


class TrainingLoop(ABC):
    """Trains the parameters of `model` that require a gradient, on their device.

    validate: model -> a number to log. folder: for checkpoints and curves; None: neither is written. Raises ValueError
    if nothing is trainable.
    """

    dropout = True
    """whether dropout is active in training"""

    def __init__(
        self,
        model: nn.Module,
        batches: ResumableBatches,
        config: TrainConfig,
        *,
        validate: Callable[[Any], float] | None = None,
        folder: Path | None = None,
        description: str = "training",
    ) -> None:
        self.model, self.batches, self.config = model, batches, config
        self.validate, self.folder, self.description = validate, folder, description
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.trained:
            raise ValueError("no parameter of the model requires a gradient, so there is nothing to train")
        self.device = self.trained[0].device
        self.optimizer = adamw(model, config.learning_rate, config.weight_decay, config.betas)
        self.step = 0
        """the number of steps so far"""
        self.history: list[dict[str, float]] = []
        """step, learning_rate and the metrics of `update`, and validation at the steps where it was measured"""

    @abstractmethod
    def update(self) -> Metrics:
        """Takes a batch and changes the weights; returns what to log, the most important figure first."""

    def run(self) -> list[dict[str, float]]:
        """Trains until `config.steps` steps in total; returns the history.

        Raises FloatingPointError for a loss or gradient that is not finite.
        """
        was_training = self.model.training
        self.model.train(self.dropout)
        with bar(self.description, self.config.steps) as advance, curves(self.folder, self.step + 1) as write:
            note = ""
            while self.step < self.config.steps:
                metrics = self.take_step()
                if self._is_due(self.config.log_every) or self._is_due(self.config.validate_every):
                    figures = self._measure(metrics)
                    self.history.append({"step": self.step} | figures)
                    write(self.step, figures)
                    note = next(f"{name} {figure:.3f}" for name, figure in figures.items())
                advance(self.step, note)
                if self.folder is not None and self._is_due(self.config.checkpoint_every):
                    self.save()
        self.model.train(was_training)
        return self.history

    def take_step(self) -> Metrics:
        """One update at the learning rate of this step; returns its metrics."""
        learning_rate = self._set_learning_rate()
        metrics = self.update()
        self.step += 1
        return {**metrics, "learning_rate": learning_rate}

    def next_batch(self) -> Any:
        """The next batch, with its tensors on the model's device."""
        return _to_device(next(self.batches), self.device)

    def descend(self) -> Tensor:
        """One step of the optimizer on the gradients there are, which it then clears; returns their norm, (), before
        clipping."""
        norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return norm

    def save(self) -> None:
        """Writes a checkpoint to `folder` atomically: a crash leaves the last one complete.

        Raises ValueError without a folder.
        """
        if self.folder is None:
            raise ValueError("this trainer has no folder to write a checkpoint to")
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{CHECKPOINT}.unfinished"
        torch.save({"config": asdict(self.config)} | self.state_dict(), unfinished)
        os.replace(unfinished, self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Restores the checkpoint in `folder`; returns whether there was one.

        Raises ValueError if its config differs, because the result would match neither config.
        """
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return False
        state = torch.load(self.folder / CHECKPOINT, map_location="cpu", weights_only=True)
        ours, saved = asdict(self.config), state["config"]
        changed = {name: (saved.get(name), ours[name]) for name in ours if saved.get(name) != ours[name]}
        if changed:
            raise ValueError(
                f"{self.folder / CHECKPOINT} belongs to another config, (saved, ours): {changed}; choose another folder"
            )
        self.load_state_dict(state)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Everything that the remaining steps depend on."""
        return {
            "step": self.step,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.history = state["step"], state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.load_state_dict(state["batches"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["random_cuda"])

    def _set_learning_rate(self) -> float:
        config = self.config
        rate = warmup_cosine(
            self.step, config.learning_rate, config.warmup, config.steps, floor=config.final_learning_rate
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _is_due(self, every: int | None) -> bool:
        return every is not None and (self.step % every == 0 or self.step == self.config.steps)

    def _measure(self, metrics: Metrics) -> dict[str, float]:
        """The metrics of the last step as numbers, with validation where it is due."""
        figures = {name: float(figure) for name, figure in metrics.items()}
        if not all(map(math.isfinite, figures.values())):
            found = ", ".join(f"{name} {figure}" for name, figure in figures.items())
            raise FloatingPointError(
                f"{self.description}: {found} at step {self.step}; try a smaller learning rate or a longer warmup"
            )
        if self.validate is not None and self._is_due(self.config.validate_every):
            figures["validation"] = self.validate(self.model)
        return figures


def _to_device(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor in it on `device`, through lists, tuples and dicts."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: _to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(_to_device(part, device) for part in batch)
    return batch
