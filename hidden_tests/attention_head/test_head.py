"""Hidden checks for the exercise `head`: the module AttentionHead.

Each check puts right functions in the place of the student's `attention_weights` and `attend`, and sets the parameters
itself, so that earlier mistakes and a surplus bias are not charged again.
"""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import (
    Oracle,
    Supplies,
    builtin_operators,
    check,
    contract,
    expect,
    expect_like,
    expect_parameters,
    tensors,
)
from reference_impl.model.attention import attend, attention_weights


def head(x, query, key, value):
    """x: (..., seq, d_model), the three weights: (d_head, d_model) -> (..., seq, d_head)"""
    return attend(attention_weights(x @ query.mT, x @ key.mT, causal=True), x @ value.mT)


def drop(weights, kept, probability):
    """Dropout, given which weights it kept."""
    return weights * kept / (1 - probability)


oracle = Oracle(head)
dropout_oracle = Oracle(drop)
supplies = Supplies(attention_weights=attention_weights, attend=attend)


@st.composite
def head_inputs(draw, *, batched=True, lengths=(2, 8)):
    """x, and the weights of query, key and value; d_model differs from d_head"""
    d_model, d_head = draw(st.sampled_from([(6, 4), (3, 5), (8, 2), (2, 7)]))
    seq = draw(st.integers(*lengths))
    # Clamped, so that every token that is seen has a weight that matters.
    x = draw(tensors((draw(st.integers(1, 3)), seq, d_model) if batched else (seq, d_model))).clamp(-2, 2)
    return x, *(draw(tensors((d_head, d_model), scale=0.5)).clamp(-1, 1) for _ in range(3))


def make_head(student, query, key, value, dropout=0.0):
    """The student's module with these weights, in eval mode."""
    weights = {"query.weight": query, "key.weight": key, "value.weight": value}
    return student.module("AttentionHead", query.shape[1], query.shape[0], dropout, weights=weights)


@check(points=1, examples=5)
@given(st.integers(2, 9), st.integers(2, 9))
def test_parameters(student, d_model, d_head):
    """the module learns query.weight, key.weight and value.weight of shape (d_head, d_model), and nothing else"""
    names = ("query.weight", "key.weight", "value.weight")
    expect_parameters(student.AttentionHead(d_model, d_head, 0.1), dict.fromkeys(names, (d_head, d_model)))


@check(points=3)
@given(head_inputs())
def test_forward(student, inputs):
    """without dropout the output is causal attention over the projected x"""
    x, *weights = inputs
    oracle.compare(make_head(student, *weights)(x), *inputs)


@check(points=1, after=test_forward, examples=10)
@given(head_inputs(lengths=(20, 60)), head_inputs(batched=False, lengths=(1, 3)))
def test_any_length(student, long, short):
    """the same module takes any length, one token as well as sixty, with or without a batch axis"""
    for x, *weights in (long, short):
        layer = make_head(student, *weights)
        for part in (x, x[..., :1, :]):
            hint = "Take lengths from x.shape[-2], and count axes from the end: nothing may have one fixed length."
            with student.hint(hint, after=test_forward, case=f"x of shape {tuple(part.shape)}"):
                oracle.compare(layer(part), part, *weights)


@check(points=1, examples=5)
@given(head_inputs(lengths=(4, 8)))
def test_eval(student, inputs):
    """in eval mode nothing is dropped and nothing is rescaled"""
    x, *weights = inputs
    layer = make_head(student, *weights, dropout=0.5)
    expect_like(layer(x), x @ weights[0].mT)
    contract.deterministic_in_eval(layer, x)
    hint = "Dropout rescales in training, so that eval mode can leave the weights as they are."
    reason = "in eval mode dropout 0.5 gives another output than dropout 0"
    contract.expect_close(layer(x), make_head(student, *weights)(x), reason, hint)


