"""Hidden checks for the exercise `cached_attention`: causal attention whose queries are the last tokens."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract, expect_like, tensors
from reference_impl.model.kv_cache import cached_attention

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle, large_oracle, half_oracle = (Oracle(cached_attention) for _ in range(3))


@st.composite
def attention_inputs(draw, *, leading=2, scale=1.0, past=(0, 5), widths=(2, 7), dtype=torch.float32):
    """q: (..., seq_q, d_head), k and v: (..., seq_k, d_head) with `past` more keys than queries"""
    shape = tuple(draw(st.integers(1, 3)) for _ in range(leading))
    seq_q, d_head = draw(st.integers(1, 4)), draw(st.integers(*widths))
    seq_k = seq_q + draw(st.integers(*past))
    # Clamped, so that scores are as large as `scale` makes them and every key that is seen counts.
    q, k = (
        draw(tensors((*shape, seq, d_head), dtype=dtype, scale=scale)).clamp(-2 * scale, 2 * scale)
        for seq in (seq_q, seq_k)
    )
    return q, k, draw(tensors((*shape, seq_k, d_head), dtype=dtype))


@check(points=3, examples=25)
@given(attention_inputs())
def test_formula(student, inputs):
    """each query sees the keys up to its own place at the end of the text: the mask is aligned at the bottom right"""
    oracle.compare(student.cached_attention(*inputs), *inputs)


@check(points=1, examples=8)
@given(st.integers(1, 3).flatmap(lambda leading: attention_inputs(leading=leading)))
def test_leading_axes(student, inputs):
    """any number of leading axes will do, also none"""

    def two_leading_axes():
        student.cached_attention(*(torch.zeros(1, 1, 2, 3) for _ in range(3)))

    hint = "Count axes from the end: `k.mT` and `dim=-1` fit any number of leading axes."
    with student.hint(hint, plain=two_leading_axes, case="more or fewer than two leading axes"):
        expect_like(student.cached_attention(*inputs), inputs[0])
        contract.leading_dimensions(student.cached_attention, *inputs, core=2)


@check(points=1, after=test_formula, examples=12)
@given(attention_inputs(scale=100.0))
def test_large_scores(student, inputs):
    """hidden keys get weight 0 even where scores reach 10 000"""
    large_oracle.compare(student.cached_attention(*inputs), *inputs)


@check(points=1, after=test_formula, examples=12)
@given(attention_inputs(dtype=torch.float16, scale=100.0, widths=(16, 24)))
def test_half_precision(student, inputs):
    """float16 scores above 65 504 do not overflow, and the result is float16"""
    half_oracle.compare(student.cached_attention(*inputs), *inputs)


@check(points=1, examples=5)
@given(attention_inputs(past=(1, 3)))
def test_contract(student, inputs):
    """more queries than keys raise a ValueError; the mask lies on the device of q"""
    q, k, v = inputs
    contract.all_of(student.cached_attention, q, k, v, like=q, facets=[contract.follows_device])
    hint = "The queries are the last of the keys' tokens, so there cannot be more of them: raise ValueError(...)."
    with student.raises(ValueError, hint=hint):
        student.cached_attention(k, q, v[..., : q.shape[-2], :])


def scores(q, k):
    return q.float() @ k.float().mT / math.sqrt(q.shape[-1])


def future(q, k, ahead=0):
    return torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1 + k.shape[-2] - q.shape[-2] + ahead)


def weighted(hidden, q, k, v):
    return (scores(q, k).masked_fill(hidden, -math.inf).softmax(dim=-1) @ v.float()).to(q.dtype)


@oracle.misconception
def attention_top_left(q, k, v):
    """Your mask is aligned at the top left: a new token sees only the start of the text. Shift it by seq_k - seq_q."""
    return weighted(torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1), q, k, v)


@oracle.misconception
def attention_without_mask(q, k, v):
    """Nothing is hidden: within a chunk of several tokens the earlier ones see the later ones."""
    return weighted(torch.zeros(q.shape[-2], k.shape[-2], dtype=torch.bool), q, k, v)


@oracle.misconception
def attention_masks_squares_only(q, k, v):
    """You mask only when there are as many queries as keys. A chunk behind a cache has a future too: its own tokens."""
    square = q.shape[-2] == k.shape[-2]
    return weighted(future(q, k) if square else torch.zeros_like(future(q, k)), q, k, v)


@oracle.misconception
def attention_chunk_only(q, k, v):
    """You hide the past: queries see only the keys of their own chunk. Everything before it is visible."""
    past = torch.arange(k.shape[-2]) < k.shape[-2] - q.shape[-2]
    return weighted(future(q, k) | past, q, k, v)


@oracle.misconception
def attention_one_ahead(q, k, v):
    """Each query sees one token too many. Query i sees the keys up to seq_k - seq_q + i, that one included."""
    return weighted(future(q, k, ahead=1), q, k, v)


@oracle.misconception
def attention_not_itself(q, k, v):
    """A token does not see itself. Query i sees the keys up to seq_k - seq_q + i, that one included."""
    return weighted(future(q, k, ahead=-1), q, k, v)


@oracle.misconception
def attention_sees_the_future_only(q, k, v):
    """Your mask is inverted: it hides what should be seen. masked_fill hides where the mask is True."""
    return weighted(~future(q, k), q, k, v)


@oracle.misconception
def attention_unscaled(q, k, v):
    """You do not divide the scores by sqrt(d_head)."""
    return weighted(future(q, k), q * math.sqrt(q.shape[-1]), k, v)


@oracle.misconception
def attention_scaled_twice(q, k, v):
    """You divide the scores by d_head. Divide by its square root."""
    return weighted(future(q, k), q / math.sqrt(q.shape[-1]), k, v)


@oracle.misconception
def attention_softmax_over_queries(q, k, v):
    """Your softmax runs over the queries. Each query's weights over the keys sum to one: dim=-1."""
    return (scores(q, k).masked_fill(future(q, k), -math.inf).softmax(dim=-2) @ v.float()).to(q.dtype)


