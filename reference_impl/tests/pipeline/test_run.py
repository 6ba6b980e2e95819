"""The questions, generator and description of a run. The held-out questions do not depend on its seed."""

from __future__ import annotations

from pathlib import Path

import torch

from reference_impl.pipeline.run import Run


def test_run_training_questions_depend_on_the_seed() -> None:
    runs = [Run(Path(), "smoke", torch.device("cpu"), seed=seed) for seed in (0, 1, 2)]
    drawn = [set(draw()) for run in runs for draw in (run.training_questions, run.alignment_questions)]
    assert all(one != other for index, one in enumerate(drawn) for other in drawn[:index])
    again = Run(Path(), "smoke", torch.device("cpu"), seed=2)
    assert (again.training_questions(), again.alignment_questions()) == (
        runs[2].training_questions(),
        runs[2].alignment_questions(),
    )


def test_run_held_out_questions_are_the_same_for_all_seeds() -> None:
    first, other = (Run(Path(), "smoke", torch.device("cpu"), seed=seed) for seed in (0, 1))
    assert first.held_out_questions() == other.held_out_questions()
    held_out = {one.question for one in first.held_out_questions()}
    assert not held_out & {
        one.question for run in (first, other) for one in run.training_questions() + run.alignment_questions()
    }


def test_run_new_generator_depends_on_the_seed() -> None:
    first, again, other = (Run(Path(), "smoke", torch.device("cpu"), seed=seed).new_generator() for seed in (3, 3, 4))
    drawn, repeated, different = (torch.rand(4, generator=one) for one in (first, again, other))
    assert torch.equal(drawn, repeated)
    assert not torch.equal(drawn, different)


def test_run_describe_contains_seed_device_and_processor() -> None:
    description = Run(Path(), "smoke", torch.device("cpu"), seed=3).describe()
    assert (description["preset"], description["seed"], description["device"]) == ("smoke", 3, "cpu")
    assert description["threads"] == torch.get_num_threads()
    assert description["processor"]