@check(points=2, examples=4)
@given(st.sampled_from([0.25, 0.5]))
def test_dropout(student, probability):
    """in training each weight, not each output or value, becomes 0 with the given probability; the others grow"""
    whole, dropped, again = exposed_weights(student, probability)
    finite, hint = bool(dropped.isfinite().all()), "Dropout works on the weights, after the softmax."
    expect(finite, "in training mode the output has values that are not finite", hint)
    seen = whole != 0
    left, right = (half != 0 for half in dropped.chunk(2, dim=-1))
    expect(
        not bool(dropped[seen].all()),
        "in training mode no weight became zero",
        "Apply dropout to the weights, after the softmax and only in training.",
    )
    expect(
        torch.equal(left, right),
        "two features of one value were not dropped together",
        "You drop entries of the values or of the output. Drop weights: a value is taken whole or not at all.",
    )
    expect(
        rows_differ(left, seen.chunk(2, dim=-1)[0]),
        "every query dropped the same tokens",
        "You drop whole tokens. Dropout works on the weights: each query drops tokens of its own.",
    )
    expect_share_kept(float(dropped[seen].ne(0).double().mean()), 1 - probability, int(seen.sum()) // 2)
    expect(
        not torch.equal(dropped, again),
        "two calls in training mode dropped the same weights",
        "Draw anew in every call: do not keep the dropout mask, and set no seed.",
    )
    dropout_oracle.compare(dropped, whole, (dropped != 0).float(), probability)


def exposed_weights(student, probability):
    """Outputs that are the weights themselves, twice side by side: without dropout, with it, and with it once more.

    Token i is a unit vector, twice, and so are its query, key and value: output i is row i of the weights, twice.
    """
    seq, batch = 16, 12
    x = torch.eye(seq).repeat(batch, 1, 2)
    identity = torch.eye(2 * seq)
    whole = make_head(student, identity, identity, identity)(x)
    layer = make_head(student, identity, identity, identity, probability).train()
    outputs = whole, layer(x), layer(x)
    for output in outputs:
        expect_like(output, x, "the output")
    return outputs


def rows_differ(kept, seen):
    """Some token is kept by one query and dropped by another; both: (batch, seq, seq)"""
    keepers, viewers = (kept & seen).sum(dim=-2), seen.sum(dim=-2)
    return bool(((keepers > 0) & (keepers < viewers)).any())


def expect_share_kept(share, wanted, count):
    """Six standard deviations of a fair draw: chance would fail one right program in 500 million; seeds are fixed."""
    deviation = math.sqrt(wanted * (1 - wanted) / count)
    expect(
        abs(share - wanted) < 6 * deviation,
        f"with dropout {1 - wanted} a share of {share:.2f} of the weights was kept",
        "`dropout` is the probability to become 0. Use the number given to the module.",
    )


@check(points=1, after=test_forward, examples=3)
@given(head_inputs(lengths=(3, 8)))
def test_gradient(student, inputs):
    """the gradients of x and of all three layers are right"""
    x, *weights = inputs
    names = ("query.weight", "key.weight", "value.weight")
    oracle.compare_gradients(make_head(student, *weights), x, parameters=dict(zip(names, weights, strict=True)))


@check(points=1, examples=3)
@given(head_inputs())
def test_device(student, inputs):
    """after .to(device) the module works on that device"""
    x, *weights = inputs
    like, facets = x @ weights[0].mT, [contract.follows_device]
    contract.all_of(make_head(student, *weights), x, like=like, facets=facets)


@check(points=0, examples=2)
@given(head_inputs())
def test_own_steps(student, inputs):
    """the steps of attention are your own, not those of torch's own attention (noted only, no points)"""
    rule = (
        "Write the scores, the mask and the softmax yourself: torch's own attention hides what this exercise is about."
    )
    x, *weights = inputs
    contract.written_by_hand(make_head(student, *weights), x, without=builtin_operators.ATTENTION, rule=rule)


def future_of(x):
    return torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool, device=x.device).triu(1)


def causal_softmax(scores):
    return scores.masked_fill(future_of(scores), -math.inf).softmax(dim=-1)


@oracle.misconception
def head_scales_by_d_model(x, query, key, value):
    """You divide by sqrt(d_model). The dot product has d_head terms: divide by sqrt(d_head)."""
    return causal_softmax(x @ query.mT @ (x @ key.mT).mT / math.sqrt(x.shape[-1])) @ (x @ value.mT)


@oracle.misconception
def head_sees_the_future(x, query, key, value):
    """Your head looks at later tokens. Pass causal=True."""
    return attention_weights(x @ query.mT, x @ key.mT) @ (x @ value.mT)


@oracle.misconception
def head_swaps_query_and_key(x, query, key, value):
    """You swapped query and key: attention_weights takes the queries first."""
    return head(x, key, query, value)


@oracle.misconception
def head_takes_keys_for_values(x, query, key, value):
    """You average the keys. A key gets a token noticed; what it hands over is its value."""
    return head(x, query, key, key)


@oracle.misconception
def head_averages_x(x, query, key, value):
    """You average x itself. The values are x sent through the value layer."""
    return attention_weights(x @ query.mT, x @ key.mT, causal=True) @ x


@oracle.misconception
def head_detaches_weights(x, query, key, value):
    """Your weights are cut off from autograd (.detach(), .data, .item() or no_grad), so query and key never learn."""
    return attention_weights(x @ query.mT, x @ key.mT, causal=True).detach() @ (x @ value.mT)


@dropout_oracle.misconception
def head_forgets_to_rescale(weights, kept, probability):
    """You set weights to zero, but do not divide the others by 1 - p. nn.Dropout does both."""
    return weights * kept


@dropout_oracle.misconception
def head_renormalises_after_dropout(weights, kept, probability):
    """After dropout you make the rows sum to one again. Divide what is left by 1 - p and nothing else."""
    left = weights * kept
    return 2 * left / left.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(left.dtype).tiny)
