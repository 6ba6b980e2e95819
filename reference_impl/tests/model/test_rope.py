"""Compares the reference with the paper's matrix, complex numbers and transformers, and checks rotation properties."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograde.testing import tensors
from reference_impl.model.rope import apply_rope, rope_frequencies, rope_scores, rotate, score_matrix

widths = st.sampled_from([2, 4, 6, 8, 16])
bases = st.sampled_from([10000.0, 500000.0, 100.0])
few_examples = settings(max_examples=25, deadline=None)


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@st.composite
def sequences(draw_from, count: int = 1):
    """`count` float64 tensors (batch, seq, d_head), then positions (seq,) and a base."""
    batch, seq, width = draw_from(st.integers(1, 3)), draw_from(st.integers(1, 5)), draw_from(widths)
    positions = torch.tensor(draw_from(st.lists(st.integers(0, 5000), min_size=seq, max_size=seq)))
    inputs = [draw_from(tensors((batch, seq, width), dtype=torch.float64)) for _ in range(count)]
    return *inputs, positions, draw_from(bases)


def test_rope_frequencies_of_width_eight() -> None:
    torch.testing.assert_close(rope_frequencies(8), torch.tensor([1.0, 0.1, 0.01, 0.001]))
    with pytest.raises(ValueError, match="even"):
        rope_frequencies(7)


@pytest.mark.parametrize("base", [10000.0, 500000.0])
def test_apply_rope_matches_complex_multiplication(base: float) -> None:
    x, positions = draw(2, 5, 12), torch.tensor([0, 3, 1, 700, 42])
    rotated = torch.complex(x[..., :6], x[..., 6:]) * torch.exp(
        1j * positions[:, None] * rope_frequencies(12, base, dtype=torch.float64)
    )
    torch.testing.assert_close(apply_rope(x, positions, base), torch.cat([rotated.real, rotated.imag], dim=-1))


def test_apply_rope_matches_interleaved_pairs_up_to_permutation() -> None:
    """Equation 34 of RoFormer: x · cos + (−x₂, x₁, −x₄, x₃, …) · sin, every frequency twice in a row."""
    x, positions = draw(5, 8), torch.arange(5)
    angles = (positions[:, None] * rope_frequencies(8, dtype=torch.float64)).repeat_interleave(2, dim=-1)
    swapped = torch.stack([-x[..., 1::2], x[..., 0::2]], dim=-1).flatten(-2)
    paper = x * angles.cos() + swapped * angles.sin()
    even_first = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    torch.testing.assert_close(apply_rope(x[:, even_first], positions), paper[:, even_first])


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("base", [10000.0, 500000.0])
def test_apply_rope_matches_llama(base: float) -> None:
    """The convention is the same; Llama's positions are (batch, seq), and its cos and sin hold every angle twice."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    heads, width = 3, 8
    config = LlamaConfig(
        hidden_size=heads * width,
        num_attention_heads=heads,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": base},
    )
    q, k = draw(2, heads, 6, width, dtype=torch.float32), draw(2, heads, 6, width, dtype=torch.float32, seed=1)
    positions = torch.tensor([[0, 1, 2, 3, 4, 5], [7, 8, 9, 10, 11, 12]])
    cos, sin = LlamaRotaryEmbedding(config)(q, positions)
    for ours, theirs in zip((q, k), apply_rotary_pos_emb(q, k, cos, sin), strict=True):
        torch.testing.assert_close(apply_rope(ours, positions[:, None], base), theirs)


@few_examples
@given(sequences())
def test_apply_rope_keeps_norms_and_position_zero(inputs) -> None:
    """Position 0 is rotated by angle 0."""
    x, positions, base = inputs
    torch.testing.assert_close(apply_rope(x, positions, base).norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(apply_rope(x, torch.zeros_like(positions), base), x)


@few_examples
@given(sequences(count=2), st.integers(0, 5000))
def test_apply_rope_scores_depend_on_distance_only(inputs, shift) -> None:
    q, k, positions, base = inputs
    here = apply_rope(q, positions, base) @ apply_rope(k, positions, base).mT
    there = apply_rope(q, positions + shift, base) @ apply_rope(k, positions + shift, base).mT
    torch.testing.assert_close(here, there)


@few_examples
@given(sequences(), st.integers(0, 5000))
def test_apply_rope_rotations_add_up(inputs, shift) -> None:
    x, positions, base = inputs
    shifted = torch.full_like(positions, shift)
    torch.testing.assert_close(
        apply_rope(apply_rope(x, positions, base), shifted, base), apply_rope(x, positions + shift, base)
    )


@few_examples
@given(sequences(count=2), st.integers(-500, 500))
def test_score_matrix_gives_the_score(inputs, distance) -> None:
    q, k, positions, base = inputs
    matrix = score_matrix(distance, q.shape[-1], base, dtype=torch.float64)
    products = apply_rope(q, positions + 500 + distance, base) * apply_rope(k, positions + 500, base)
    torch.testing.assert_close(torch.einsum("...i,ij,...j->...", q, matrix, k), products.sum(dim=-1))
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(q.shape[-1], dtype=torch.float64))


@pytest.mark.parametrize("seq_q", [1, 2, 6])
def test_rope_scores_of_the_last_queries_match_the_full_sequence(seq_q: int) -> None:
    q, k = draw(2, 6, 8), draw(2, 6, 8, seed=1)
    full = rope_scores(q, k)
    torch.testing.assert_close(rope_scores(q[:, -seq_q:], k), full[:, -seq_q:])
    positions = torch.arange(6)
    torch.testing.assert_close(full, apply_rope(q, positions) @ apply_rope(k, positions).mT / math.sqrt(8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_apply_rope_keeps_half_precision_dtype_and_distinguishes_far_positions(dtype: torch.dtype) -> None:
    x = draw(1, 8, dtype=dtype).expand(3, 8)
    got = apply_rope(x, torch.tensor([4096, 4097, 100_000]))
    assert got.dtype == dtype
    assert not torch.equal(got[0], got[1])
    # At position 100 000 a float32 angle has an error of up to 0.004, less than the bfloat16 spacing near 1.
    torch.testing.assert_close(
        got.double(), apply_rope(x.double(), torch.tensor([4096, 4097, 100_000])), rtol=0.02, atol=0.02
    )


def test_rotate_gradient_is_the_inverse_rotation() -> None:
    x, angles = draw(3, 4).requires_grad_(), draw(3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(rotate, (x, angles))
    upstream = draw(3, 4, seed=2)
    (gradient,) = torch.autograd.grad(rotate(x, angles), x, upstream)
    torch.testing.assert_close(gradient, rotate(upstream, -angles))
