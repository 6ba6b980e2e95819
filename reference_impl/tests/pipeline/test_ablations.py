"""Comparisons are fair: equal parameters and training, and equal tokens with and without a cache."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reference_impl.model.config import Config
from reference_impl.model.language_model import LanguageModel, parameter_count
from reference_impl.pipeline import ablations
from reference_impl.pipeline.ablations import (
    Comparison,
    compare_experts,
    compare_parts,
    measure_cache,
    measure_overfitting,
)
from reference_impl.tests.tiny import byte_chat, tiny_model
from reference_impl.training.trainer import TrainConfig, Trainer

SIZES = Comparison({"d_model": 96, "n_layers": 2, "n_heads": 4}, window=32, batch_size=4, training=TrainConfig(2, 1e-3))
CPU = torch.device("cpu")


@pytest.fixture
def parameter_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the loss of each model by its number of active parameters without embeddings."""

    def count(changes: dict[str, object], sizes: Comparison, *_: object) -> float:
        config = Config.gpt2(vocab_size=8, context_length=8, **sizes.model | changes)
        model = LanguageModel(config)
        total = parameter_count(model) - parameter_count(model.embedding)
        inactive = 1 - config.experts_per_token / config.n_experts if config.n_experts else 0
        return total - inactive * sum(parameter_count(block.mlp) for block in model.blocks)

    monkeypatch.setattr(ablations, "_train_and_evaluate", count)


@pytest.mark.usefixtures("parameter_counts")
def test_compare_parts_and_experts_have_equal_parameters_where_claimed() -> None:
    ratios = {one.claim.part: one.after / one.before for one in compare_parts(SIZES, byte_chat().tokens, [], [], CPU)}
    assert ratios["SwiGLU"] == pytest.approx(1, abs=0.02)
    assert ratios["RoPE"] == 1
    assert ratios["grouped queries"] < 1
    experts = compare_experts(SIZES, byte_chat().tokens, [], [], CPU)
    assert experts.after / experts.before == pytest.approx(1, abs=0.02)


def test_compare_parts_is_reproducible() -> None:
    text = "abcdefgh" * 30
    milestones = compare_parts(SIZES, byte_chat().tokens, [text], [text[::-1]], CPU)
    assert len({one.after for one in milestones if one.claim.part != "sliding window"}) == 1
    again = compare_parts(SIZES, byte_chat().tokens, [text], [text[::-1]], CPU)
    assert milestones == again


def test_measure_overfitting_is_not_met_after_two_steps() -> None:
    milestone = measure_overfitting(byte_chat().tokens, "the cat sat on the mat " * 30, CPU, steps=2)
    assert not milestone.is_met
    assert milestone.after < milestone.before


def test_measure_cache_counts_each_token_once() -> None:
    """Without a cache each of the 20 steps computes the whole sequence: 4, 5, …, 23 tokens, instead of 23 in total."""
    same, work = measure_cache(tiny_model(), 20)
    assert same.is_met
    assert work.is_met
    assert work.before is not None
    assert work.before / work.after == pytest.approx(sum(range(4, 24)) / 23, rel=0.1)


def test_measure_cache_is_not_met_with_other_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "generate", lambda _, ids, tokens, **__: torch.ones(1, 4 + tokens).long())
    same, _ = measure_cache(tiny_model(), 20)
    assert not same.is_met


def test_measure_cache_accepts_either_of_two_tied_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache changes the order of summation, which may decide a tie."""
    model = tiny_model(tie_weights=False)
    with torch.no_grad():
        model.unembed.weight.zero_()
    monkeypatch.setattr(ablations, "generate", lambda _, ids, tokens, **__: torch.ones(1, 4 + tokens).long())
    same, _ = measure_cache(model, 20)
    assert same.is_met


def test_compare_parts_resumes_without_training_again(tmp_path: Path) -> None:
    """Each model has a folder of its own."""
    sizes = replace(SIZES, training=replace(SIZES.training, checkpoint_every=1))
    text = "abcdefgh" * 30
    first = compare_parts(sizes, byte_chat().tokens, [text], [text[::-1]], CPU, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"without-RMSNorm", "RMSNorm", "sliding-window"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "take_step", lambda trainer: pytest.fail("a completed model was trained again"))
        assert compare_parts(sizes, byte_chat().tokens, [text], [text[::-1]], CPU, tmp_path) == first
