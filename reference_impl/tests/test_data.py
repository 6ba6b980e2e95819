"""Windows and batches: laws over any documents, and the text that is shipped."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.data import TEXT, Batches, Windows, documents, language_model_batches
from reference_impl.tokenizer import ByteTokenizer

# Each token says which document it is of and where it stands there.
some_documents = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(
    lambda lengths: [[100 * number + place for place in range(length)] for number, length in enumerate(lengths)]
)


@given(some_documents, st.integers(1, 5), st.integers(1, 6))
def test_are_windows_all_that_fit_and_targets_the_next_tokens(texts: list[list[int]], length: int, stride: int) -> None:
    windows = Windows(texts, length, stride)
    expected = [text[start : start + length + 1] for text in texts for start in range(0, len(text), stride)]
    expected = [window for window in expected if len(window) == length + 1]
    assert [(inputs.tolist(), targets.tolist()) for inputs, targets in windows] == [
        (window[:-1], window[1:]) for window in expected
    ]
    assert all(
        len({token // 100 for token in (*inputs.tolist(), *targets.tolist())}) == 1 for inputs, targets in windows
    )


def test_is_a_window_of_no_length_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Windows([[1, 2]], 0)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_is_every_example_seen_once_in_a_round(n_examples: int, batch_size: int, seed: int) -> None:
    if batch_size > n_examples:
        with pytest.raises(ValueError, match="number of examples"):
            Batches(range(n_examples), batch_size, list)
        return
    batches = Batches(range(n_examples), batch_size, list, seed=seed)
    for _ in range(2):
        seen = [example for _ in range(n_examples // batch_size) for example in next(batches)]
        assert len(set(seen)) == len(seen) == n_examples // batch_size * batch_size
    assert [example for batch in batches.one_round() for example in batch] == list(range(n_examples))


@given(st.integers(1, 7), st.integers(0, 30), st.booleans())
def test_do_batches_go_on_where_they_were(batch_size: int, done: int, shuffle: bool) -> None:
    first = Batches(range(7), batch_size, list, seed=3, shuffle=shuffle)
    for _ in range(done):
        next(first)
    second = Batches(range(7), batch_size, list, shuffle=shuffle)
    second.load_state_dict(first.state_dict())
    assert [next(first) for _ in range(9)] == [next(second) for _ in range(9)]


def test_are_rounds_and_seeds_in_different_orders() -> None:
    one, other = (Batches(range(50), 50, list, seed=seed) for seed in (0, 1))
    assert len({tuple(next(batches)) for batches in (one, one, other)}) == 3


def test_is_the_shipped_text_large_enough_and_whole() -> None:
    assert TEXT.stat().st_size > 100_000
    chapters = documents()
    assert len(chapters) == 12
    assert all(chapter.startswith("CHAPTER ") for chapter in chapters)
    assert (TEXT.parent / "README.md").exists()


def test_are_batches_of_a_text_shifted_by_one() -> None:
    batches = language_model_batches(["abcdefg", "hijk"], ByteTokenizer(), 3, 2, stride=1)
    inputs, targets = next(batches)
    assert inputs.shape == targets.shape == (2, 3)
    assert torch.equal(targets, inputs + 1)
    assert len(batches.examples) == 4 + 1
