"""The command line of the reference implementation: `python -m reference_impl --help`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import torch
from rich.console import Console

from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.checkpoint import load_model
from reference_impl.pipeline.pipeline import FolderInUseError, print_milestones, run_pipeline
from reference_impl.pipeline.presets import PRESETS
from reference_impl.pipeline.run import Run
from reference_impl.pipeline.spread import load_spreads, record_figures
from reference_impl.pipeline.tables import format_markdown
from reference_impl.serving.server import Server

on_device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A language model from raw text to a server, one readable part at a time."""


@main.command("pipeline")
@on_device
@click.option("--preset", type=click.Choice(list(PRESETS)), default="tiny", show_default=True)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="For the results. [default: runs/PRESET]"
)
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For everything random.")
def pipeline_command(device: str, preset: str, folder: Path | None, resume: bool, seed: int) -> None:
    """Train, align, adapt, quantise and serve a model, and print each claim with its measured figures.

    Exit status 1: a claim was not met.
    """
    console = _make_console()
    run = Run(folder or Path("runs") / preset, preset, _select_device(device), resume, seed)
    console.print(f"preset {preset}, seed {seed}, on {run.device}, results in {run.folder}")
    try:
        milestones = run_pipeline(run, on_progress=lambda line: console.print(line, markup=False))
    except FolderInUseError as error:
        raise click.ClickException(str(error)) from None
    print_milestones(milestones, preset, console)
    sys.exit(not all(one.is_met for one in milestones))


@main.command("spread")
@on_device
@click.option("--preset", type=click.Choice(list(PRESETS)), default="tiny", show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Number of runs: seeds 0, 1, 2, …",
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="For the runs. [default: runs/spread/PRESET]"
)
def spread_command(device: str, preset: str, seeds: int, folder: Path | None) -> None:
    """Run the pipeline with several seeds and record the figures of each claim in reference_impl/pipeline/spread.json.

    An interrupted measurement continues where it stopped. Exit status 1: a bound is not safe.
    """
    console = _make_console()
    runs = folder or Path("runs") / "spread" / preset
    done: list[Path] = []
    for seed in range(seeds):
        run = Run(runs / f"seed-{seed}", preset, _select_device(device), resume=True, seed=seed)
        console.print(f"preset {preset}, seed {seed}, on {run.device}, results in {run.folder}")
        try:
            run_pipeline(run, on_progress=lambda line: console.print(line, markup=False))
        except FolderInUseError as error:
            raise click.ClickException(str(error)) from None
        record_figures(preset, [*done, run.folder])
        done.append(run.folder)
    spreads = load_spreads(preset).values()
    console.print(format_markdown(spreads), markup=False, soft_wrap=True)
    sys.exit(not all(one.is_safe for one in spreads))


@main.command("serve")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@on_device
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve_command(folder: Path, device: str, host: str, port: int) -> None:
    """Serve the model that a stage saved in FOLDER, such as runs/tiny/grpo."""
    if not (folder / "model.pt").exists():
        raise click.ClickException(f"{folder} has no model.pt: choose the folder of a stage, such as runs/tiny/grpo")
    model, tokenizer = load_model(folder, _select_device(device))
    try:
        with Server(model, ChatTokenizer(tokenizer), host, port) as server:
            click.echo(f"listening on {server.url}; stop with Ctrl-C")
            server.wait()
    except KeyboardInterrupt:
        click.echo("stopped")
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}, port {port}: {error.strerror}") from None


def _make_console() -> Console:
    """A console that is wide enough for the table when the output goes to a file."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 180)


def _select_device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("torch finds no CUDA device: use --device auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
