"""Hidden checks for the exercise `dpo_loss`:  −(1 − ε) log σ(β h) − ε log σ(−β h), the mean over pairs."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autograde.testing import Oracle, check, expect, tensors
from reference_impl.alignment.dpo import dpo_loss

oracle = Oracle(dpo_loss)
smoothing_oracle = Oracle(dpo_loss)
extreme_oracle = Oracle(dpo_loss)
BETAS = (0.5, 0.25, 1.0)


@st.composite
def log_probabilities(draw, *, scale=1.0, sizes=(2, 6)):
    """policy_chosen, policy_rejected, reference_chosen, reference_rejected, each (batch,), and beta"""
    batch = draw(st.integers(*sizes))
    parts = [draw(tensors((batch,), scale=scale)).clamp(-2 * scale, 2 * scale) - 3 * scale for _ in range(4)]
    return *parts, draw(st.sampled_from(BETAS))


@check(points=1, examples=10)
@given(log_probabilities())
def test_start(student, inputs):
    """where policy and reference are equal the loss is log 2; its gradient raises the chosen, lowers the rejected"""
    chosen, rejected, _, _, beta = inputs
    same = chosen, rejected, chosen, rejected, beta
    oracle.compare(student.dpo_loss(*same), *same)
    _, found = student.gradients(student.dpo_loss, *same)
    cut = found.get(0) is None or found.get(1) is None
    hint = "The policy's log-probabilities are cut off from autograd: detach the reference's and nothing else."
    expect(not cut, "no gradient reaches the policy's log-probabilities", hint)
    descends = bool((found[0] < 0).all() and (found[1] > 0).all())
    hint = "Training steps down the gradient: that must make the chosen response more probable. Look at your signs."
    expect(descends, "a step down the gradient does not raise the chosen and lower the rejected response", hint)


@check(points=2, examples=15)
@given(log_probabilities())
def test_formula(student, inputs):
    """without smoothing the loss is the mean of −log σ(β h) over the pairs, for any beta"""
    oracle.compare(student.dpo_loss(*inputs), *inputs)


@check(points=2, after=test_formula, examples=12)
@given(log_probabilities(), st.sampled_from([0.125, 0.25, 0.5]))
def test_label_smoothing(student, inputs, smoothing):
    """label_smoothing weighs the loss of the pair as labelled with 1 − ε and that of the swapped pair with ε"""
    smoothing_oracle.compare(student.dpo_loss(*inputs, smoothing), *inputs, smoothing)


@check(points=2, after=test_formula, examples=10)
@given(log_probabilities())
def test_gradient(student, inputs):
    """the gradient flows into the policy's log-probabilities, and none into the reference's"""
    oracle.compare_gradients(student.dpo_loss, *inputs)


@check(points=1, after=test_formula, examples=10)
@given(log_probabilities(scale=5e3, sizes=(1, 1)))
def test_extremes(student, inputs):
    """differences of 10 000, in either direction, give finite exact losses and gradients"""
    # Whole numbers have exact sums, so the order of a program's subtractions does not matter. Margins are so large
    # that the gradient is 0 or beta: in between, binary_cross_entropy_with_logits, a right program, rounds it coarsely.
    chosen, rejected, reference_chosen, reference_rejected = (part.round() for part in inputs[:4])
    small = ((chosen - reference_chosen) - (rejected - reference_rejected)).abs() < 1000
    chosen = torch.where(small, chosen + 5000, chosen)
    for turned in (
        (chosen, rejected, reference_chosen, reference_rejected, inputs[4]),
        (rejected, chosen, reference_rejected, reference_chosen, inputs[4]),
    ):
        extreme_oracle.compare(student.dpo_loss(*turned), *turned)
        extreme_oracle.compare_gradients(student.dpo_loss, *turned)


@check(points=1, examples=8)
@given(log_probabilities(), st.integers(0, 3))
def test_shapes(student, inputs, odd):
    """a tensor of another shape among (batch,) ones raises a ValueError instead of broadcasting"""
    hint = "Compare the four shapes first and raise ValueError(...) if they differ: torch would broadcast in silence."
    for shape in (lambda part: part[:, None], lambda part: part[None], lambda part: part[:1], lambda part: part[0]):
        parts = [shape(part) if index == odd else part for index, part in enumerate(inputs[:4])]
        with student.raises(ValueError, hint=hint):
            student.dpo_loss(*parts, inputs[4])


def margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    return (policy_chosen - reference_chosen.detach()) - (policy_rejected - reference_rejected.detach())


def loss_of(scaled):
    return -F.logsigmoid(scaled).mean()


@oracle.misconception
def beta_left_out(pc, pr, rc, rr, beta):
    """You leave beta out. It multiplies the margin inside the sigmoid."""
    return loss_of(margin(pc, pr, rc, rr))


@oracle.misconception
def beta_ignored(pc, pr, rc, rr, beta):
    """You use a fixed beta of 0.1. Use the argument beta: callers pass other values."""
    return loss_of(0.1 * margin(pc, pr, rc, rr))


@oracle.misconception
def beta_outside(pc, pr, rc, rr, beta):
    """You multiply the finished loss by beta. It belongs inside the sigmoid, on the margin."""
    return beta * loss_of(margin(pc, pr, rc, rr))


@oracle.misconception
def beta_divides(pc, pr, rc, rr, beta):
    """You divide the margin by beta. The implicit reward is beta times the log-ratio."""
    return loss_of(margin(pc, pr, rc, rr) / beta)


@oracle.misconception
def beta_on_policy_only(pc, pr, rc, rr, beta):
    """You multiply only the policy's part by beta. Both log-ratios, policy minus reference, are scaled."""
    return loss_of(beta * (pc - pr) - (rc - rr).detach())


