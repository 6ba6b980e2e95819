"""Progress bar and TensorBoard curves, also of a resumed run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from reference_impl.training.progress import bar, curves


def test_curves_writes_nothing_without_folder_or_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with curves(None) as write:
        write(1, {"loss": 2.0})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with curves(tmp_path) as write:
        write(1, {"loss": 2.0})
    assert list(tmp_path.iterdir()) == []


def write_losses(folder: Path, steps: range, loss: float) -> None:
    with curves(folder, steps.start) as write:
        for step in steps:
            write(step, {"loss": loss})


@pytest.mark.needs("tensorboard")
def test_curves_hides_steps_after_the_resumed_one(tmp_path: Path) -> None:
    """The first run wrote steps 1 to 4 and was stopped; its last checkpoint was written at step 2."""
    from tensorboard.backend.event_processing import event_accumulator as events

    write_losses(tmp_path, range(1, 5), 5.0)
    # TensorBoard orders files by name: the second of their start, then a count in which 10 comes before 9.
    time.sleep(1.1)
    write_losses(tmp_path, range(3, 6), 7.0)
    scalars = events.EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert [(event.step, event.value) for event in scalars] == [(1, 5), (2, 5), (3, 7), (4, 7), (5, 7)]


def test_bar_writes_nothing_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("training", 10) as advance:
        advance(3, "loss 2.000")
    assert capsys.readouterr() == ("", "")
