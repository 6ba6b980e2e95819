"""The loop: a resumed run is the same run, accumulation is the larger batch, and nothing is lost in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.data import Batches, Windows
from reference_impl.losses import language_model_loss, mean_loss
from reference_impl.model import Config, LanguageModel
from reference_impl.trainer import Recipe, Trainer

CONFIG = Config.modern(vocab_size=13, context_length=8, d_model=16, n_layers=1, n_heads=2, dropout=0.2)
RECIPE = Recipe(steps=12, learning_rate=1e-2, warmup=3, log_every=2, validate_every=4, checkpoint_every=5)


def text_batches(batch_size: int = 4, seed: int = 1) -> Batches[Any, Any]:
    ids = torch.randint(13, (90,), generator=torch.Generator().manual_seed(0)).tolist()
    return Batches(
        Windows([ids], 8, 2), batch_size, lambda pairs: tuple(map(torch.stack, zip(*pairs, strict=True))), seed=seed
    )


def trainer(folder: Path | None = None, config: Config = CONFIG, **changes: Any) -> Trainer:
    torch.manual_seed(7)
    batches = text_batches()
    return Trainer(
        LanguageModel(config), language_model_loss, batches, replace(RECIPE, **changes), folder=folder,
        validate=lambda model: mean_loss(model, language_model_loss, batches.one_round()),
    )  # fmt: skip


def weights(of: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in of.model.state_dict().items()}


@pytest.mark.parametrize("bf16", [False, True])
def test_is_a_resumed_run_the_same_run_bit_for_bit(tmp_path: Path, bf16: bool) -> None:
    whole = trainer(bf16=bf16)
    whole.run()
    interrupted = trainer(tmp_path, bf16=bf16)
    while interrupted.step < 7:  # the last checkpoint is that of step 5
        interrupted._set_learning_rate()
        interrupted.train_step()
        if interrupted.step == 5:
            interrupted.save()
    torch.manual_seed(99)
    resumed = trainer(tmp_path, bf16=bf16)
    torch.manual_seed(98)
    torch.randn(5)
    assert resumed.resume()
    assert resumed.step == 5
    resumed.run()
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    assert [row for row in whole.history if row["step"] > 5] == resumed.history


@pytest.fixture
def resumed(tmp_path: Path) -> Trainer:
    """A run whose loss raises at step 9, taken up again by another trainer from step 5, writing curves to tmp_path."""
    first = trainer(tmp_path)
    calls = iter(range(100))

    def fails(model: LanguageModel, batch: Any) -> Tensor:
        if next(calls) == 8:
            raise KeyboardInterrupt
        return language_model_loss(model, batch)

    first.loss = fails
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = trainer(tmp_path)
    assert second.resume()
    second.run()
    return second


def test_trainer_resumes_a_run_killed_by_an_error(resumed: Trainer) -> None:
    whole = trainer()
    whole.run()
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    assert resumed.history == whole.history


@pytest.mark.needs("tensorboard")
def test_trainer_writes_each_step_of_a_resumed_run_once(resumed: Trainer, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert [event.step for event in curve] == [row["step"] for row in resumed.history]


def test_is_there_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    assert not trainer(tmp_path).resume()
    assert not trainer(None).resume()
    with pytest.raises(ValueError, match="no folder"):
        trainer(None).save()


def test_is_a_checkpoint_of_another_recipe_refused(tmp_path: Path) -> None:
    trainer(tmp_path).save()
    with pytest.raises(ValueError, match=r"'learning_rate': \(0.01, 0.5\)"):
        trainer(tmp_path, learning_rate=0.5).resume()


def test_does_a_crash_while_saving_leave_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trainer(tmp_path)
    run.save()

    def half_written(state: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="disk full"):
        run.save()
    assert trainer(tmp_path).resume()


def test_is_accumulation_the_larger_batch() -> None:
    quiet = replace(CONFIG, dropout=0.0)
    small, large = trainer(None, quiet, accumulate=3), trainer(None, quiet)
    for run in (small, large):
        run.model.double()
    small.batches, large.batches = text_batches(4), text_batches(12)
    (small_loss, small_norm), (large_loss, large_norm) = small.train_step(), large.train_step()
    torch.testing.assert_close(small_loss, large_loss, check_dtype=False)
    torch.testing.assert_close(small_norm, large_norm)
    torch.testing.assert_close(weights(small), weights(large))


def test_are_gradients_clipped_and_frozen_weights_left_alone() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    batches = Batches(list(torch.randn(8, 2)), 4, torch.stack)
    seen = []
    run = Trainer(
        model, lambda model, x: 1e3 * model(x).square().mean(), batches, Recipe(3, 0.1, clip=0.5, log_every=1)
    )
    run.optimizer.register_step_pre_hook(lambda *_: seen.append(nn.utils.get_total_norm([p.grad for p in run.trained])))
    history = run.run()
    assert all(norm <= 0.5001 for norm in seen)
    assert all(row["gradient_norm"] > 0.5 for row in history)
    assert torch.equal(model[0].weight, before)
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer(model.requires_grad_(False), run.loss, batches, run.recipe)


def test_does_bf16_run_the_products_in_it_and_keep_the_weights_wide() -> None:
    run = trainer(bf16=True)
    seen: list[torch.dtype] = []
    run.model.unembed.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    run.train_step()
    assert seen == [torch.bfloat16]
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}


def test_is_a_loss_that_is_no_number_an_error() -> None:
    run = trainer(log_every=1)
    run.loss = lambda model, batch: language_model_loss(model, batch) * float("nan")
    with pytest.raises(FloatingPointError, match="at step 1; try a smaller learning rate"):
        run.run()


def test_are_validation_and_logging_due_apart() -> None:
    history = trainer(steps=13, log_every=3, validate_every=4).run()
    assert [row["step"] for row in history] == [3, 4, 6, 8, 9, 12, 13]
    assert [row["step"] for row in history if "validation" in row] == [4, 8, 12, 13]


def test_does_training_learn_and_say_so() -> None:
    run = trainer(steps=40)
    history = run.run()
    assert history[-1]["loss"] < history[0]["loss"]
    assert [row["step"] for row in history if "validation" in row] == list(range(4, 41, 4))
    assert history[-1]["step"] == 40
    assert history[1]["learning_rate"] == RECIPE.learning_rate
