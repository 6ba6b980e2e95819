"""Hidden checks for the exercise `reward_head`: the module RewardHead, a score from the last real token."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, expect_parameters, tensors
from reference_impl.alignment.reward_model import reward

oracle = Oracle(reward)
half_oracle = Oracle(reward)


@st.composite
def head_inputs(draw, *, dtype=torch.float32, garbage=1.0, scale=1.0):
    """hidden (batch, seq, d_model), attention_mask (batch, seq), weight (1, d_model); padding holds `garbage` times."""
    batch, seq, d_model = draw(st.integers(2, 4)), draw(st.integers(3, 6)), draw(st.sampled_from((3, 5, 8)))
    lengths = torch.tensor(draw(st.lists(st.integers(1, seq), min_size=batch, max_size=batch)))
    mask = (torch.arange(seq) < lengths.unsqueeze(1)).to(draw(st.sampled_from([torch.int64, torch.bool])))
    hidden = draw(tensors((batch, seq, d_model), dtype=dtype, scale=scale))
    hidden = torch.where(mask.bool().unsqueeze(-1), hidden, garbage * hidden)
    return hidden, mask, draw(tensors((1, d_model)))


def of_dtype(dtype):
    return head_inputs(dtype=dtype)


def make_head(student, weight):
    """The student's module with this weight."""
    return student.module("RewardHead", weight.shape[1], weights={"score.weight": weight})


@check(points=1, examples=5)
@given(st.integers(1, 9))
def test_parameters(student, d_model):
    """the head learns score.weight of shape (1, d_model), and nothing else"""
    expect_parameters(student.RewardHead(d_model), {"score.weight": (1, d_model)})


@check(points=3)
@given(head_inputs())
def test_last_token(student, inputs):
    """the score is that of the last real token of each row, one number per row"""
    oracle.compare(make_head(student, inputs[2])(*inputs[:2]), *inputs)


@check(points=1, after=test_last_token, examples=12)
@given(st.one_of(head_inputs(dtype=torch.float16, scale=1e3), *map(of_dtype, (torch.bfloat16, torch.float64))))
def test_half_precision(student, inputs):
    """hidden states in half precision, or float64, give scores in the dtype of the weight"""
    head = make_head(student, inputs[2])
    hint = "Cast the hidden state to self.score.weight.dtype before the layer."
    with student.hint(hint, after=test_last_token, case=f"a hidden state in {inputs[0].dtype}"):
        half_oracle.compare(head(*inputs[:2]), *inputs)


@check(points=1, after=test_last_token, examples=10)
@given(head_inputs(garbage=1e4))
def test_padding(student, inputs):
    """what stands in the padding moves no score, and the gradient reaches the last real tokens and the weight only"""
    hidden, mask, weight = inputs
    head = make_head(student, weight)
    hint = "Something of the padding reaches the score. Take one position of each row and nothing else."
    with student.hint(hint, after=test_last_token, case="large numbers in the padding"):
        oracle.compare(head(hidden, mask), *inputs)
    _, gradients = student.gradients(head, hidden, mask)
    hint = "Your computation is cut off from autograd (.detach(), .data, .item() or no_grad): nothing is learned."
    expect((gradients or {}).get("score.weight") is not None, "no gradient reaches score.weight", hint)
    expect(gradients.get(0) is not None, "no gradient reaches the hidden states, so the model below cannot learn", hint)
    last = mask.long().sum(dim=1, keepdim=True) - 1 == torch.arange(mask.shape[1])
    hint = "Only the last real token of each row may count."
    expect(not bool(gradients[0][~last].any()), "another token than the last real one gets a gradient", hint)


def with_weight(pooled, weight):
    return pooled.to(weight.dtype) @ weight[0]


def at(hidden, index):
    return hidden[torch.arange(hidden.shape[0]), index]


def last_index(mask):
    return mask.long().sum(dim=1) - 1


def kept(hidden, mask):
    return hidden * mask.unsqueeze(-1).to(hidden.dtype)


@oracle.misconception
def pools_the_padding(hidden, attention_mask, weight):
    """You read the last position, which is padding in short rows. Read the last position whose mask is 1."""
    return with_weight(hidden[:, -1], weight)


@oracle.misconception
def pools_the_first_token(hidden, attention_mask, weight):
    """You read the first token, which has seen nothing of the text. Read the last real one."""
    return with_weight(hidden[:, 0], weight)


@oracle.misconception
def mean_pooling(hidden, attention_mask, weight):
    """You average the tokens. A causal model has seen the whole text at its last token only: read that one."""
    pooled = kept(hidden, attention_mask).sum(dim=1) / attention_mask.sum(dim=1, keepdim=True)
    return with_weight(pooled, weight)


@oracle.misconception
def mean_of_everything(hidden, attention_mask, weight):
    """You average all positions, padding included. Read the last real token only."""
    return with_weight(hidden.mean(dim=1), weight)


@oracle.misconception
def sums_scores(hidden, attention_mask, weight):
    """You add up the scores of all tokens, so length decides. Read the last real token only."""
    return with_weight(kept(hidden, attention_mask).sum(dim=1), weight)


@oracle.misconception
def one_token_late(hidden, attention_mask, weight):
    """You read one position too late, the first of the padding: positions count from 0, so the last is length - 1."""
    return with_weight(at(hidden, (last_index(attention_mask) + 1).clamp_max(hidden.shape[1] - 1)), weight)


@oracle.misconception
def one_token_early(hidden, attention_mask, weight):
    """You read the token before the last real one. The last is at length - 1."""
    return with_weight(at(hidden, (last_index(attention_mask) - 1).clamp_min(0)), weight)


@oracle.misconception
def longest_row_for_all(hidden, attention_mask, weight):
    """You read the same position in every row. Each row has a last token of its own."""
    return with_weight(hidden[:, int(attention_mask.sum(dim=1).max()) - 1], weight)


@oracle.misconception
def score_keeps_axis(hidden, attention_mask, weight):
    """Your scores are (batch, 1). Remove the last axis, or a difference of (batch, 1) and (batch,) broadcasts."""
    return reward(hidden, attention_mask, weight).unsqueeze(-1)


@oracle.misconception
def score_squashed(hidden, attention_mask, weight):
    """You squash the score into 0 to 1. It is any number; the loss turns differences into probabilities."""
    return reward(hidden, attention_mask, weight).sigmoid()


@oracle.misconception
def score_of_every_token(hidden, attention_mask, weight):
    """You return a score for each token. Return one for each row: that of its last real token."""
    return hidden.to(weight.dtype) @ weight[0]


@half_oracle.misconception
def head_in_half(hidden, attention_mask, weight):
    """You cast weight or result to half precision, where close scores become ties. Cast the hidden state up instead."""
    return reward(hidden, attention_mask, weight).to(hidden.dtype)
