"""Hidden checks for the exercise `sft_loss`: the mean loss of the target tokens, each guessed one place before."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autograde.testing import Oracle, check, expect, expect_like, tensors, through_float32, widened
from reference_impl.finetuning.sft import IGNORE, sft_loss

oracle = Oracle(sft_loss)
# Of their own, so that only wrong ideas about the case in question are weighed.
large_oracle, empty_oracle, gradient_oracle = (Oracle(sft_loss) for _ in range(3))
half_oracle = Oracle(sft_loss, through_float32(sft_loss))


@st.composite
def loss_inputs(draw, *, dtype=torch.float32, scales=(1.0, 3.0)):
    """logits: (batch, seq, vocab), labels: (batch, seq); each row has a target, and rows differ in how many."""
    batch, seq, vocab = draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(4, 7))
    logits = draw(tensors((batch, seq, vocab), dtype=dtype, scale=draw(st.sampled_from(scales))))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    # The last token of the vocabulary is never a target, so that its logit may be minus infinity.
    labels = torch.randint(0, vocab - 1, (batch, seq), generator=generator)
    hidden = torch.rand((batch, seq), generator=generator) < 0.4
    hidden[:, -1] = False
    return logits, labels.masked_fill(hidden, IGNORE)


@st.composite
def unseen_changes(draw):
    """Two inputs that differ only in what the loss must not see.

    The second has garbage in all logits that guess no target, another label of the first token, and more padding.
    """
    logits, labels = draw(loss_inputs())
    more = draw(st.integers(0, 2))
    other = F.pad(labels, (0, more), value=IGNORE)
    used = F.pad(other[:, 1:] != IGNORE, (0, 1)).unsqueeze(-1)
    garbage = draw(tensors((*other.shape, logits.shape[-1]), scale=1e3))
    other[:, 0] = torch.where(labels[:, 0] == IGNORE, 1, IGNORE)
    return (logits, labels), (torch.where(used, F.pad(logits, (0, 0, 0, more)), garbage), other)


@st.composite
def large_inputs(draw):
    logits, labels = draw(loss_inputs(scales=(1e4,)))
    if draw(st.booleans()):
        logits[..., -1] = -torch.inf
    return logits, labels


@st.composite
def float16_inputs(draw):
    """Logits so far apart that their difference is no float16."""
    logits, labels = draw(loss_inputs(dtype=torch.float16, scales=(4e4,)))
    return logits.clamp(-6e4, 6e4), labels


@st.composite
def empty_inputs(draw):
    """Nothing to learn: all labels are -100, or there is one token only, whose label nobody guesses."""
    logits, labels = draw(loss_inputs())
    if draw(st.booleans()):
        return logits[:, :1], labels[:, -1:]
    return logits, torch.full_like(labels, IGNORE)


@check(points=1, examples=8)
@given(unseen_changes())
def test_unseen(student, inputs):
    """neither padding, nor logits that guess no target, nor the label of the first token move the loss"""
    before, after = (student.sft_loss(*variant) for variant in inputs)
    for loss in (before, after):
        expect_like(loss, torch.zeros(()), "the loss", "Return one number as a tensor, such as a mean gives.")
    hint = "Only logits[:, t] whose labels[:, t + 1] is not -100 may count: shift by one, then leave out the rest."
    expect(torch.allclose(before, after, rtol=1e-4), "the loss depends on what it must not see", hint)


@check(points=3)
@given(loss_inputs())
def test_mean_over_targets(student, inputs):
    """the loss is the mean over all target tokens of the batch, each guessed by the logits one position before"""
    oracle.compare(student.sft_loss(*inputs), *inputs)


@check(points=1, after=test_mean_over_targets, examples=12)
@given(large_inputs())
def test_large_logits(student, inputs):
    """logits of 10⁴ and of −∞ give a finite loss"""
    large_oracle.compare(student.sft_loss(*inputs), *inputs)


@check(points=1, after=test_mean_over_targets, examples=12)
@given(st.one_of(float16_inputs(), *(loss_inputs(dtype=d, scales=(1.0,)) for d in (torch.bfloat16, torch.float64))))
def test_half_precision(student, inputs):
    """half precision is computed and returned in float32, and float64 in float64"""
    loss = student.sft_loss(*inputs)
    half = isinstance(loss, torch.Tensor) and loss.dtype in (torch.float16, torch.bfloat16)
    hint = "Make the logits float32 before the softmax, and leave the loss in float32."
    expect(not half, "the loss is in half precision", hint)
    half_oracle.compare(loss, *inputs)


@check(points=1, after=test_mean_over_targets, examples=10)
@given(empty_inputs())
def test_nothing_to_learn(student, inputs):
    """without a target, or with one token only, loss and gradient are 0, not nan"""
    empty_oracle.compare(student.sft_loss(*inputs), *inputs)
    empty_oracle.compare_gradients(student.sft_loss, *inputs)


@check(points=1, after=test_mean_over_targets, examples=10)
@given(loss_inputs())
def test_gradient(student, inputs):
    """the gradient reaches the logits that guess a target, and no others"""
    gradient_oracle.compare_gradients(student.sft_loss, *inputs)


def surprises(logits, labels):
    """−log p of each label and whether it is one; logits and labels are already side by side."""
    is_target = labels != IGNORE
    chosen = widened(logits).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return (widened(logits).logsumexp(dim=-1) - chosen) * is_target, is_target


def mean(logits, labels):
    surprise, is_target = surprises(logits, labels)
    return surprise.sum() / is_target.sum().clamp_min(1)


@oracle.misconception
def no_shift(logits, labels):
    """You compare the logits with the token at their own place, which the model has just read. Shift by one."""
    return mean(logits, labels)


@oracle.misconception
def double_shift(logits, labels):
    """You shift by two: the logits at t guess the token at t + 1, so one of the two shifts is too much."""
    return mean(logits[:, :-2], labels[:, 2:])


@oracle.misconception
def shifted_backwards(logits, labels):
    """You shift the wrong way: the logits at t guess the token at t + 1, so pair logits[:, :-1] with labels[:, 1:]."""
    return mean(logits[:, 1:], labels[:, :-1])


@oracle.misconception
def wraps_around(logits, labels):
    """You roll the labels, so the last logits guess the first token of the text. They guess nothing: leave them out."""
    return mean(logits, labels.roll(-1, dims=1))


@oracle.misconception
def mean_of_row_means(logits, labels):
    """You average each row and then the rows. Our mean runs over all target tokens of the batch together."""
    surprise, is_target = surprises(logits[:, :-1], labels[:, 1:])
    return (surprise.sum(dim=1) / is_target.sum(dim=1).clamp_min(1)).mean()


@oracle.misconception
def divides_by_all_positions(logits, labels):
    """You divide by the number of all positions. Divide by the number of targets, those whose label is not -100."""
    return surprises(logits[:, :-1], labels[:, 1:])[0].mean()


@oracle.misconception
def divides_by_batch(logits, labels):
    """You divide by the number of rows. Divide by the number of target tokens."""
    return surprises(logits[:, :-1], labels[:, 1:])[0].sum() / labels.shape[0]


@oracle.misconception
def sums_up(logits, labels):
    """You add the losses up. Divide by the number of target tokens, or long batches take larger steps."""
    return surprises(logits[:, :-1], labels[:, 1:])[0].sum()


@oracle.misconception
def counts_all_labels(logits, labels):
    """You count the targets before the shift, and so the first token's label too, which nobody guesses."""
    return surprises(logits[:, :-1], labels[:, 1:])[0].sum() / (labels != IGNORE).sum().clamp_min(1)


