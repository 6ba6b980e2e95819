"""One run of the pipeline: where its results are, how large it is, on what it runs, and what it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reference_impl.chat import ChatTokenizer
from reference_impl.instructions import Instruction, instructions
from reference_impl.model import LanguageModel
from reference_impl.presets import PRESETS, Preset
from reference_impl.saved import load_model, save_model

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One run of the pipeline: where its results are, how large it is, and on what it runs."""

    folder: Path
    name: str
    device: torch.device
    resume: bool = False

    @property
    def preset(self) -> Preset:
        return PRESETS[self.name]

    def questions(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What supervised finetuning trains on."""
        return instructions(self.preset.n_training, tasks=tasks or self.preset.tasks)

    def new_questions(self) -> list[Instruction]:
        """What the stages after it ask: a model says little that is wrong about what it was told the answers to."""
        return instructions(self.preset.n_training, tasks=self.preset.tasks, seed=1)

    def held_out(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What no stage trains on."""
        return instructions(self.preset.n_validation, validation=True, tasks=tasks or self.preset.tasks)

    def load(self, stage: str, **changes: Any) -> tuple[LanguageModel, ChatTokenizer]:
        """The model that a stage left behind, with `changes` to its config."""
        model, tokenizer = load_model(self.folder / stage, self.device, **changes)
        return model, ChatTokenizer(tokenizer)

    def save(self, stage: str, model: LanguageModel, tokenizer: ChatTokenizer) -> None:
        save_model(model, tokenizer.tokens, self.folder / stage)
