"""Progress of a run: a bar with the time left, and curves in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Curves", "bar", "curves"]

Advance = Callable[[int, str], None]
Curves = Callable[[int, Mapping[str, float]], None]


@contextmanager
def bar(description: str, total: int) -> Iterator[Advance]:
    """Yields f(done, note), which updates a bar on standard error if that is a terminal, and does nothing if not."""
    screen = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task(description, total=total, note="")
        yield lambda done, note: bars.update(task, completed=done, note=note)


@contextmanager
def curves(folder: Path | None, first_step: int = 0) -> Iterator[Curves]:
    """Yields f(step, metrics), which writes TensorBoard files to `folder`; without either it does nothing.

    Points that an interrupted run wrote at `first_step` or later are hidden, so a resumed run has one curve.
    """
    writer_class = _summary_writer() if folder is not None else None
    if writer_class is None:
        yield lambda step, metrics: None
        return
    with writer_class(log_dir=str(folder), purge_step=first_step) as writer:
        yield lambda step, metrics: _write_scalars(writer, step, metrics)


def _write_scalars(writer: Any, step: int, metrics: Mapping[str, float]) -> None:
    for name, value in metrics.items():
        writer.add_scalar(name, value, step)


def _summary_writer() -> type | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter
