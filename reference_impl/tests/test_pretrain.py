"""Pretraining as a whole, on the smallest preset: it learns, is taken up again, and leaves what it says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.data import documents
from reference_impl.model import Config, LanguageModel, parameter_count
from reference_impl.presets import PRESETS
from reference_impl.pretrain import SPECIAL, pretrain, share_of_known_words, split
from reference_impl.saved import load_model
from reference_impl.trainer import Trainer

SMOKE = PRESETS["smoke"].pretraining


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pretrained")
    return folder, *pretrain(SMOKE, "cpu", folder)


def test_does_the_loss_fall_from_that_of_guessing(run: tuple[Path, Any, Any, dict[str, Any]]) -> None:
    metrics = run[3]
    assert metrics["loss_of_guessing"] == pytest.approx(math.log(SMOKE.vocab_size))
    assert metrics["validation_at_start"] == pytest.approx(metrics["loss_of_guessing"], abs=0.05)
    assert metrics["validation"] < metrics["validation_at_start"] - 1
    assert metrics["snippet"].startswith("Alice")


def test_is_what_was_saved_what_was_returned(run: tuple[Path, Any, Any, dict[str, Any]]) -> None:
    folder, model, tokenizer, _ = run
    loaded, its_tokenizer = load_model(folder)
    ids = torch.tensor([tokenizer.encode("Alice was beginning")])
    assert its_tokenizer.encode("Alice was beginning") == ids[0].tolist()
    assert torch.equal(loaded(ids), model(ids))
    assert [tokenizer.special[token] for token in SPECIAL] == list(
        range(tokenizer.vocab_size - 4, tokenizer.vocab_size)
    )


def test_does_an_interrupted_run_end_as_the_other(
    run: tuple[Path, Any, Any, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped behind the best validation so far, whose weights the checkpoint does not hold."""
    plain_step = Trainer.train_step

    def interrupted(trainer: Trainer) -> Any:
        if trainer.step == 45:
            raise KeyboardInterrupt
        return plain_step(trainer)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain(SMOKE, "cpu", tmp_path)
    monkeypatch.undo()
    model, _, metrics = pretrain(SMOKE, "cpu", tmp_path)
    torch.testing.assert_close(model.state_dict(), run[1].state_dict(), rtol=0, atol=0)
    same = run[3].keys() - {"seconds"}
    assert {name: metrics[name] for name in same} == {name: run[3][name] for name in same}


def test_are_every_sixth_document_and_never_the_same_held_out() -> None:
    trained_on, held_out = split(documents())
    assert [chapter.splitlines()[0] for chapter in held_out] == ["CHAPTER VI", "CHAPTER XII"]
    assert len(trained_on) == 10
    assert split(["a", "b"]) == (["a"], ["b"])


def test_is_the_gpu_preset_of_the_size_that_it_is_meant_to_be() -> None:
    sizes = PRESETS["gpu"].pretraining
    with torch.device("meta"):
        model = LanguageModel(Config.modern(vocab_size=sizes.vocab_size, **sizes.model))
    assert 10e6 < parameter_count(model) < 50e6


def test_are_words_counted_without_case_and_marks() -> None:
    assert share_of_known_words("The CAT, xyzzy!", "the cat sat") == pytest.approx(2 / 3)
    assert share_of_known_words("...", "the") == 0


@pytest.mark.long
def test_does_the_tiny_preset_write_words_before_it_is_done(tmp_path: Path) -> None:
    """A quarter of its steps: what is wrong with sizes, rates or the text shows by then."""
    sizes = PRESETS["tiny"].pretraining
    short = replace(sizes, recipe=replace(sizes.recipe, steps=150, warmup=40))
    _, _, metrics = pretrain(short, "cpu", tmp_path)
    assert metrics["validation"] < 4.5
    assert metrics["known_words"] > 0.7
