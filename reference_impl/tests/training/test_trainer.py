"""The training loop: resuming, gradient accumulation, clipping, logging, and errors that must not pass silently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.training.data import Batches, Windows
from reference_impl.training.losses import language_model_loss, mean_loss
from reference_impl.training.trainer import TrainConfig, Trainer

CONFIG = Config.modern(vocab_size=13, context_length=8, d_model=16, n_layers=1, n_heads=2, dropout=0.2)
TRAINING = TrainConfig(steps=12, learning_rate=1e-2, warmup=3, log_every=2, validate_every=4, checkpoint_every=5)


def text_batches(batch_size: int = 4, seed: int = 1) -> Batches[Any, Any]:
    ids = torch.randint(13, (90,), generator=torch.Generator().manual_seed(0)).tolist()
    return Batches(
        Windows([ids], 8, 2), batch_size, lambda pairs: tuple(map(torch.stack, zip(*pairs, strict=True))), seed=seed
    )


def make_trainer(folder: Path | None = None, config: Config = CONFIG, **changes: Any) -> Trainer:
    torch.manual_seed(7)
    batches = text_batches()
    return Trainer(
        LanguageModel(config), language_model_loss, batches, replace(TRAINING, **changes), folder=folder,
        validate=lambda model: mean_loss(model, language_model_loss, batches.one_round()),
    )  # fmt: skip


def copy_weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


@pytest.mark.parametrize("bf16", [False, True])
def test_trainer_resumed_run_is_bit_identical(tmp_path: Path, bf16: bool) -> None:
    whole = make_trainer(bf16=bf16)
    whole.run()
    interrupted = make_trainer(tmp_path, bf16=bf16)
    while interrupted.step < 7:  # the last checkpoint is written at step 5
        interrupted.take_step()
        if interrupted.step == 5:
            interrupted.save()
    torch.manual_seed(99)
    resumed = make_trainer(tmp_path, bf16=bf16)
    torch.manual_seed(98)
    torch.randn(5)
    assert resumed.resume()
    assert resumed.step == 5
    resumed.run()
    torch.testing.assert_close(copy_weights(resumed), copy_weights(whole), rtol=0, atol=0)
    assert [row for row in whole.history if row["step"] > 5] == resumed.history


@pytest.fixture
def resumed(tmp_path: Path) -> Trainer:
    """A run whose loss raises at step 9, resumed by another trainer from step 5, with curves in tmp_path."""
    first = make_trainer(tmp_path)
    calls = iter(range(100))

    def fail_at_step_9(model: LanguageModel, batch: Any) -> Tensor:
        if next(calls) == 8:
            raise KeyboardInterrupt
        return language_model_loss(model, batch)

    first.loss = fail_at_step_9
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = make_trainer(tmp_path)
    assert second.resume()
    second.run()
    return second


def test_trainer_resumes_a_run_killed_by_an_error(resumed: Trainer) -> None:
    whole = make_trainer()
    whole.run()
    torch.testing.assert_close(copy_weights(resumed), copy_weights(whole), rtol=0, atol=0)
    assert resumed.history == whole.history


@pytest.mark.needs("tensorboard")
def test_trainer_writes_each_step_of_a_resumed_run_once(resumed: Trainer, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert [event.step for event in curve] == [row["step"] for row in resumed.history]


def test_trainer_resume_without_checkpoint_is_false(tmp_path: Path) -> None:
    assert not make_trainer(tmp_path).resume()
    assert not make_trainer(None).resume()
    with pytest.raises(ValueError, match="no folder"):
        make_trainer(None).save()


def test_trainer_resume_rejects_another_config(tmp_path: Path) -> None:
    make_trainer(tmp_path).save()
    with pytest.raises(ValueError, match=r"'learning_rate': \(0.01, 0.5\)"):
        make_trainer(tmp_path, learning_rate=0.5).resume()


def test_trainer_save_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash during the write leaves the last checkpoint complete."""
    run = make_trainer(tmp_path)
    run.save()

    def write_half(state: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(OSError, match="disk full"):
        run.save()
    assert make_trainer(tmp_path).resume()


def test_trainer_accumulation_matches_a_larger_batch() -> None:
    no_dropout = replace(CONFIG, dropout=0.0)
    small, large = make_trainer(None, no_dropout, accumulate=3), make_trainer(None, no_dropout)
    for run in (small, large):
        run.model.double()
    small.batches, large.batches = text_batches(4), text_batches(12)
    ours, theirs = small.take_step(), large.take_step()
    torch.testing.assert_close(ours, theirs, check_dtype=False)
    torch.testing.assert_close(copy_weights(small), copy_weights(large))


def test_trainer_clips_gradients_and_skips_frozen_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    batches = Batches(list(torch.randn(8, 2)), 4, torch.stack)
    seen = []
    run = Trainer(
        model, lambda model, x: 1e3 * model(x).square().mean(), batches, TrainConfig(3, 0.1, clip=0.5, log_every=1)
    )
    run.optimizer.register_step_pre_hook(lambda *_: seen.append(nn.utils.get_total_norm([p.grad for p in run.trained])))
    history = run.run()
    assert all(norm <= 0.5001 for norm in seen)
    assert all(row["gradient_norm"] > 0.5 for row in history)
    assert torch.equal(model[0].weight, before)
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer(model.requires_grad_(False), run.loss, batches, run.config)


def test_trainer_bf16_keeps_weights_in_float32() -> None:
    run = make_trainer(bf16=True)
    seen: list[torch.dtype] = []
    run.model.unembed.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    run.take_step()
    assert seen == [torch.bfloat16]
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}


def test_trainer_raises_on_nan_loss() -> None:
    run = make_trainer(log_every=1)
    run.loss = lambda model, batch: language_model_loss(model, batch) * float("nan")
    with pytest.raises(FloatingPointError, match="at step 1; try a smaller learning rate"):
        run.run()


def test_trainer_validates_and_logs_independently() -> None:
    history = make_trainer(steps=13, log_every=3, validate_every=4).run()
    assert [row["step"] for row in history] == [3, 4, 6, 8, 9, 12, 13]
    assert [row["step"] for row in history if "validation" in row] == [4, 8, 12, 13]


def test_trainer_lowers_the_loss_and_records_it() -> None:
    run = make_trainer(steps=40)
    history = run.run()
    assert history[-1]["loss"] < history[0]["loss"]
    assert [row["step"] for row in history if "validation" in row] == list(range(4, 41, 4))
    assert history[-1]["step"] == 40
    assert history[1]["learning_rate"] == TRAINING.learning_rate
