"""Hidden checks for the exercise `dpo_step`, judged with a correct `sequence_logprobs` and `dpo_loss` in place.

The models are bigram tables and the optimizer is plain gradient descent, so the table after a step is a formula.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect, expect_like, tensors
from reference_impl.alignment.dpo import dpo_loss, sequence_logprobs

RATE = 0.5
KEYS = ("chosen", "chosen_mask", "rejected", "rejected_mask")


def log_ratios(table, reference, chosen, chosen_mask, rejected, rejected_mask):
    """policy_chosen, policy_rejected, reference_chosen, reference_rejected, each (batch,)"""
    sides = (chosen, chosen_mask), (rejected, rejected_mask)
    return [sequence_logprobs(model[text], text, mask) for model in (table, reference) for text, mask in sides]


def after_steps(table, reference, chosen, chosen_mask, rejected, rejected_mask, beta, steps=1, loss=dpo_loss, count=1):
    """The policy's table after `steps` updates; an idea puts another `loss` there, or steps `count` times each time."""
    for _ in range(steps * count):
        leaf = table.detach().requires_grad_()
        value = loss(*log_ratios(leaf, reference, chosen, chosen_mask, rejected, rejected_mask), beta)
        table = table - RATE * torch.autograd.grad(value, leaf)[0]
    return table.detach()


def first_loss(table, reference, *rest):
    *batch, beta = rest
    return dpo_loss(*log_ratios(table, reference, *batch), beta)


oracle, again_oracle, same_oracle = Oracle(after_steps), Oracle(after_steps), Oracle(after_steps)
loss_oracle = Oracle(first_loss)
supplies = Supplies(sequence_logprobs=sequence_logprobs, dpo_loss=dpo_loss)