@oracle.misconception
def reference_missing(pc, pr, rc, rr, beta):
    """You leave the reference out. The reward is how far the policy moved from it: subtract its log-probabilities."""
    return loss_of(beta * (pc - pr))


@oracle.misconception
def reference_of_rejected_missing(pc, pr, rc, rr, beta):
    """You leave out the reference of the rejected response. Each response has its own log-ratio."""
    return loss_of(beta * (pc - rc.detach() - pr))


@oracle.misconception
def reference_of_chosen_missing(pc, pr, rc, rr, beta):
    """You leave out the reference of the chosen response. Each response has its own log-ratio."""
    return loss_of(beta * (pc - (pr - rr.detach())))


@oracle.misconception
def reference_sign(pc, pr, rc, rr, beta):
    """You add the reference's margin. A log-ratio is the policy minus the reference of the same response."""
    return loss_of(beta * (pc - pr + (rc - rr).detach()))


@oracle.misconception
def chosen_and_rejected_swapped(pc, pr, rc, rr, beta):
    """You swapped chosen and rejected: your loss falls when the rejected response gets more probable."""
    return loss_of(-beta * margin(pc, pr, rc, rr))


@oracle.misconception
def minus_missing(pc, pr, rc, rr, beta):
    """You return the mean of log σ, which training would lower. A loss is its negative."""
    return -loss_of(beta * margin(pc, pr, rc, rr))


@oracle.misconception
def log_missing(pc, pr, rc, rr, beta):
    """You leave out the logarithm: the loss is −log σ, not −σ."""
    return -torch.sigmoid(beta * margin(pc, pr, rc, rr)).mean()


@oracle.misconception
def squared_loss(pc, pr, rc, rr, beta):
    """That is the squared loss of IPO, a later method. DPO takes −log σ(β h)."""
    return (margin(pc, pr, rc, rr) - 1 / (2 * beta)).square().mean()


@oracle.misconception
def sum_over_pairs(pc, pr, rc, rr, beta):
    """You sum over the pairs. The loss is their mean, so that the batch size does not set the step."""
    return -F.logsigmoid(beta * margin(pc, pr, rc, rr)).sum()


