"""What cells put out: kept whole up to the course's bound, cut with a word beyond it, and never the notebook's end."""

from __future__ import annotations

import time

import pytest

from autograde.tests.conftest import Run
from autograde.worker.outputs import CELL_BYTES, CUT, Outputs


def texts(outputs: Outputs) -> list[str]:
    return [item["text"] for item in outputs.take()]


def outputs_with(left: int) -> Outputs:
    outputs = Outputs()
    outputs.left = left
    outputs.begin()
    return outputs


def test_of_one_long_text_the_start_is_kept() -> None:
    outputs = outputs_with(1000)
    outputs.stream("stdout", "é" * 5000)
    outputs.stream("stdout", "more")
    kept, cut = texts(outputs)
    assert set(kept) == {"é"}
    assert len(kept) > 400
    assert cut == CUT


def test_many_small_texts_take_no_more_time_than_their_number() -> None:
    outputs = outputs_with(CELL_BYTES)
    start = time.process_time()
    for _ in range(200_000):
        outputs.stream("stdout", "12345")
    assert texts(outputs) == ["12345" * 200_000]
    assert time.process_time() - start < 5  # with the square of their number it was 17 seconds


@pytest.mark.parametrize("text", ["x", "█", "\U0001f600", "\ud800"])
def test_a_cell_that_prints_all_it_may_costs_no_other_cell(run: Run, text: str) -> None:
    """Bounded by bytes as they travel, not by characters: a bar of blocks takes three times as many."""
    running = run(f"for _ in range(20_000): print({text!r} * 100)", "x = 1\nprint('on')", output_bytes=4 << 20)
    assert running.problem == ""
    assert len(running.cells) == 2
    first, cut = (output["text"] for output in running.cells[0].outputs)
    assert len(first.encode()) > CELL_BYTES / 4
    assert cut == CUT
    assert running.cells[1].outputs[0]["text"] == "on\n"


def test_a_picture_that_fits_no_frame_is_left_out(run: Run) -> None:
    source = "from IPython.display import Image\nImage(b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 900_000)"
    running = run(source, "x = 1", output_bytes=8 << 20)
    assert running.problem == ""
    assert [output["text"] for output in running.cells[0].outputs] == [CUT]


def test_after_the_notebooks_bound_nothing_more_is_kept(run: Run) -> None:
    running = run("print('x' * 5000)", "print('y')", output_bytes=2000)
    assert running.cells[0].outputs[-1]["text"] == CUT
    assert running.cells[1].outputs == []


def test_what_comes_after_an_exact_fit_is_left_out_with_a_word_too() -> None:
    outputs = outputs_with(1000)
    outputs.stream("stdout", "x")
    outputs.stream("stdout", "x" * outputs.cell_left)
    outputs.stream("stdout", "more")
    outputs.stream("stdout", "and more")
    assert texts(outputs)[1:] == [CUT]
    outputs.begin()
    outputs.stream("stdout", "in the next cell")
    assert texts(outputs) == []
