"""Hidden checks for the exercise `attention_weights`:  softmax(q kᵀ / sqrt(d_head)) with an optional causal mask.

Shapes are drawn with seq_q, seq_k and d_head apart, so that no check passes because a tensor happens to be square.
"""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Mismatch, Oracle, builtin_operators, check, contract, expect, expect_like, tensors
from reference_impl.model.attention import attention_weights

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle = Oracle(attention_weights)
causal_oracle = Oracle(attention_weights)
large_oracle = Oracle(attention_weights)
half_oracle = Oracle(attention_weights)
gradient_oracle = Oracle(attention_weights)


def without_future(weights):
    """Causal weights out of full ones: what is left of a row shares what the whole row had."""
    kept = weights.tril()
    return kept * weights.sum(dim=-1, keepdim=True) / kept.sum(dim=-1, keepdim=True)


law = Oracle(without_future)


@st.composite
def queries_and_keys(draw, *, leading=1, same_length=False, scales=(1.0,), widths=(1, 12), dtype=torch.float32):
    """q: (..., seq_q, d_head) and k: (..., seq_k, d_head)"""
    batch_shape = tuple(draw(st.integers(1, 3)) for _ in range(leading))
    seq_q, d_head = draw(st.integers(2, 9)), draw(st.integers(*widths))
    seq_k = seq_q if same_length else draw(st.integers(1, 9))
    scale = draw(st.sampled_from(scales))
    # Clamped, so that scores are as large as `scale` makes them and not larger.
    shapes = (*batch_shape, seq_q, d_head), (*batch_shape, seq_k, d_head)
    return tuple(draw(tensors(shape, dtype=dtype, scale=scale)).clamp(-2 * scale, 2 * scale) for shape in shapes)


@check(points=3)
@given(queries_and_keys())
def test_formula(student, inputs):
    """the weights are softmax(q kᵀ / sqrt(d_head)), each row summing to one, for any lengths"""
    oracle.compare(student.attention_weights(*inputs), *inputs)


@check(points=1)
@given(st.integers(1, 3).flatmap(lambda leading: queries_and_keys(leading=leading)))
def test_leading_axes(student, inputs):
    """any number of leading axes will do, also none: a batch is the same as its members one by one"""
    hint = "Count axes from the end: `k.mT` or `k.transpose(-2, -1)` and `dim=-1` fit any number of leading axes."

    def one_leading_axis():
        student.attention_weights(torch.zeros(1, 2, 3), torch.zeros(1, 4, 3))

    with student.hint(hint, plain=one_leading_axis, case="more or fewer than one leading axis"):
        expect_like(student.attention_weights(*inputs), inputs[0] @ inputs[1].mT)
        contract.leading_dimensions(student.attention_weights, *inputs, core=2)


@check(points=2)
@given(queries_and_keys(same_length=True), queries_and_keys(same_length=True, scales=(100.0,)))
def test_causal(student, inputs, large):
    """with causal=True later keys get weight 0 and each row sums to one, however large the scores"""
    own, got = student.attention_weights(*inputs), causal_weights(student, *inputs)
    for weights in (own, got):
        expect_like(weights, inputs[0] @ inputs[1].mT, "each result")
    if not is_right(own, *inputs):
        # That was charged by test_formula: here causal weights only have to follow from one's own full ones.
        law.compare(got, own)
        return
    causal_oracle.compare(got, *inputs, causal=True)
    if is_right(student.attention_weights(*large), *large):
        got = causal_weights(student, *large)
        expect_like(got, large[0] @ large[1].mT)
        hint = "The score of a later key must be lower than any real score: use -inf or the dtype's lowest number."
        expect(not bool((got.triu(1) > 0).any()), "for large scores a later key has a weight above 0", hint)
        causal_oracle.compare(got, *large, causal=True)


@check(points=0, examples=2)
@given(queries_and_keys())
def test_own_steps(student, inputs):
    """the steps of attention are your own, not those of torch's own attention (noted only, no points)"""
    rule = (
        "Write the scores, the mask and the softmax yourself: torch's own attention hides what this exercise is about."
    )
    contract.written_by_hand(student.attention_weights, *inputs, without=builtin_operators.ATTENTION, rule=rule)


def is_right(got, *inputs):
    try:
        oracle.compare(got, *inputs)
    except Mismatch:
        return False
    return True


def causal_weights(student, q, k):
    """The student's causal weights. If these inputs raise and another length does not, say so."""

    def with_length(length):
        return lambda: student.attention_weights(torch.zeros(1, length, 4), torch.zeros(1, length, 4), causal=True)

    hint = "Your mask fits some lengths only. Make it inside the function, from the length of the q at hand."
    others = [with_length(length) for length in (1, 2, 4, 8, 16) if length != q.shape[-2]]
    with student.hint(hint, plain=others, case=f"causal=True with {q.shape[-2]} tokens, unlike other lengths,"):
        return student.attention_weights(q, k, causal=True)


@check(points=1)
@given(queries_and_keys().filter(lambda inputs: inputs[0].shape != inputs[1].shape))
def test_causal_needs_equal_lengths(student, inputs):
    """causal=True with seq_q different from seq_k raises a ValueError"""
    hint = "Compare the lengths of q and k when causal is True, and raise ValueError(...) when they differ."
    with student.raises(ValueError, hint=hint):
        student.attention_weights(*inputs, causal=True)