@st.composite
def pairs(draw):
    """table, reference: (vocab, vocab); chosen, chosen_mask, rejected, rejected_mask; beta.

    Each pair differs in its last tokens, which are kept; the two sides differ in length; some labels are masked.
    """
    batch, vocab = draw(st.integers(2, 4)), draw(st.integers(3, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    lengths = draw(st.sampled_from([(4, 6), (6, 4), (3, 5)]))
    texts = []
    for side, length in enumerate(lengths):
        tokens = torch.randint(0, vocab, (batch, length), generator=generator)
        tokens[:, -2], tokens[:, -1] = 0, 1 + side
        mask = torch.rand(batch, length, generator=generator) < 0.5
        mask[:, -1] = True
        mask[:, 1] = False
        texts += [tokens, mask]
    return draw(tensors((vocab, vocab))), draw(tensors((vocab, vocab))), *texts, draw(st.sampled_from([0.5, 1.0, 2.0]))


def models(student, table, reference):
    """The student's policy and reference with these tables, and an optimizer of the policy."""
    made = []
    for values in (table, reference):
        model = student.Bigram(len(values))
        model.load_state_dict({"table": values})
        made.append(model)
    return *made, student.sgd(made[0], RATE)


def read_table(model):
    return model.state_dict().get("table")


@check(points=1, examples=5)
@given(pairs())
def test_margin_rises(student, inputs):
    """a step from policy = reference raises the margin of the pairs"""
    table, _, *batch, beta = inputs
    policy, reference, optimizer = models(student, table, table)

    def equal_lengths():
        ours, theirs, learner = models(student, table, table)
        student.dpo_step(ours, theirs, dict(zip(KEYS, [*batch[:2], *batch[:2]], strict=True)), learner, beta)

    hint = "Chosen and rejected texts differ in length: run the model on each, or pad before you concatenate."
    with student.hint(hint, plain=equal_lengths, case="a pair of texts of different lengths, unlike equal ones,"):
        student.dpo_step(policy, reference, dict(zip(KEYS, batch, strict=True)), optimizer, beta)
    after = read_table(policy)
    expect_like(after, table, "the policy's table")
    chosen, rejected, reference_chosen, reference_rejected = log_ratios(after, table, *batch)
    risen = float(((chosen - reference_chosen) - (rejected - reference_rejected)).mean())
    hint = "The order is zero_grad() and backward(), then step(); and the loss is to fall, so take it as it is."
    expect(risen != 0, "the policy's margin is the same after the step", hint)
    expect(risen > 0, "the policy's margin is lower after the step than before", hint)


@check(points=2, examples=6)
@given(pairs())
def test_update(student, inputs):
    """after one step the policy's parameters are those of one step down the gradient of the loss"""
    policy, reference, optimizer = models(student, *inputs[:2])
    student.dpo_step(policy, reference, dict(zip(KEYS, inputs[2:6], strict=True)), optimizer, inputs[6])
    oracle.compare(read_table(policy), *inputs)


@check(points=1, examples=4)
@given(pairs())
def test_loss(student, inputs):
    """the result is the loss before the update, a Python float"""
    policy, reference, optimizer = models(student, *inputs[:2])
    got = student.dpo_step(policy, reference, dict(zip(KEYS, inputs[2:6], strict=True)), optimizer, inputs[6])
    hint = "Return loss.item(): a tensor would keep the whole graph alive."
    expect(isinstance(got, float), "the result is no Python float", hint)
    loss_oracle.compare(torch.tensor(got), *inputs)


@check(points=1, examples=3)
@given(pairs())
def test_second_step(student, inputs):
    """a second step starts from a fresh gradient"""
    policy, reference, optimizer = models(student, *inputs[:2])
    for _ in range(2):
        student.dpo_step(policy, reference, dict(zip(KEYS, inputs[2:6], strict=True)), optimizer, inputs[6])
    again_oracle.compare(read_table(policy), *inputs, steps=2)


@check(points=1, examples=5)
@given(pairs())
def test_reference(student, inputs):
    """the reference stays as it is, and is a constant even when it is the policy itself"""
    table, other, *batch, beta = inputs
    policy, reference, optimizer = models(student, table, other)
    student.dpo_step(policy, reference, dict(zip(KEYS, batch, strict=True)), optimizer, beta)
    hint = "You train the reference. Only the policy learns: the optimizer that you are given holds its parameters."
    after = read_table(reference)
    expect_like(after, other, "the reference's table")
    expect(torch.equal(after, other), "the reference's parameters changed", hint)
    policy, _, optimizer = models(student, table, other)
    student.dpo_step(policy, policy, dict(zip(KEYS, batch, strict=True)), optimizer, beta)
    same_oracle.compare(read_table(policy), table, table, *batch, beta)


@oracle.misconception
def step_without_effect(table, *rest):
    """Your policy does not change. Call loss.backward(), then optimizer.step(), with zero_grad() before both."""
    return table


@oracle.misconception
def step_without_beta(table, reference, *rest):
    """You do not pass beta on to dpo_loss, which then uses its default."""
    return after_steps(table, reference, *rest[:-1], 0.1)


@oracle.misconception
def step_counts_the_prompt(table, reference, chosen, chosen_mask, rejected, rejected_mask, beta):
    """You do not pass on the masks of the batch: prompt and padding must not count."""
    return after_steps(table, reference, chosen, chosen_mask | True, rejected, rejected_mask | True, beta)


@oracle.misconception
def step_up_the_gradient(table, *rest):
    """You step up the gradient. A loss is to fall: call backward() on the loss, not on its negative."""
    return 2 * table - after_steps(table, *rest)


@oracle.misconception
def step_with_swapped_pair(table, reference, chosen, chosen_mask, rejected, rejected_mask, beta):
    """You swapped chosen and rejected: the policy learns to prefer what people rejected."""
    return after_steps(table, reference, rejected, rejected_mask, chosen, chosen_mask, beta)


@oracle.misconception
def step_on_chosen_only(table, reference, *rest):
    """You only make the chosen response more probable, as in finetuning. DPO compares it with the rejected one."""
    return after_steps(table, reference, *rest, loss=lambda pc, pr, rc, rr, beta: -pc.mean())


@oracle.misconception
def step_without_reference(table, reference, *rest):
    """Your step does not use the reference: every log-ratio is policy minus reference."""
    loss = lambda pc, pr, rc, rr, beta: dpo_loss(pc, pr, torch.zeros_like(pc), torch.zeros_like(pr), beta)  # noqa: E731
    return after_steps(table, reference, *rest, loss=loss)


@oracle.misconception
def step_uses_policy_as_reference(table, reference, *rest):
    """You take the policy for its own reference. Then the margin is always 0: run `reference` on the batch."""
    return after_steps(table, table, *rest)


@oracle.misconception
def steps_twice(table, *rest):
    """You step more than once. One call is one update."""
    return after_steps(table, *rest, count=2)


@loss_oracle.misconception
def loss_after_the_step(table, reference, *rest):
    """You return the loss after the update. Return the one that the gradient was taken of."""
    return first_loss(after_steps(table, reference, *rest), reference, *rest)


@again_oracle.misconception
def gradients_pile_up(table, reference, *rest, steps):
    """Gradients of an earlier step are still there: backward() adds to them. Call optimizer.zero_grad() before it."""
    first = after_steps(table, reference, *rest)
    second = after_steps(first, reference, *rest)
    return second + (first - table)


@same_oracle.misconception
def gradient_through_the_reference(table, reference, *rest):
    """A gradient flows through the reference, so that it cancels the policy's. Run it under torch.no_grad()."""
    return table
