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


def test_outputs_keep_the_start_of_a_long_text() -> None:
    outputs = outputs_with(1000)
    outputs.stream("stdout", "é" * 5000)
    outputs.stream("stdout", "more")
    kept, cut = texts(outputs)
    assert set(kept) == {"é"}
    assert len(kept) > 400
    assert cut == CUT


def test_outputs_many_small_texts_take_linear_time() -> None:
    outputs = outputs_with(CELL_BYTES)
    start = time.process_time()
    for _ in range(200_000):
        outputs.stream("stdout", "12345")
    assert texts(outputs) == ["12345" * 200_000]
    assert time.process_time() - start < 5  # with the square of their number it was 17 seconds


@pytest.mark.parametrize("text", ["x", "█", "\U0001f600", "\ud800"])
def test_outputs_of_a_full_cell_cost_no_other_cell(run: Run, text: str) -> None:
    """Bounded by bytes as they travel, not by characters: a bar of blocks takes three times as many."""
    running = run(f"for _ in range(20_000): print({text!r} * 100)", "x = 1\nprint('on')", output_bytes=4 << 20)
    assert running.problem == ""
    assert len(running.cells) == 2
    first, cut = (output["text"] for output in running.cells[0].outputs)
    assert len(first.encode()) > CELL_BYTES / 4
    assert cut == CUT
    assert running.cells[1].outputs[0]["text"] == "on\n"


def test_outputs_omit_a_picture_larger_than_a_frame(run: Run) -> None:
    source = "from IPython.display import Image\nImage(b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 900_000)"
    running = run(source, "x = 1", output_bytes=8 << 20)
    assert running.problem == ""
    assert [output["text"] for output in running.cells[0].outputs] == [CUT]


def test_outputs_beyond_the_limit_of_the_notebook_are_dropped(run: Run) -> None:
    running = run("print('x' * 5000)", "print('y')", output_bytes=2000)
    assert running.cells[0].outputs[-1]["text"] == CUT
    assert running.cells[1].outputs == []


def test_outputs_announce_a_cut_after_an_exact_fit() -> None:
    outputs = outputs_with(1000)
    outputs.stream("stdout", "x")
    outputs.stream("stdout", "x" * outputs.cell_left)
    outputs.stream("stdout", "more")
    outputs.stream("stdout", "and more")
    assert texts(outputs)[1:] == [CUT]
    outputs.begin()
    outputs.stream("stdout", "in the next cell")
    assert texts(outputs) == []