@check(points=1, after=test_formula)
@given(queries_and_keys(scales=(100.0, 1000.0)))
def test_large_scores(student, inputs):
    """scores of 10 000 and more give finite, exact weights"""
    large_oracle.compare(student.attention_weights(*inputs), *inputs)


@check(points=1, after=test_large_scores)
@given(queries_and_keys(scales=(100.0,), widths=(32, 64), dtype=torch.float16))
def test_half_precision(student, inputs):
    """float16 inputs do not overflow, and the weights are float16 again"""
    half_oracle.compare(student.attention_weights(*inputs), *inputs)


@check(points=1, after=test_formula)
@given(queries_and_keys(same_length=True, scales=(0.5,)))
def test_gradient(student, inputs):
    """q and k stay as they are, and the gradient flows through both"""
    contract.input_unchanged(student.attention_weights, *inputs)
    gradient_oracle.compare_gradients(student.attention_weights, *inputs)


@check(points=1, examples=3)
@given(queries_and_keys(same_length=True))
def test_device(student, inputs):
    """the causal mask is made on the device of q"""
    like, facets = inputs[0] @ inputs[1].mT, [contract.follows_device]
    contract.all_of(student.attention_weights, *inputs, causal=True, like=like, facets=facets)


def scores(q, k):
    return q @ k.mT / math.sqrt(q.shape[-1])


def hide(weights, value, diagonal=1):
    """`value` in the place of what lies on `diagonal` and above it."""
    future = torch.ones(weights.shape[-2:], dtype=torch.bool).triu(diagonal)
    return weights.masked_fill(future, value)


@oracle.misconception
def no_scale(q, k):
    """You do not divide the dot products by sqrt(d_head)."""
    return (q @ k.mT).softmax(dim=-1)


@oracle.misconception
def divides_by_d_head(q, k):
    """You divide by d_head. Divide by its square root."""
    return (q @ k.mT / q.shape[-1]).softmax(dim=-1)


@oracle.misconception
def scales_by_length(q, k):
    """You divide by the root of the number of keys. Divide by the root of d_head, the last axis of q."""
    return (q @ k.mT / math.sqrt(k.shape[-2])).softmax(dim=-1)


@oracle.misconception
def scales_after_softmax(q, k):
    """You divide after the softmax. Divide the scores before it: rows must sum to one."""
    return (q @ k.mT).softmax(dim=-1) / math.sqrt(q.shape[-1])


@oracle.misconception
def softmax_over_queries(q, k):
    """Your softmax runs over the queries, so columns sum to one. It runs over the keys: dim=-1."""
    return scores(q, k).softmax(dim=-2)


@oracle.misconception
def swaps_q_and_k(q, k):
    """You swapped q and k: rows belong to queries, columns to keys."""
    return scores(k, q).softmax(dim=-1)


@oracle.misconception
def no_softmax(q, k):
    """These are the scores. Weights are their softmax over the keys."""
    return scores(q, k)


@causal_oracle.misconception
def future_visible(q, k, causal):
    """With causal=True your queries still see later keys."""
    return scores(q, k).softmax(dim=-1)


@causal_oracle.misconception
def masks_after_softmax(q, k, causal):
    """You set later weights to zero after the softmax, so rows no longer sum to one. Mask the scores before it."""
    return hide(scores(q, k).softmax(dim=-1), 0.0)


@causal_oracle.misconception
def masks_the_diagonal(q, k, causal):
    """Your mask hides a token from itself as well. Query i sees the keys 0..i, itself included."""
    return hide(scores(q, k), -math.inf, diagonal=0).softmax(dim=-1)


@causal_oracle.misconception
def sees_one_token_ahead(q, k, causal):
    """Your mask starts one token too late: query i also sees key i + 1, the very token to be predicted."""
    return hide(scores(q, k), -math.inf, diagonal=2).softmax(dim=-1)


@causal_oracle.misconception
def masks_the_past(q, k, causal):
    """Your mask is upside down: it hides the earlier tokens and shows the later ones."""
    past = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(-1)
    return scores(q, k).masked_fill(past, -math.inf).softmax(dim=-1)


@causal_oracle.misconception
def masks_with_zero(q, k, causal):
    """You give later keys the score 0, but exp(0) = 1 is a weight like any other. Their score must be -inf."""
    return hide(scores(q, k), 0.0).softmax(dim=-1)


@large_oracle.misconception
def exp_overflows(q, k):
    """exp of a large score is infinite. Subtract each row's largest score first, or let torch.softmax do it."""
    exp = scores(q, k).exp()
    return exp / exp.sum(dim=-1, keepdim=True)


@half_oracle.misconception
def multiplies_in_half(q, k):
    """In float16 a dot product above 65 504 is infinite. Cast q and k to float32 before you multiply."""
    return scores(q, k).softmax(dim=-1)


@half_oracle.misconception
def stays_in_float32(q, k):
    """Your weights are float32 whatever q is. Cast them back with .to(q.dtype)."""
    return attention_weights(q.float(), k.float())


@gradient_oracle.misconception
def cuts_off_gradient(q, k):
    """Your computation is cut off from autograd (.detach(), .data, .item() or no_grad)."""
    return attention_weights(q.detach(), k.detach())
