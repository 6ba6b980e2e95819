"""Hidden checks for the exercise `bradley_terry_loss`: the mean of −log σ(chosen − rejected − margin)."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, tensors, through_float32, widened
from reference_impl.alignment.reward_model import bradley_terry_loss

oracle = Oracle(bradley_terry_loss)
# Of their own, so that only wrong ideas about the case in question are weighed.
large_oracle, half_oracle, gradient_oracle = (
    Oracle(bradley_terry_loss, through_float32(bradley_terry_loss)) for _ in range(3)
)
HALF = (torch.float16, torch.bfloat16)
HALF_HINT = "Make the scores float32 before you subtract, and leave the loss in float32."


@st.composite
def score_inputs(draw, *, dtype=torch.float32, scale=2.0, margins=(0.0, 0.5, None)):
    """chosen, rejected: (pairs,), and a margin: a number, or one per pair"""
    pairs = draw(st.integers(2, 6))
    chosen, rejected = (
        draw(tensors((pairs,), dtype=dtype, scale=scale)),
        draw(tensors((pairs,), dtype=dtype, scale=scale)),
    )
    margin = draw(st.sampled_from(margins))
    return chosen, rejected, draw(tensors((pairs,))).abs() if margin is None else margin


@st.composite
def shifted_inputs(draw):
    """Two inputs whose scores differ by a common shift; all are multiples of 1/4, so that no rounding comes in."""
    pairs = draw(st.integers(1, 5))
    chosen, rejected = (
        torch.tensor(draw(st.lists(st.integers(-9, 9), min_size=pairs, max_size=pairs))) / 4 for _ in "cr"
    )
    shift = draw(st.integers(-20, 20))
    return (chosen, rejected), (chosen + shift, rejected + shift)


@st.composite
def far_inputs(draw, dtype, far):
    """Scores up to `far` on both sides; the first pair is as far apart as can be, the wrong way round."""
    signs = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 1.0]), min_size=3, max_size=3)
    chosen, rejected = (torch.tensor([first, *draw(signs)], dtype=torch.float64) * far for first in (-1.0, 1.0))
    return chosen.to(dtype), rejected.to(dtype)


@check(points=1, examples=8)
@given(shifted_inputs())
def test_common_shift(student, inputs):
    """adding the same number to all scores changes nothing: only differences count"""
    for scores in inputs:
        oracle.compare(student.bradley_terry_loss(*scores), *scores)


@check(points=3)
@given(score_inputs())
def test_formula(student, inputs):
    """the loss is the mean of −log σ(chosen − rejected − margin), with any margin, one for all or one per pair"""
    oracle.compare(student.bradley_terry_loss(*inputs), *inputs)


@check(points=1, after=test_formula, examples=10)
@given(score_inputs(margins=(0.0, 0.5)))
def test_gradient(student, inputs):
    """the gradient pulls chosen up and pushes rejected down by the same amount"""
    gradient_oracle.compare_gradients(student.bradley_terry_loss, *inputs)


@check(points=1, after=test_formula, examples=10)
@given(far_inputs(torch.float32, 1e4))
def test_far_apart(student, inputs):
    """scores that differ by 10⁴ and more give a finite loss and gradient"""
    large_oracle.compare(student.bradley_terry_loss(*inputs), *inputs)
    large_oracle.compare_gradients(student.bradley_terry_loss, *inputs)


@check(points=1, after=test_formula, examples=12)
@given(
    st.one_of(
        far_inputs(torch.float16, 4e4), score_inputs(dtype=torch.bfloat16, scale=1.0), score_inputs(dtype=torch.float64)
    )
)
def test_half_precision(student, inputs):
    """half precision is computed and returned in float32, and float64 in float64"""
    loss = student.bradley_terry_loss(*inputs)
    expect(getattr(loss, "dtype", None) not in HALF, "the loss is in half precision", HALF_HINT)
    half_oracle.compare(loss, *inputs)


def difference(chosen, rejected, margin=0.0):
    return widened(chosen) - widened(rejected) - margin


def log_sigmoid(x):
    return torch.nn.functional.logsigmoid(x)


@oracle.misconception
def bt_sign_flipped(chosen, rejected, margin=0.0):
    """You reward the rejected response. Use chosen - rejected, so that the loss falls when chosen scores higher."""
    return -log_sigmoid(widened(rejected) - widened(chosen) - margin).mean()


@oracle.misconception
def bt_minus_missing(chosen, rejected, margin=0.0):
    """You return the mean log-probability. The loss is minus that, so that it falls as the model improves."""
    return log_sigmoid(difference(chosen, rejected, margin)).mean()


@oracle.misconception
def log_missing(chosen, rejected, margin=0.0):
    """The logarithm is missing. -σ(x) hardly has a gradient where the model is badly wrong; use -logsigmoid(x)."""
    return -difference(chosen, rejected, margin).sigmoid().mean()


@oracle.misconception
def one_minus_sigmoid(chosen, rejected, margin=0.0):
    """You return 1 - σ(x), the probability of being wrong. The loss is -log σ(x)."""
    return (1 - difference(chosen, rejected, margin).sigmoid()).mean()


@oracle.misconception
def sigmoid_missing(chosen, rejected, margin=0.0):
    """You return the difference itself, which has no lower bound. Put it through -logsigmoid."""
    return -difference(chosen, rejected, margin).mean()


@oracle.misconception
def margin_added(chosen, rejected, margin=0.0):
    """You add the margin, which makes the task easier. It is subtracted: chosen must lead by that much more."""
    return -log_sigmoid(difference(chosen, rejected, -margin)).mean()


@oracle.misconception
def margin_ignored(chosen, rejected, margin=0.0):
    """You do not use margin. Subtract it from the difference, inside the sigmoid."""
    return bradley_terry_loss(chosen, rejected)


@oracle.misconception
def margin_outside(chosen, rejected, margin=0.0):
    """You subtract the margin from the loss. It belongs inside the sigmoid, with the difference."""
    return (-log_sigmoid(difference(chosen, rejected)) - margin).mean()


@oracle.misconception
def bt_sum(chosen, rejected, margin=0.0):
    """You add the pairs up. The loss is their mean."""
    return -log_sigmoid(difference(chosen, rejected, margin)).sum()


@oracle.misconception
def bt_per_pair(chosen, rejected, margin=0.0):
    """You return one loss per pair. The result is one number: their mean."""
    return -log_sigmoid(difference(chosen, rejected, margin))


@oracle.misconception
def every_pair_with_every_other(chosen, rejected, margin=0.0):
    """You compare all chosen with all rejected responses, also of other prompts. Pair i is chosen[i], rejected[i]."""
    return -log_sigmoid(widened(chosen).unsqueeze(1) - widened(rejected) - margin).mean()


@oracle.misconception
def softmax_over_the_batch(chosen, rejected, margin=0.0):
    """Your softmax runs over the batch, so different prompts compete. Only the two responses of one pair do."""
    return -difference(chosen, rejected, margin).log_softmax(dim=0).mean()


@oracle.misconception
def judges_each_alone(chosen, rejected, margin=0.0):
    """You judge each response alone, so a common shift matters. Only the difference of a pair may count."""
    return -(log_sigmoid(widened(chosen) - margin) + log_sigmoid(-widened(rejected))).mean()


@oracle.misconception
def hinge_for_log_sigmoid(chosen, rejected, margin=0.0):
    """You use a hinge, max(0, ...). That is the next exercise; Bradley-Terry is -log σ(...)."""
    return (margin - difference(chosen, rejected)).clamp_min(0).mean()


@oracle.misconception
def averages_before_sigmoid(chosen, rejected, margin=0.0):
    """You average the differences first. Each pair has its own -log σ; take the mean of those."""
    return -log_sigmoid(difference(chosen, rejected, margin).mean())


@large_oracle.misconception
def log_of_sigmoid(chosen, rejected, margin=0.0):
    """You form σ(x) or exp(-x), which become 0 and infinite from 100 on. logsigmoid(x) and softplus(-x) are safe."""
    return -difference(chosen, rejected, margin).sigmoid().log().mean()


@oracle.misconception
@large_oracle.misconception
def log_of_sigmoid_plus_eps(chosen, rejected, margin=0.0):
    """You keep σ away from 0 before the logarithm: the loss is capped and has no gradient where it is needed most."""
    return -(difference(chosen, rejected, margin).sigmoid() + 1e-8).log().mean()


@large_oracle.misconception
def where_spoils_the_gradient(chosen, rejected, margin=0.0):
    """torch.where hides a loss of infinity, but its gradient, 0 times infinity, stays nan. Use logsigmoid(x)."""
    x = difference(chosen, rejected, margin)
    return -torch.where(x > -30, x.sigmoid().log(), x).mean()


@half_oracle.misconception
def bt_in_half(chosen, rejected, margin=0.0):
    """You subtract in half precision, where the difference overflows. Make the scores float32 first."""
    return -log_sigmoid(widened(chosen - rejected - margin)).mean()


@gradient_oracle.misconception
def rejected_detached(chosen, rejected, margin=0.0):
    """No gradient reaches the rejected scores. Both responses go through the model, and both must learn."""
    return bradley_terry_loss(chosen, rejected.detach(), margin)
