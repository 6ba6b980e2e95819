"""Hidden checks for the exercise `rope_scores`, with a right `apply_rope` in place."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, tensors, through_float32, widened
from reference_impl.model.rope import apply_rope, rope_frequencies, rope_scores, rotate

oracle = Oracle(rope_scores, through_float32(rope_scores))
supplies = Supplies(rope_frequencies=rope_frequencies, rotate=rotate, apply_rope=apply_rope)
BASES = (500000.0, 10000.0, 100.0)


@st.composite
def queries_and_keys(draw, *, decoding, dtype=torch.float32, scale=1.0, widths=(8, 6, 2)):
    """q: (..., seq_q, d_head) and k: (..., seq_k, d_head); in decoding there are fewer queries than keys"""
    leading, width = draw(st.sampled_from(((), (2,), (2, 3)))), draw(st.sampled_from(widths))
    queries = draw(st.integers(1, 3))
    keys = queries + (draw(st.integers(1, 9)) if decoding else 0)
    # Clamped, so that no product is far larger than the others.
    q, k = (draw(tensors((*leading, seq, width))).clamp(-3, 3) * scale for seq in (queries, keys))
    return q.to(dtype), k.to(dtype), draw(st.sampled_from(BASES))


@check(points=2, examples=15)
@given(queries_and_keys(decoding=False))
def test_whole_sequence(student, inputs):
    """as many queries as keys: rotate both, multiply, divide by sqrt(d_head)"""
    oracle.compare(student.rope_scores(*inputs), *inputs)


@check(points=1, after=test_whole_sequence, examples=15)
@given(queries_and_keys(decoding=True))
def test_decoding(student, inputs):
    """fewer queries than keys: the queries are the last tokens, as in decoding with a cache"""
    hint = "Queries and keys have positions of their own: seq_q of them and seq_k, counted along axis -2."
    with student.hint(hint, case=f"{inputs[0].shape[-2]} queries with {inputs[1].shape[-2]} keys"):
        oracle.compare(student.rope_scores(*inputs), *inputs)


@check(points=1, after=test_whole_sequence, examples=8)
@given(
    st.sampled_from([torch.float16, torch.float64]).flatmap(
        lambda dtype: queries_and_keys(decoding=False, dtype=dtype, scale=100.0, widths=(16,))
    )
)
def test_half_precision(student, inputs):
    """large float16 queries and keys do not overflow, and the scores have the dtype of q, also float64"""
    oracle.compare(student.rope_scores(*inputs), *inputs)


def scored(q, k, base, q_positions=None, k_positions=None, divisor=None):
    """rope_scores with the positions or the divisor replaced"""
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    q_positions = torch.arange(seq_q) + seq_k - seq_q if q_positions is None else q_positions
    k_positions = torch.arange(seq_k) if k_positions is None else k_positions
    products = apply_rope(widened(q), q_positions, base) @ apply_rope(widened(k), k_positions, base).mT
    return (products / (math.sqrt(q.shape[-1]) if divisor is None else divisor)).to(q.dtype)


@oracle.misconception
def scores_offset_ignored(q, k, base):
    """Your queries start at position 0. They are the last tokens: their positions begin at seq_k - seq_q."""
    return scored(q, k, base, q_positions=torch.arange(q.shape[-2]))


@oracle.misconception
def scores_one_late(q, k, base):
    """Your queries stand one position too far back in the text. The last query has the position of the last key."""
    return scored(q, k, base, q_positions=torch.arange(q.shape[-2]) + k.shape[-2] - q.shape[-2] + 1)


@oracle.misconception
def scores_after_the_keys(q, k, base):
    """Your queries begin at position seq_k, after all keys. The keys include those of the queries' own tokens."""
    return scored(q, k, base, q_positions=torch.arange(q.shape[-2]) + k.shape[-2])


@oracle.misconception
def scores_same_position(q, k, base):
    """All your queries stand at the last position. Each has its own: seq_k - seq_q, …, seq_k - 1."""
    return scored(q, k, base, q_positions=torch.full((q.shape[-2],), k.shape[-2] - 1))


@oracle.misconception
def scores_need_equal_lengths(q, k, base):
    """You give the queries the positions of all keys; a single query is copied to each. Use the last seq_q."""
    return scored(q, k, base, q_positions=torch.arange(k.shape[-2]))


@oracle.misconception
def scores_only_query_rotated(q, k, base):
    """You rotate the queries only. The distance appears when both are rotated."""
    return scored(q, k, base, k_positions=torch.zeros(k.shape[-2], dtype=torch.long))


@oracle.misconception
def scores_only_key_rotated(q, k, base):
    """You rotate the keys only. The distance appears when both are rotated."""
    return scored(q, k, base, q_positions=torch.zeros(q.shape[-2], dtype=torch.long))


@oracle.misconception
def scores_not_rotated(q, k, base):
    """You do not rotate at all. Send q and k through apply_rope before you multiply them."""
    zeros = torch.zeros(k.shape[-2], dtype=torch.long)
    return scored(q, k, base, zeros[: q.shape[-2]], zeros)


@oracle.misconception
def scores_keys_rotated_back(q, k, base):
    """You rotate the keys backwards, so scores depend on the sum of the positions. Rotate q and k the same way."""
    return scored(q, k, base, k_positions=-torch.arange(k.shape[-2]))


@oracle.misconception
def scores_unscaled(q, k, base):
    """You leave out the division by sqrt(d_head)."""
    return scored(q, k, base, divisor=1)


@oracle.misconception
def scores_divided_by_d_head(q, k, base):
    """You divide by d_head. Divide by its square root."""
    return scored(q, k, base, divisor=q.shape[-1])


@oracle.misconception
def scores_transposed(q, k, base):
    """Your scores are transposed. Row i belongs to query i, column j to key j."""
    return rope_scores(q, k, base).mT


@oracle.misconception
def scores_base_left_out(q, k, base):
    """You do not pass base on to apply_rope, which then takes its default of 10000."""
    return rope_scores(q, k)


@oracle.misconception
def scores_multiplied_in_half(q, k, base):
    """You multiply in float16, where a sum above 65504 is infinite. Multiply in float32 and cast the scores back."""
    positions = torch.arange(k.shape[-2])
    products = apply_rope(q, positions[k.shape[-2] - q.shape[-2] :], base) @ apply_rope(k, positions, base).mT
    return products / math.sqrt(q.shape[-1])


@oracle.misconception
def scores_stay_float32(q, k, base):
    """You return float32. Cast the scores back to the dtype of q."""
    return scored(q.float(), k.float(), base)