@oracle.misconception
def ignored_is_class_zero(logits, labels):
    """You turn -100 into token 0 and count it. Leave these positions out of sum and count."""
    return mean(logits[:, :-1], labels[:, 1:].clamp_min(0))


@oracle.misconception
def softmax_twice(logits, labels):
    """You take the softmax before a loss that takes it again. Cross-entropy wants the logits as they are."""
    return mean(widened(logits[:, :-1]).softmax(dim=-1), labels[:, 1:])


@oracle.misconception
def sign_flipped(logits, labels):
    """The sign is wrong: the loss is minus the log-probability, so that it falls when the guess improves."""
    return -sft_loss(logits, labels)


@oracle.misconception
def one_loss_per_token(logits, labels):
    """You return a loss for each token. The result is one number: the mean over all target tokens."""
    return surprises(logits[:, :-1], labels[:, 1:])[0]


def by_probabilities(logits, labels, eps):
    probabilities = widened(logits[:, :-1]).softmax(dim=-1)
    chosen = probabilities.gather(-1, labels[:, 1:].clamp_min(0).unsqueeze(-1)).squeeze(-1)
    is_target = labels[:, 1:] != IGNORE
    return -torch.log(chosen[is_target] + eps).sum() / is_target.sum().clamp_min(1)


@large_oracle.misconception
def log_of_softmax(logits, labels):
    """You take the logarithm of a softmax, which may have become 0. Use log_softmax, or cross-entropy on the logits."""
    return by_probabilities(logits, labels, 0.0)


@large_oracle.misconception
def log_of_softmax_plus_eps(logits, labels):
    """You add something small before the logarithm, which caps the loss. Use log_softmax or cross-entropy."""
    return by_probabilities(logits, labels, 1e-9)


@large_oracle.misconception
def exp_overflows(logits, labels):
    """exp of a large logit is infinite. Subtract the largest logit first, as logsumexp and cross-entropy do."""
    is_target = labels[:, 1:] != IGNORE
    chosen = widened(logits[:, :-1]).gather(-1, labels[:, 1:].clamp_min(0).unsqueeze(-1)).squeeze(-1)
    surprise = widened(logits[:, :-1]).exp().sum(dim=-1).log() - chosen
    return surprise[is_target].sum() / is_target.sum().clamp_min(1)


@large_oracle.misconception
def one_hot_times_infinity(logits, labels):
    """You multiply by zeros to select the target, and 0 times infinity is nan. Pick it with gather or an index."""
    hot = F.one_hot(labels[:, 1:].clamp_min(0), logits.shape[-1])
    is_target = labels[:, 1:] != IGNORE
    surprise = -(widened(logits[:, :-1]).log_softmax(dim=-1) * hot).sum(dim=-1)
    return surprise[is_target].sum() / is_target.sum().clamp_min(1)


@half_oracle.misconception
def computes_in_half(logits, labels):
    """You compute in the dtype of the logits and cast too late. Make them float32 before the softmax."""
    is_target = labels[:, 1:] != IGNORE
    log_p = logits[:, :-1].log_softmax(dim=-1).gather(-1, labels[:, 1:].clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return -widened(log_p[is_target]).sum() / is_target.sum().clamp_min(1)


@empty_oracle.misconception
def nothing_is_nan(logits, labels):
    """Without a target your loss is 0 / 0 = nan, and one such batch ruins every weight. It must be 0."""
    surprise, is_target = surprises(logits[:, :-1], labels[:, 1:])
    return surprise.sum() / is_target.sum()


@gradient_oracle.misconception
def loss_detached(logits, labels):
    """Your loss is cut off from autograd (.detach(), .item(), .data or no_grad): nothing is learned."""
    return sft_loss(logits.detach(), labels)
