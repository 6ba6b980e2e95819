"""The gpu preset, shrunk so that it runs on a CPU: the same stages, tasks, precision and compiled graph."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.finetuning import finetune as finetune_module
from reference_impl.finetuning.sft import sft_loss
from reference_impl.model.language_model import LanguageModel
from reference_impl.pipeline import run as run_module
from reference_impl.pipeline.pipeline import run_pipeline
from reference_impl.pipeline.presets import PRESETS, Preset
from reference_impl.pipeline.run import Run
from reference_impl.pipeline.stages import STAGES
from reference_impl.training.trainer import TrainConfig

COUNTS = {
    "n_training": 60, "n_validation": 30, "batch_size": 4, "n_rated": 4,
    "rollout_questions": 2, "group": 3, "lora_rank": 2, "n_tool_questions": 1, "cached_tokens": 4,
}  # fmt: skip


def shrink(preset: Preset) -> Preset:
    """Reduces all sizes and steps to the minimum; other settings stay the same."""

    def shorten(config: TrainConfig) -> TrainConfig:
        return replace(config, steps=2, warmup=1, validate_every=2, checkpoint_every=2)

    pretraining = replace(
        preset.pretraining,
        vocab_size=300,
        model=preset.pretraining.model | {"context_length": 192, "d_model": 16, "n_layers": 1},
        window=64,
        batch_size=8,
        training=shorten(preset.pretraining.training),
    )
    comparison = replace(
        preset.comparison,
        model=preset.comparison.model | {"d_model": 16, "n_layers": 1},
        window=64,
        batch_size=8,
        training=shorten(preset.comparison.training),
    )
    configs = {
        field.name: shorten(getattr(preset, field.name))
        for field in fields(preset)
        if isinstance(getattr(preset, field.name), TrainConfig)
    }
    return replace(preset, pretraining=pretraining, comparison=comparison, **configs, **COUNTS)


@pytest.mark.long
def test_gpu_preset_runs_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[LanguageModel] = []

    def compile_eagerly(model: LanguageModel, **_: Any) -> None:
        graphs.append(model)
        torch.nn.Module.compile(model, backend="eager")  # traces one graph, without minutes of C++ compilation

    monkeypatch.setattr(LanguageModel, "compile", compile_eagerly)
    monkeypatch.setattr(run_module, "PRESETS", {"gpu": shrink(PRESETS["gpu"])})
    precisions: set[torch.dtype] = set()

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        precisions.add(logits.dtype)
        return sft_loss(logits, labels)

    monkeypatch.setattr(finetune_module, "sft_loss", loss)
    milestones = run_pipeline(Run(tmp_path / "run", "gpu", torch.device("cpu")))
    assert graphs
    assert torch.bfloat16 in precisions
    assert {one.claim.statement for one in milestones} >= {"follows instructions: add", "raises the learned reward"}
    assert all(math.isfinite(one.after) for one in milestones)
    assert {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()} == set(STAGES)
