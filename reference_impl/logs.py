"""What somebody sees of a run while it goes on: a bar with the time left, and curves in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Curves", "bar", "curves"]

Advance = Callable[[int, str], None]
Curves = Callable[[int, Mapping[str, float]], None]


@contextmanager
def bar(what: str, total: int) -> Iterator[Advance]:
    """Yields f(done, note), which moves a bar on standard error for somebody who watches; else it shows nothing."""
    screen = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task(what, total=total, note="")
        yield lambda done, note: bars.update(task, completed=done, note=note)


@contextmanager
def curves(folder: Path | None, first_step: int = 0) -> Iterator[Curves]:
    """Yields f(step, figures), which writes to TensorBoard files in `folder`, if there is one and TensorBoard too.

    What an interrupted run wrote at `first_step` or later is hidden, so that a resumed run has one curve.
    """
    writer_of = _summary_writer() if folder is not None else None
    if writer_of is None:
        yield lambda step, figures: None
        return
    with writer_of(log_dir=str(folder), purge_step=first_step) as writer:
        yield lambda step, figures: [writer.add_scalar(name, figure, step) for name, figure in figures.items()] and None


def _summary_writer() -> type | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter
