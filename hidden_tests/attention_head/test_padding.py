"""Hidden checks for the exercise `padding`: padded_attention_weights(q, k, is_padding).

A right `attention_weights` takes the place of the student's own, so that an earlier mistake is not charged again.
"""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, builtin_operators, check, contract, expect, tensors
from reference_impl.model.attention import attention_weights, padded_attention_weights

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle = Oracle(padded_attention_weights)
content_oracle = Oracle(padded_attention_weights)
empty_oracle = Oracle(padded_attention_weights)
gradient_oracle = Oracle(padded_attention_weights)
supplies = Supplies(attention_weights=attention_weights)


@st.composite
def padded_inputs(draw, *, square=False, empty=False, garbage=1.0):
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k); `square`: all lengths are equal

    Padding keys hold multiples of `garbage`. With `empty`, the first text is nothing but padding. All others keep two
    tokens at least, because the weight of a single one is 1 whatever it holds.
    """
    size = draw(st.integers(3, 5))
    batch, seq_q, seq_k = (size, size, size) if square else [draw(st.integers(low, 6)) for low in (1, 1, 3)]
    d_head = draw(st.integers(1, 6))
    # Clamped, so that no weight of the text is as good as 0 unless garbage makes it so.
    q, k = (draw(tensors((batch, seq, d_head))).clamp(-2, 2) for seq in (seq_q, seq_k))
    padding = draw(st.lists(st.integers(0, seq_k - 2), min_size=batch, max_size=batch).filter(any))
    in_front = draw(st.booleans())
    positions = torch.arange(seq_k).flip(0) if not in_front else torch.arange(seq_k)
    is_padding = positions < torch.tensor(padding).unsqueeze(1)
    if empty:
        is_padding[0] = True
    return q, torch.where(is_padding.unsqueeze(-1), garbage * k, k), is_padding


@check(points=2)
@given(padded_inputs(square=True))
def test_padding_is_not_seen(student, inputs):
    """padding keys are not looked at, and the other weights of each row sum to one"""
    oracle.compare(student.padded_attention_weights(*inputs), *inputs)


@check(points=1, after=test_padding_is_not_seen)
@given(padded_inputs())
def test_shapes(student, inputs):
    """batch size, number of queries and number of keys may all differ"""
    hint = "is_padding[:, None, :] has the shape (batch, 1, seq_k), which fits scores of any number of queries."
    with student.hint(hint, case="inputs of shape " + ", ".join(str(tuple(tensor.shape)) for tensor in inputs)):
        oracle.compare(student.padded_attention_weights(*inputs), *inputs)


@check(points=1, after=test_padding_is_not_seen)
@given(padded_inputs(square=True, garbage=1e5))
def test_content_of_padding(student, inputs):
    """padding keys get weight exactly 0, and large numbers in them make no difference"""
    got = student.padded_attention_weights(*inputs)
    content_oracle.compare(got, *inputs)
    hint = "A score that is merely low leaves a tiny weight. Use -inf or the dtype's lowest number."
    seen = got.masked_select(inputs[2].unsqueeze(1)) != 0
    expect(not bool(seen.any()), "a padding key has a weight that is tiny, but not 0", hint)


@check(points=1, after=test_padding_is_not_seen)
@given(padded_inputs(square=True, empty=True))
def test_nothing_but_padding(student, inputs):
    """a text of nothing but padding gets weights that are all 0"""
    empty_oracle.compare(student.padded_attention_weights(*inputs), *inputs)


@check(points=1, after=test_padding_is_not_seen)
@given(padded_inputs(square=True, empty=True))
def test_gradient(student, inputs):
    """the gradients of q and k are right, and 0 instead of nan where all is padding"""
    gradient_oracle.compare_gradients(student.padded_attention_weights, *inputs)


@check(points=0, examples=2)
@given(padded_inputs(square=True))
def test_own_steps(student, inputs):
    """the steps of attention are your own, not those of torch's own attention (noted only, no points)"""
    rule = (
        "Write the scores, the mask and the softmax yourself: torch's own attention hides what this exercise is about."
    )
    contract.written_by_hand(student.padded_attention_weights, *inputs, without=builtin_operators.ATTENTION, rule=rule)


def scores(q, k):
    return q @ k.mT / math.sqrt(q.shape[-1])


def settled(weights, is_padding):
    """Weights with empty texts set to zero: for the ideas that have this part right."""
    return weights.masked_fill(is_padding.all(dim=-1)[:, None, None], 0.0)


def lowest(scores):
    return torch.finfo(scores.dtype).min


@oracle.misconception
def padding_ignored(q, k, is_padding):
    """Your weights do not depend on is_padding."""
    return scores(q, k).softmax(dim=-1)


@oracle.misconception
def padding_inverted(q, k, is_padding):
    """You kept the padding and hid the text: is_padding is True where the key must not be seen."""
    keep = is_padding.unsqueeze(-2)
    return scores(q, k).masked_fill(~keep, lowest(q)).softmax(dim=-1).masked_fill(~keep, 0.0)


@oracle.misconception
def padding_masks_queries(q, k, is_padding):
    """You hid rows, which belong to queries. Padding is hidden as a key: in the columns, is_padding[:, None, :]."""
    blocked = is_padding.unsqueeze(-1)
    return scores(q, k).masked_fill(blocked, lowest(q)).softmax(dim=-1).masked_fill(blocked, 0.0)


@oracle.misconception
def padding_masks_both(q, k, is_padding):
    """You hid the queries at padding positions as well. The mask speaks about keys only."""
    weights = padded_attention_weights(q, k, is_padding)
    return weights.masked_fill(is_padding.unsqueeze(-1), 0.0)


@oracle.misconception
def padding_mask_without_axis(q, k, is_padding):
    """Your mask's first axis, the texts, met the queries' axis. Give it one for the queries: is_padding[:, None, :]."""
    return scores(q, k).masked_fill(is_padding, lowest(q)).softmax(dim=-1).masked_fill(is_padding, 0.0)


@oracle.misconception
def padding_masked_after_softmax(q, k, is_padding):
    """You set weights to zero after the softmax, so rows no longer sum to one. Hide the scores before it."""
    return scores(q, k).softmax(dim=-1).masked_fill(is_padding.unsqueeze(-2), 0.0)


@oracle.misconception
def padding_not_quite_hidden(q, k, is_padding):
    """A score of -10 leaves padding keys a small weight. Use -inf or the lowest number of the dtype."""
    return settled(scores(q, k).masked_fill(is_padding.unsqueeze(-2), -10.0).softmax(dim=-1), is_padding)


@content_oracle.misconception
def padding_adds_too_little(q, k, is_padding):
    """You add -10 000 to the scores of padding keys, but these may be larger. Replace them instead (masked_fill)."""
    return settled((scores(q, k) - 1e4 * is_padding.unsqueeze(-2)).softmax(dim=-1), is_padding)


@content_oracle.misconception
def padding_renormalised_too_late(q, k, is_padding):
    """You renormalise after the softmax. If a padding score is large, nothing is left by then: hide the scores."""
    left = scores(q, k).softmax(dim=-1).masked_fill(is_padding.unsqueeze(-2), 0.0)
    return left / left.sum(dim=-1, keepdim=True).clamp_min(1e-9)


@empty_oracle.misconception
def padding_empty_is_nan(q, k, is_padding):
    """A row of nothing but -inf gives nan. A text of nothing but padding gets weights 0."""
    return scores(q, k).masked_fill(is_padding.unsqueeze(-2), -math.inf).softmax(dim=-1)


@empty_oracle.misconception
def padding_empty_is_uniform(q, k, is_padding):
    """In a text of nothing but padding your weights are equal shares of padding. They must be 0."""
    return scores(q, k).masked_fill(is_padding.unsqueeze(-2), lowest(q)).softmax(dim=-1)


@gradient_oracle.misconception
def padding_gradient_is_nan(q, k, is_padding):
    """You replace nan weights afterwards, but their gradient stays nan. Keep rows of only -inf out of the softmax."""
    mask = torch.zeros(is_padding.shape, dtype=q.dtype).masked_fill(is_padding, -math.inf)
    return (scores(q, k) + mask.unsqueeze(-2)).softmax(dim=-1).nan_to_num(0.0)
