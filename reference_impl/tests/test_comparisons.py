"""What is compared is comparable: as many parameters, and a text that is the same with and without a cache."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reference_impl import comparisons
from reference_impl.comparisons import Comparison, cache_gains, expert_gain, overfits, part_gains
from reference_impl.config import Config
from reference_impl.model import LanguageModel, parameter_count
from reference_impl.tests.tiny import byte_chat, tiny_model
from reference_impl.trainer import Recipe, Trainer

SIZES = Comparison({"d_model": 96, "n_layers": 2, "n_heads": 4}, window=32, batch_size=4, recipe=Recipe(2, 1e-3))
CPU = torch.device("cpu")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters outside the embeddings instead of losses."""

    def count(changes: dict[str, object], sizes: Comparison, *_: object) -> float:
        config = Config.gpt2(vocab_size=8, context_length=8, **sizes.model | changes)
        model = LanguageModel(config)
        total = parameter_count(model) - parameter_count(model.embedding)
        inactive = 1 - config.experts_per_token / config.n_experts if config.n_experts else 0
        return total - inactive * sum(parameter_count(block.mlp) for block in model.blocks)

    monkeypatch.setattr(comparisons, "_held_out_loss", count)


@pytest.mark.usefixtures("counted")
def test_parameters_are_equal_where_the_claim_says_so() -> None:
    parts = {one.claim.part: one.after / one.before for one in part_gains(SIZES, byte_chat().tokens, [], [], CPU)}
    assert parts["SwiGLU"] == pytest.approx(1, abs=0.02)
    assert parts["RoPE"] == 1
    assert parts["grouped queries"] < 1
    experts = expert_gain(SIZES, byte_chat().tokens, [], [], CPU)
    assert experts.after / experts.before == pytest.approx(1, abs=0.02)


def test_two_models_are_trained_alike_and_measured_on_what_they_did_not_read() -> None:
    text = "abcdefgh" * 30
    milestones = part_gains(SIZES, byte_chat().tokens, [text], [text[::-1]], CPU)
    assert len({one.after for one in milestones if one.claim.part != "sliding window"}) == 1
    again = part_gains(SIZES, byte_chat().tokens, [text], [text[::-1]], CPU)
    assert milestones == again


def test_a_model_that_cannot_learn_is_found_out() -> None:
    found = overfits(byte_chat().tokens, "the cat sat on the mat " * 30, CPU, steps=2)
    assert not found.met
    assert found.after < found.before


def test_cache_gains_counts_the_work_of_reading_each_token_once() -> None:
    """Without a cache each of 20 tokens reads the text from its start: 4, 5, …, 23 tokens, not 23 in all."""
    same, work = cache_gains(tiny_model(), 20)
    assert same.met
    assert work.met
    assert work.before is not None
    assert work.before / work.after == pytest.approx(sum(range(4, 24)) / 23, rel=0.1)


def test_cache_gains_refuses_another_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "generate", lambda _, ids, tokens, **__: torch.ones(1, 4 + tokens).long())
    same, _ = cache_gains(tiny_model(), 20)
    assert not same.met


def test_cache_gains_lets_rounding_decide_between_tokens_that_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache adds in another order, so of two tokens that tie it may write the other one."""
    model = tiny_model(tie_weights=False)
    with torch.no_grad():
        model.unembed.weight.zero_()
    monkeypatch.setattr(comparisons, "generate", lambda _, ids, tokens, **__: torch.ones(1, 4 + tokens).long())
    same, _ = cache_gains(model, 20)
    assert same.met


def test_a_comparison_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """What has been trained is not trained again, and each model has a folder of its own."""
    sizes = replace(SIZES, recipe=replace(SIZES.recipe, checkpoint_every=1))
    text = "abcdefgh" * 30
    first = part_gains(sizes, byte_chat().tokens, [text], [text[::-1]], CPU, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"without-RMSNorm", "RMSNorm", "sliding-window"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", lambda trainer: pytest.fail("it was trained again"))
        assert part_gains(sizes, byte_chat().tokens, [text], [text[::-1]], CPU, tmp_path) == first
