"""Pretraining end to end on the smallest preset: the loss falls, an interrupted run resumes, the model is saved."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.model.checkpoint import load_model
from reference_impl.model.language_model import Config, LanguageModel, parameter_count
from reference_impl.pipeline.presets import PRESETS
from reference_impl.training.data import documents
from reference_impl.training.pretrain import SPECIAL, pretrain, share_of_known_words, split
from reference_impl.training.trainer import Trainer

SMOKE = PRESETS["smoke"].pretraining


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pretrained")
    return folder, *pretrain(SMOKE, "cpu", folder)


def test_pretrain_lowers_the_loss(run: tuple[Path, Any, Any, dict[str, Any]]) -> None:
    metrics = run[3]
    assert metrics["loss_of_guessing"] == pytest.approx(math.log(SMOKE.vocab_size))
    assert metrics["validation_at_start"] == pytest.approx(metrics["loss_of_guessing"], abs=0.05)
    assert metrics["validation"] < metrics["validation_at_start"] - 1
    assert metrics["snippet"].startswith("Alice")


def test_pretrain_saves_the_returned_model(run: tuple[Path, Any, Any, dict[str, Any]]) -> None:
    folder, model, tokenizer, _ = run
    loaded, loaded_tokenizer = load_model(folder)
    ids = torch.tensor([tokenizer.encode("Alice was beginning")])
    assert loaded_tokenizer.encode("Alice was beginning") == ids[0].tolist()
    assert torch.equal(loaded(ids), model(ids))
    assert [tokenizer.special[token] for token in SPECIAL] == list(
        range(tokenizer.vocab_size - 4, tokenizer.vocab_size)
    )


def test_pretrain_resumes_to_the_same_result(
    run: tuple[Path, Any, Any, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops after the best validation so far, whose weights are not in the checkpoint."""
    take_step = Trainer.take_step

    def step_or_interrupt(trainer: Trainer) -> Any:
        if trainer.step == 45:
            raise KeyboardInterrupt
        return take_step(trainer)

    monkeypatch.setattr(Trainer, "take_step", step_or_interrupt)
    with pytest.raises(KeyboardInterrupt):
        pretrain(SMOKE, "cpu", tmp_path)
    monkeypatch.undo()
    model, _, metrics = pretrain(SMOKE, "cpu", tmp_path)
    torch.testing.assert_close(model.state_dict(), run[1].state_dict(), rtol=0, atol=0)
    reproducible = run[3].keys() - {"seconds"}
    assert {name: metrics[name] for name in reproducible} == {name: run[3][name] for name in reproducible}


def test_split_holds_out_every_sixth_document() -> None:
    trained_on, held_out = split(documents())
    assert [chapter.splitlines()[0] for chapter in held_out] == ["CHAPTER VI", "CHAPTER XII"]
    assert len(trained_on) == 10
    assert split(["a", "b"]) == (["a"], ["b"])


def test_gpu_preset_has_10_to_50_million_parameters() -> None:
    sizes = PRESETS["gpu"].pretraining
    with torch.device("meta"):
        model = LanguageModel(Config.modern(vocab_size=sizes.vocab_size, **sizes.model))
    assert 10e6 < parameter_count(model) < 50e6


def test_share_of_known_words_ignores_case_and_punctuation() -> None:
    assert share_of_known_words("The CAT, xyzzy!", "the cat sat") == pytest.approx(2 / 3)
    assert share_of_known_words("...", "the") == 0


@pytest.mark.long
def test_pretrain_tiny_preset_writes_words(tmp_path: Path) -> None:
    """A quarter of the steps is enough to show wrong sizes, learning rates or text."""
    sizes = PRESETS["tiny"].pretraining
    short = replace(sizes, training=replace(sizes.training, steps=150, warmup=40))
    _, _, metrics = pretrain(short, "cpu", tmp_path)
    assert metrics["validation"] < 4.5
    assert metrics["known_words"] > 0.7
