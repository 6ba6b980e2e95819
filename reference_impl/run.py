"""One run of the pipeline: where its results are, how large it is, on what it runs, and what it asks."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
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
    seed: int = 0
    """of everything that a stage draws: weights, order, questions, answers; what is held out is the same for all"""

    @property
    def preset(self) -> Preset:
        return PRESETS[self.name]

    def describe(self) -> dict[str, Any]:
        """What its figures depend on: the preset, the seed, and what rounds the sums."""
        return {
            "preset": self.name,
            "seed": self.seed,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "processor": _processor(self.device),
            "torch": torch.__version__,
            "date": date.today().isoformat(),
        }

    def questions(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What supervised finetuning trains on."""
        return instructions(self.preset.n_training, tasks=tasks or self.preset.tasks, seed=2 * self.seed)

    def new_questions(self) -> list[Instruction]:
        """What the stages after it ask: a model says little that is wrong about what it was told the answers to."""
        return instructions(self.preset.n_training, tasks=self.preset.tasks, seed=2 * self.seed + 1)

    def held_out(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What no stage trains on."""
        return instructions(self.preset.n_validation, validation=True, tasks=tasks or self.preset.tasks)

    def generator(self) -> torch.Generator:
        """A new one of this run's seed, to draw answers with."""
        return torch.Generator(self.device).manual_seed(self.seed)

    def load(self, stage: str, **changes: Any) -> tuple[LanguageModel, ChatTokenizer]:
        """The model that a stage left behind, with `changes` to its config."""
        model, tokenizer = load_model(self.folder / stage, self.device, **changes)
        return model, ChatTokenizer(tokenizer)

    def save(self, stage: str, model: LanguageModel, tokenizer: ChatTokenizer) -> None:
        save_model(model, tokenizer.tokens, self.folder / stage)


def _processor(device: torch.device) -> str:
    """The model of the GPU, or of the CPU as far as the system tells."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    cpus = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", cpus.read_text()) if cpus.exists() else []
    return str(names[0]) if names else platform.machine()
