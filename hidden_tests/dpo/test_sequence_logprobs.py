"""Hidden checks for the exercise `sequence_logprobs`: the sum of log p(label) over the kept labels of each text."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract, tensors, widened
from reference_impl.alignment.dpo import sequence_logprobs

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle = Oracle(sequence_logprobs)
empty_oracle = Oracle(sequence_logprobs)
masked_oracle = Oracle(sequence_logprobs)
large_oracle = Oracle(sequence_logprobs)
half_oracle = Oracle(sequence_logprobs)
wide_oracle = Oracle(lambda logits, labels, mask: sequence_logprobs(logits.float(), labels, mask))


@st.composite
def texts(draw, *, seqs=(2, 7), vocabs=(3, 9), scale=1.0, dtype=torch.float32):
    """(logits, labels, mask); a text may keep every label, also the first, or none."""
    batch, seq, vocab = draw(st.integers(1, 4)), draw(st.integers(*seqs)), draw(st.integers(*vocabs))
    logits = draw(tensors((batch, seq, vocab), dtype=dtype, scale=scale))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    labels = torch.randint(0, vocab, (batch, seq), generator=generator)
    kept = torch.rand(batch, seq, generator=generator) < draw(st.sampled_from([0.7, 0.4, 1.0]))
    return logits, labels, kept


@check(points=3, examples=15)
@given(texts())
def test_formula(student, inputs):
    """the result is, for each text, the sum of log p over its kept labels, each predicted from the position before"""
    oracle.compare(student.sequence_logprobs(*inputs), *inputs)


@check(points=1, examples=8)
@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 5]))
def test_empty(student, batch, seq):
    """a response without tokens has the log-probability 0, and so has a text of one token"""
    only_the_first = torch.arange(seq).expand(batch, seq) < 1
    inputs = torch.zeros(batch, seq, 3), torch.ones(batch, seq, dtype=torch.int64), only_the_first
    hint = "Without a kept label the sum is empty, so 0; a text of one token has no label that is predicted at all."
    with student.hint(hint, after=test_formula, case=f"seq = {seq} with nothing kept"):
        empty_oracle.compare(student.sequence_logprobs(*inputs), *inputs)


@check(points=1, after=test_formula, examples=8)
@given(texts())
def test_masked_labels(student, inputs):
    """a masked label may be -100, or a token that the model rules out: neither is looked at"""
    logits, labels, mask = inputs
    hint = "-100 is no index. Put a harmless token there before you gather: labels.masked_fill(~mask, 0)."
    with student.hint(hint, after=test_formula, case="a masked label of -100"):
        got = student.sequence_logprobs(logits, labels.masked_fill(~mask, -100), mask)
        masked_oracle.compare(got, logits, labels.masked_fill(~mask, -100), mask)
    last = logits.shape[-1] - 1
    ruled_out = torch.cat([logits[..., :last], torch.full_like(logits[..., last:], -math.inf)], dim=-1)
    inputs = ruled_out, torch.where(mask, labels.clamp(max=last - 1), last), mask
    masked_oracle.compare(student.sequence_logprobs(*inputs), *inputs)


@check(points=1, after=test_formula, examples=5)
@given(
    texts(scale=1e4),
    texts(seqs=(400, 500), vocabs=(3, 3), scale=500.0, dtype=torch.float16),
    texts(dtype=torch.float64),
)
def test_hard_numbers(student, large, half, wide):
    """logits of 10 000 give exact sums, long half-precision texts are summed in float32, and float64 gives float32"""
    large_oracle.compare(student.sequence_logprobs(*large), *large)
    half_oracle.compare(student.sequence_logprobs(*half), *half)
    wide_oracle.compare(student.sequence_logprobs(*wide), *wide)


@check(points=1, after=test_formula, examples=10)
@given(texts())
def test_gradient(student, inputs):
    """the gradient reaches the logits, and the arguments stay as they were"""
    contract.input_unchanged(student.sequence_logprobs, *inputs)
    oracle.compare_gradients(student.sequence_logprobs, *inputs)


@check(points=1, examples=3)
@given(texts())
def test_device(student, inputs):
    """whatever you make lies on the device of the logits"""
    like, facets = torch.zeros(len(inputs[0])), [contract.follows_device]
    contract.all_of(student.sequence_logprobs, *inputs, like=like, facets=facets)


def per_token(logits, labels, shift=True):
    """log p(label), (batch, seq - 1) or without the shift (batch, seq)"""
    wide = widened(logits)
    wide, labels = (wide[:, :-1], labels[:, 1:]) if shift else (wide, labels)
    return wide.log_softmax(dim=-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


@oracle.misconception
def mean_for_sum(logits, labels, mask):
    """You divide by the number of kept tokens. DPO compares whole responses: take the sum."""
    return sequence_logprobs(logits, labels, mask) / mask[:, 1:].sum(dim=-1).clamp(min=1)


@oracle.misconception
def mean_or_nan(logits, labels, mask):
    """You divide by the number of kept tokens. DPO compares whole responses: take the sum."""
    return sequence_logprobs(logits, labels, mask) / mask[:, 1:].sum(dim=-1)


@oracle.misconception
def no_shift(logits, labels, mask):
    """You do not shift: logits[:, t] was made after reading token t and predicts labels[:, t + 1]."""
    return per_token(logits, labels, shift=False).masked_fill(~mask, 0.0).sum(dim=-1)


@oracle.misconception
def shifts_the_wrong_way(logits, labels, mask):
    """You shift the wrong way: logits[:, :-1] predict labels[:, 1:]."""
    return per_token(logits.flip(1), labels.flip(1)).masked_fill(~mask.flip(1)[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def mask_not_shifted(logits, labels, mask):
    """You shift labels and logits but not the mask. It belongs to the labels: mask[:, 1:]."""
    return per_token(logits, labels).masked_fill(~mask[:, :-1], 0.0).sum(dim=-1)


@oracle.misconception
def padding_counted(logits, labels, mask):
    """You sum over every label. Prompt and padding do not count: leave out what the mask leaves out."""
    return per_token(logits, labels).sum(dim=-1)


@oracle.misconception
def mask_inverted(logits, labels, mask):
    """You sum where the mask is False. True marks the labels that count."""
    return per_token(logits, labels).masked_fill(mask[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def raw_logits(logits, labels, mask):
    """You sum logits. They are no probabilities yet: take log_softmax over the vocabulary first."""
    picked = logits[:, :-1].gather(-1, labels[:, 1:].unsqueeze(-1)).squeeze(-1)
    return picked.masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def sums_probabilities(logits, labels, mask):
    """You sum probabilities. The probability of a text is a product: sum their logarithms."""
    return per_token(logits, labels).exp().masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def negative_log_likelihood(logits, labels, mask):
    """Your sign is that of a loss. A log-probability is at most 0: cross-entropy is its negative."""
    return -sequence_logprobs(logits, labels, mask)


@oracle.misconception
def one_number_for_the_batch(logits, labels, mask):
    """You sum over the whole batch. Each text has a log-probability of its own: sum(dim=-1)."""
    return per_token(logits, labels).masked_fill(~mask[:, 1:], 0.0).sum()


@oracle.misconception
def squeezes_the_batch(logits, labels, mask):
    """Your squeeze() also takes away the batch axis when there is one text. Name the axis: squeeze(-1)."""
    return sequence_logprobs(logits, labels, mask).squeeze()


@oracle.misconception
def softmax_over_the_sequence(logits, labels, mask):
    """Your log_softmax runs over the positions. The probabilities of one position sum to one: dim=-1."""
    logprobs = logits[:, :-1].log_softmax(dim=1).gather(-1, labels[:, 1:].unsqueeze(-1)).squeeze(-1)
    return logprobs.masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def probability_plus_epsilon(logits, labels, mask):
    """You add a small number before the logarithm. That changes every value: use log_softmax, which needs none."""
    return (per_token(logits, labels).exp() + 1e-3).log().masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@oracle.misconception
def cut_off_from_autograd(logits, labels, mask):
    """Your result is cut off from autograd (.detach(), .data, .item() or no_grad): the policy could never learn."""
    return sequence_logprobs(logits.detach(), labels, mask)


@masked_oracle.misconception
def multiplies_by_mask(logits, labels, mask):
    """You multiply by the mask. A ruled-out token has log p = -inf, and 0 · -inf is nan: use masked_fill or where."""
    return (per_token(logits, labels.masked_fill(~mask, 0) if (labels < 0).any() else labels) * mask[:, 1:]).sum(dim=-1)


@large_oracle.misconception
def log_of_softmax(logits, labels, mask):
    """You take the logarithm of softmax, which is 0 for an improbable token. log_softmax is exact at any size."""
    probabilities = logits[:, :-1].softmax(dim=-1).gather(-1, labels[:, 1:].unsqueeze(-1)).squeeze(-1)
    return probabilities.log().masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@half_oracle.misconception
def stays_in_half(logits, labels, mask):
    """Your result has the half precision of the logits, where a long sum overflows. Compute and return float32."""
    return sequence_logprobs(logits, labels, mask).to(logits.dtype)


@half_oracle.misconception
def casts_the_sum_only(logits, labels, mask):
    """You sum in half precision and cast afterwards, too late. Call .float() on the logits first."""
    return stays_in_half(logits, labels, mask).float()


@empty_oracle.misconception
def empty_is_nan(logits, labels, mask):
    """For a response without tokens you divide by 0. Its log-probability is an empty sum: 0."""
    return sequence_logprobs(logits, labels, mask) / mask[:, 1:].sum(dim=-1)


@empty_oracle.misconception
def empty_loses_the_batch(logits, labels, mask):
    """If nothing is kept you return one number. Each text of the batch has a sum of its own, which is 0."""
    return sequence_logprobs(logits, labels, mask).sum()
