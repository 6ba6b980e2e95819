"""The reference against torch's lookup, the paper's formula, and the law that makes waves useful."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.embeddings import Embedding, sinusoidal_positions


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 5000), st.integers(1, 9))
def test_are_the_waves_the_papers(position: int, d_model: int) -> None:
    found = sinusoidal_positions(torch.tensor([position]), d_model)[0]
    for feature in range(d_model):
        angle = position / 10000 ** (2 * (feature // 2) / d_model)
        assert found[feature].item() == pytest.approx(math.cos(angle) if feature % 2 else math.sin(angle), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_do_dot_products_of_waves_depend_on_the_distance_only(first: int, second: int, shift: int) -> None:
    here = sinusoidal_positions(torch.tensor([first, second]), 8)
    there = sinusoidal_positions(torch.tensor([first + shift, second + shift]), 8)
    torch.testing.assert_close(here[0] @ here[1], there[0] @ there[1])


def test_is_an_embedding_a_row_and_its_position() -> None:
    layer = Embedding(7, 5, 4, "learned").double()
    ids, positions = torch.tensor([[1, 6, 1], [0, 2, 2]]), torch.tensor([2, 3, 4])
    assert layer.positions is not None
    torch.testing.assert_close(layer(ids, positions), layer.tokens.weight[ids] + layer.positions.weight[positions])
    plain = Embedding(7, 5, 4, "rope").double()
    torch.testing.assert_close(
        plain(ids, positions), torch.nn.functional.one_hot(ids, 7).double() @ plain.tokens.weight
    )
    waves = Embedding(7, 5, 4, "sinusoidal").double()
    expected = 2 * waves.tokens.weight[ids] + sinusoidal_positions(positions, 4)
    torch.testing.assert_close(waves(ids, positions), expected)


def test_does_a_gradient_reach_only_the_rows_that_were_read() -> None:
    layer = Embedding(5, 3, 4, "learned")
    layer(torch.tensor([[1, 3]]), torch.arange(2)).sum().backward()
    assert layer.tokens.weight.grad is not None
    assert layer.tokens.weight.grad.any(dim=1).tolist() == [False, True, False, True, False]
