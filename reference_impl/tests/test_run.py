"""A run's seed decides what is trained on, and never what is held out."""

from __future__ import annotations

from pathlib import Path

import torch

from reference_impl.run import Run


def test_run_trains_on_other_questions_with_another_seed() -> None:
    runs = [Run(Path(), "smoke", torch.device("cpu"), seed=seed) for seed in (0, 1, 2)]
    drawn = [set(draw()) for run in runs for draw in (run.questions, run.new_questions)]
    assert all(one != other for number, one in enumerate(drawn) for other in drawn[:number])
    again = Run(Path(), "smoke", torch.device("cpu"), seed=2)
    assert (again.questions(), again.new_questions()) == (runs[2].questions(), runs[2].new_questions())


def test_run_holds_out_the_same_questions_with_every_seed() -> None:
    first, other = (Run(Path(), "smoke", torch.device("cpu"), seed=seed) for seed in (0, 1))
    assert first.held_out() == other.held_out()
    asked = {one.question for one in first.held_out()}
    assert not asked & {one.question for run in (first, other) for one in run.questions() + run.new_questions()}


def test_run_generator_draws_by_the_seed() -> None:
    first, again, other = (Run(Path(), "smoke", torch.device("cpu"), seed=seed).generator() for seed in (3, 3, 4))
    drawn, repeated, different = (torch.rand(4, generator=one) for one in (first, again, other))
    assert torch.equal(drawn, repeated)
    assert not torch.equal(drawn, different)


def test_run_describes_what_its_figures_depend_on() -> None:
    described = Run(Path(), "smoke", torch.device("cpu"), seed=3).describe()
    assert (described["preset"], described["seed"], described["device"]) == ("smoke", 3, "cpu")
    assert described["threads"] == torch.get_num_threads()
    assert described["processor"]