@oracle.misconception
def attention_masks_after_softmax(q, k, v):
    """You set weights to zero after the softmax, so they no longer sum to one. Hide the scores before it."""
    return (scores(q, k).softmax(dim=-1).masked_fill(future(q, k), 0.0) @ v.float()).to(q.dtype)


@oracle.misconception
def attention_mask_times_infinity(q, k, v):
    """You multiply a mask of zeros by infinity, and 0 · inf is nan. Use masked_fill or torch.where."""
    return ((scores(q, k) + future(q, k) * -math.inf).softmax(dim=-1) @ v.float()).to(q.dtype)


@large_oracle.misconception
def attention_hides_too_little(q, k, v):
    """A hidden key's score of -1000 is larger than some real scores. Use -inf or the dtype's lowest number."""
    return (scores(q, k).masked_fill(future(q, k), -1e3).softmax(dim=-1) @ v.float()).to(q.dtype)


@large_oracle.misconception
def attention_lowers_too_little(q, k, v):
    """You subtract 1000 from the scores of hidden keys, but they may be larger. Replace them: masked_fill."""
    return ((scores(q, k) - 1e3 * future(q, k)).softmax(dim=-1) @ v.float()).to(q.dtype)


@large_oracle.misconception
def attention_exp_overflows(q, k, v):
    """Your exponentials overflow. Use torch.softmax, or subtract the largest score of each row first."""
    powers = scores(q, k).exp().masked_fill(future(q, k), 0.0)
    return ((powers / powers.sum(dim=-1, keepdim=True)) @ v.float()).to(q.dtype)


@half_oracle.misconception
def attention_in_half(q, k, v):
    """You multiply q and k in float16, where anything above 65 504 is infinite. Cast to float32 first."""
    found = q @ k.mT / math.sqrt(q.shape[-1])
    return found.masked_fill(future(q, k), -math.inf).softmax(dim=-1) @ v


@half_oracle.misconception
def attention_stays_float32(q, k, v):
    """You compute in float32 and return float32. Cast the result back to the dtype of q."""
    return weighted(future(q, k), q.float(), k, v)
