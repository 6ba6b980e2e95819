"""Windows and batches: properties that hold for any documents, and the shipped text."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.tokenizer import ByteTokenizer
from reference_impl.training.data import TEXT, Batches, Windows, documents, language_model_batches

# A token encodes its document and its position: 100 · document + position.
token_documents = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(
    lambda lengths: [[100 * number + position for position in range(length)] for number, length in enumerate(lengths)]
)


@given(token_documents, st.integers(1, 5), st.integers(1, 6))
def test_windows_are_all_that_fit_with_targets_shifted_by_one(
    documents: list[list[int]], length: int, stride: int
) -> None:
    windows = Windows(documents, length, stride)
    expected = [ids[start : start + length + 1] for ids in documents for start in range(0, len(ids), stride)]
    expected = [window for window in expected if len(window) == length + 1]
    assert [(inputs.tolist(), targets.tolist()) for inputs, targets in windows] == [
        (window[:-1], window[1:]) for window in expected
    ]
    assert all(
        len({token // 100 for token in (*inputs.tolist(), *targets.tolist())}) == 1 for inputs, targets in windows
    )


def test_windows_rejects_zero_length() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Windows([[1, 2]], 0)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_batches_yields_each_example_once_per_round(n_examples: int, batch_size: int, seed: int) -> None:
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
def test_batches_resumes_from_state_dict(batch_size: int, n_read: int, shuffle: bool) -> None:
    first = Batches(range(7), batch_size, list, seed=3, shuffle=shuffle)
    for _ in range(n_read):
        next(first)
    second = Batches(range(7), batch_size, list, shuffle=shuffle)
    second.load_state_dict(first.state_dict())
    assert [next(first) for _ in range(9)] == [next(second) for _ in range(9)]


def test_batches_order_depends_on_round_and_seed() -> None:
    one, other = (Batches(range(50), 50, list, seed=seed) for seed in (0, 1))
    assert len({tuple(next(batches)) for batches in (one, one, other)}) == 3


def test_documents_shipped_text_is_complete() -> None:
    assert TEXT.stat().st_size > 100_000
    chapters = documents()
    assert len(chapters) == 12
    assert all(chapter.startswith("CHAPTER ") for chapter in chapters)
    assert (TEXT.parent / "README.md").exists()


def test_language_model_batches_shifts_targets_by_one() -> None:
    batches = language_model_batches(["abcdefg", "hijk"], ByteTokenizer(), 3, 2, stride=1)
    inputs, targets = next(batches)
    assert inputs.shape == targets.shape == (2, 3)
    assert torch.equal(targets, inputs + 1)
    assert len(batches.examples) == 4 + 1
