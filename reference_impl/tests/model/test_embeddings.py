"""Compares embeddings with torch's lookup and sinusoidal positions with the paper's formula."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.model.embeddings import Embedding, sinusoidal_positions


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 5000), st.integers(1, 9))
def test_sinusoidal_positions_match_the_paper(position: int, d_model: int) -> None:
    got = sinusoidal_positions(torch.tensor([position]), d_model)[0]
    for feature in range(d_model):
        angle = position / 10000 ** (2 * (feature // 2) / d_model)
        assert got[feature].item() == pytest.approx(math.cos(angle) if feature % 2 else math.sin(angle), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_sinusoidal_positions_dot_product_depends_on_distance_only(first: int, second: int, shift: int) -> None:
    here = sinusoidal_positions(torch.tensor([first, second]), 8)
    there = sinusoidal_positions(torch.tensor([first + shift, second + shift]), 8)
    torch.testing.assert_close(here[0] @ here[1], there[0] @ there[1])


def test_embedding_adds_token_and_position() -> None:
    layer = Embedding(7, 5, 4, "learned").double()
    ids, positions = torch.tensor([[1, 6, 1], [0, 2, 2]]), torch.tensor([2, 3, 4])
    assert layer.positions is not None
    torch.testing.assert_close(layer(ids, positions), layer.tokens.weight[ids] + layer.positions.weight[positions])
    rope = Embedding(7, 5, 4, "rope").double()
    torch.testing.assert_close(rope(ids, positions), torch.nn.functional.one_hot(ids, 7).double() @ rope.tokens.weight)
    sinusoidal = Embedding(7, 5, 4, "sinusoidal").double()
    expected = 2 * sinusoidal.tokens.weight[ids] + sinusoidal_positions(positions, 4)
    torch.testing.assert_close(sinusoidal(ids, positions), expected)


def test_embedding_gradient_reaches_only_looked_up_rows() -> None:
    layer = Embedding(5, 3, 4, "learned")
    layer(torch.tensor([[1, 3]]), torch.arange(2)).sum().backward()
    assert layer.tokens.weight.grad is not None
    assert layer.tokens.weight.grad.any(dim=1).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("kind", ["learned", "sinusoidal", "rope"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_embedding_has_the_dtype_of_its_weights(kind: str, dtype: torch.dtype) -> None:
    layer = Embedding(7, 5, 4, kind).to(dtype)
    assert layer(torch.tensor([[1, 6]]), torch.arange(2)).dtype == dtype