@oracle.misconception
def one_loss_per_pair(pc, pr, rc, rr, beta):
    """You return one loss per pair. Return their mean, a tensor without axes."""
    return -F.logsigmoid(beta * margin(pc, pr, rc, rr))


@oracle.misconception
def mean_before_sigmoid(pc, pr, rc, rr, beta):
    """You average the margins before the loss. Take −log σ of each pair, then the mean."""
    return loss_of(beta * margin(pc, pr, rc, rr).mean())


@oracle.misconception
def gradient_through_reference(pc, pr, rc, rr, beta):
    """A gradient flows into the reference's log-probabilities. They are constants: .detach() them."""
    return loss_of(beta * ((pc - rc) - (pr - rr)))


@oracle.misconception
def rejected_detached(pc, pr, rc, rr, beta):
    """No gradient reaches policy_rejected. The policy must also learn to make that response less probable."""
    return loss_of(beta * margin(pc, pr.detach(), rc, rr))


@smoothing_oracle.misconception
def smoothing_ignored(pc, pr, rc, rr, beta, smoothing):
    """You do not use label_smoothing. With the weight ε, count the loss of the swapped pair, −log σ(−β h)."""
    return dpo_loss(pc, pr, rc, rr, beta)


@smoothing_oracle.misconception
def smoothing_only_shrinks(pc, pr, rc, rr, beta, smoothing):
    """You weigh the loss with 1 − ε, but leave out the other part, ε times the loss of the swapped pair."""
    return (1 - smoothing) * dpo_loss(pc, pr, rc, rr, beta)


@smoothing_oracle.misconception
def smoothing_subtracted(pc, pr, rc, rr, beta, smoothing):
    """You subtract the swapped pair's loss. Conservative DPO adds it: −(1 − ε) log σ(β h) − ε log σ(−β h)."""
    return (1 - smoothing) * dpo_loss(pc, pr, rc, rr, beta) - smoothing * dpo_loss(pr, pc, rr, rc, beta)


@smoothing_oracle.misconception
def smoothing_robust(pc, pr, rc, rr, beta, smoothing):
    """That is the "robust" loss, subtracted and divided by 1 − 2ε. Ours is conservative DPO: a plain weighted sum."""
    flipped = smoothing * dpo_loss(pr, pc, rr, rc, beta)
    return ((1 - smoothing) * dpo_loss(pc, pr, rc, rr, beta) - flipped) / (1 - 2 * smoothing)


@smoothing_oracle.misconception
def smoothing_of_the_sigmoid(pc, pr, rc, rr, beta, smoothing):
    """You mix the probabilities inside the logarithm. Mix the two losses: each has a logarithm of its own."""
    probability = torch.sigmoid(beta * margin(pc, pr, rc, rr))
    return -((1 - smoothing) * probability + smoothing * (1 - probability)).log().mean()


@extreme_oracle.misconception
def log_of_sigmoid(pc, pr, rc, rr, beta):
    """You take the logarithm of sigmoid, or of 1 + exp(...): both break down beyond 88. F.logsigmoid is exact."""
    return -torch.sigmoid(beta * margin(pc, pr, rc, rr)).log().mean()


@extreme_oracle.misconception
def ratios_of_probabilities(pc, pr, rc, rr, beta):
    """You turn log-probabilities into probabilities, and exp(−10 000) is 0. Stay with logarithms: subtract them."""
    ratio = (pc.exp() / rc.detach().exp()).log() - (pr.exp() / rr.detach().exp()).log()
    return loss_of(beta * ratio)


@extreme_oracle.misconception
def margin_clamped(pc, pr, rc, rr, beta):
    """You clamp the margin, so that large mistakes get no gradient. F.logsigmoid needs no clamp."""
    return loss_of((beta * margin(pc, pr, rc, rr)).clamp(-50, 50))
