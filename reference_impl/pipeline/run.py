"""One run of the pipeline: its folder, preset, device and seed, and the questions of its stages."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.finetuning.instructions import Instruction, instructions
from reference_impl.model.checkpoint import load_model, save_model
from reference_impl.model.language_model import LanguageModel
from reference_impl.pipeline.presets import PRESETS, Preset

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """The folder of the results, the name of the preset, the device and the seed."""

    folder: Path
    name: str
    device: torch.device
    resume: bool = False
    seed: int = 0
    """decides weights, order of the data, questions and sampling; the held-out questions do not depend on it"""

    @property
    def preset(self) -> Preset:
        return PRESETS[self.name]

    def describe(self) -> dict[str, Any]:
        """Everything that the figures of the run depend on."""
        return {
            "preset": self.name,
            "seed": self.seed,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "processor": _processor_name(self.device),
            "torch": torch.__version__,
            "date": date.today().isoformat(),
        }

    def training_questions(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """The questions for supervised finetuning."""
        return instructions(self.preset.n_training, tasks=tasks or self.preset.tasks, seed=2 * self.seed)

    def alignment_questions(self) -> list[Instruction]:
        """The questions for the stages after it: other ones, because a model rarely errs on those it was trained on."""
        return instructions(self.preset.n_training, tasks=self.preset.tasks, seed=2 * self.seed + 1)

    def held_out_questions(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """The questions for evaluation, on which no stage trains."""
        return instructions(self.preset.n_validation, validation=True, tasks=tasks or self.preset.tasks)

    def new_generator(self) -> torch.Generator:
        """A generator with the seed of this run, for sampling."""
        return torch.Generator(self.device).manual_seed(self.seed)

    def load(self, stage: str, **changes: Any) -> tuple[LanguageModel, ChatTokenizer]:
        """The model that a stage saved, with `changes` to its config."""
        model, tokenizer = load_model(self.folder / stage, self.device, **changes)
        return model, ChatTokenizer(tokenizer)

    def save(self, stage: str, model: LanguageModel, tokenizer: ChatTokenizer) -> None:
        save_model(model, tokenizer.tokens, self.folder / stage)


def _processor_name(device: torch.device) -> str:
    """The name of the GPU, or that of the CPU if the system reports it, otherwise its architecture."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    cpus = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", cpus.read_text()) if cpus.exists() else []
    return str(names[0]) if names else platform.machine()
