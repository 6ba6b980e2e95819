"""Hidden checks for the exercise `grpo_update`, judged with correct functions in the place of the earlier exercises.

The models are bigram tables and the optimizer is plain gradient descent, so the table after an update is a formula.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect, expect_like, tensors
from reference_impl.alignment.grpo import clipped_surrogate, group_advantages, kl_estimate, masked_mean

RATE = 4.0


def scored(table, tokens):
    """(responses, seq − 1): log-probability of every token but the first under a bigram table"""
    return table[tokens[:, :-1]].log_softmax(dim=-1).gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)


def updated(table, reference, tokens, mask, rewards, epochs, clip, beta, *, advantages=None, old=None, moving=False):
    """The policy's table after the update, and the losses; an idea brings advantages or an old policy of its own."""
    advantages = group_advantages(rewards).flatten() if advantages is None else advantages
    old_logprobs, losses = scored(table if old is None else old, tokens), []
    for _ in range(epochs):
        leaf = table.detach().requires_grad_()
        logprobs = scored(leaf, tokens)
        surrogate = clipped_surrogate(logprobs, logprobs if moving else old_logprobs, advantages, clip)
        loss = masked_mean(surrogate + beta * kl_estimate(logprobs, scored(reference, tokens)), mask[:, 1:])
        table = table - RATE * torch.autograd.grad(loss, leaf)[0]
        losses.append(loss.detach())
    return [table.detach(), *losses]


def table_after(*inputs):
    return updated(*inputs)[0]


def losses_of(*inputs):
    return torch.stack(updated(*inputs)[1:])


oracle, epochs_oracle, loss_oracle = Oracle(table_after), Oracle(table_after), Oracle(losses_of)
supplies = Supplies(
    group_advantages=group_advantages,
    clipped_surrogate=clipped_surrogate,
    kl_estimate=kl_estimate,
    masked_mean=masked_mean,
)


@st.composite
def batches(draw, *, epochs=(1, 1), betas=(0.5, 0.2)):
    """table, reference: (vocab, vocab); tokens, mask: (prompts · group, seq); rewards: (prompts, group); three numbers

    Prompts and group differ in number, and so do the lengths of the responses.
    """
    prompts, group, vocab, seq = *draw(st.sampled_from([(2, 3), (3, 2), (2, 4)])), draw(st.integers(3, 4)), 5
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    tokens = torch.randint(0, vocab, (prompts * group, seq), generator=generator)
    ends = torch.randint(3, seq + 1, (prompts * group, 1), generator=generator)
    positions = torch.arange(seq)
    mask = (positions >= 2) & (positions < ends)
    rewards = draw(tensors((prompts, group)))
    rewards[:, 0] += 2.0
    tables = (draw(tensors((vocab, vocab))).clamp(-2, 2) for _ in range(2))
    numbers = draw(st.integers(*epochs)), draw(st.sampled_from([0.1, 0.3])), draw(st.sampled_from(betas))
    return *tables, tokens, mask, rewards, *numbers


def run(student, table, reference, tokens, mask, rewards, epochs, clip, beta, rate=RATE):
    """What the student's update returns, and the two tables after it."""
    models = []
    for values in (table, reference):
        model = student.Bigram(len(values))
        model.load_state_dict({"table": values})
        models.append(model)
    optimizer = student.sgd(models[0], rate)
    got = student.grpo_update(*models, tokens, mask, rewards, optimizer, epochs=epochs, clip=clip, beta=beta)
    return got, *(model.state_dict().get("table") for model in models)


@check(points=1, examples=4)
@given(batches(betas=(0.0,)))
def test_law(student, inputs):
    """responses above their group's mean become more probable, on the whole, and the reference does not change"""
    table, reference, tokens, mask, rewards, *_ = inputs
    _, after, reference_after = run(student, *inputs, rate=0.1)
    expect_like(after, table, "the policy's table")
    expect_like(reference_after, reference, "the reference's table")
    risen = (scored(after, tokens) - scored(table, tokens)).masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)
    gained = float((group_advantages(rewards).flatten() * risen).sum())
    hint = "For each epoch: zero_grad() on the optimizer, then backward() on the loss, then step()."
    expect(gained != 0, "the policy is the same after the update", hint)
    expect(gained > 0, "after the update better responses are less probable", "A loss is to fall: take it as it is.")
    hint = "You train the reference. Only the policy learns: the optimizer that you are given holds its parameters."
    expect(torch.equal(reference_after, reference), "the reference's parameters changed", hint)


@check(points=2, examples=8)
@given(batches())
def test_one_epoch(student, inputs):
    """one epoch is one step down the mean, over kept tokens, of the surrogate plus beta times the KL estimate"""
    oracle.compare(run(student, *inputs)[1], *inputs)


@check(points=2, examples=6)
@given(batches(epochs=(3, 4)))
def test_epochs(student, inputs):
    """in later epochs the old policy is still the one from the beginning, and gradients start afresh"""
    epochs_oracle.compare(run(student, *inputs)[1], *inputs)


@check(points=1, examples=4)
@given(batches(epochs=(1, 3)))
def test_losses(student, inputs):
    """the result is the list of the losses before each step, as Python floats"""
    got = run(student, *inputs)[0]
    fits = isinstance(got, (list, tuple)) and len(got) == inputs[5] and all(isinstance(loss, float) for loss in got)
    hint = "Append loss.item() in every epoch, before the step; return the list."
    expect(fits, "the result is no list of one Python float per epoch", hint)
    loss_oracle.compare(torch.tensor(got), *inputs)


@oracle.misconception
def update_without_effect(table, *rest):
    """Your policy does not change. Call loss.backward(), then optimizer.step(), with zero_grad() before both."""
    return table


@oracle.misconception
def update_uphill(table, *rest):
    """You step up the gradient. A loss is to fall: call backward() on the loss, not on its negative."""
    return 2 * table - table_after(table, *rest)


@oracle.misconception
def update_with_raw_rewards(table, reference, tokens, mask, rewards, *numbers):
    """You use the rewards as they are. Take group_advantages of them first."""
    return updated(table, reference, tokens, mask, rewards, *numbers, advantages=rewards.flatten())[0]


@oracle.misconception
def update_with_one_big_group(table, reference, tokens, mask, rewards, *numbers):
    """You flatten the rewards before group_advantages, so that all prompts form one group. Flatten the advantages."""
    advantages = group_advantages(rewards.reshape(1, -1)).flatten()
    return updated(table, reference, tokens, mask, rewards, *numbers, advantages=advantages)[0]


@oracle.misconception
def update_with_columns_first(table, reference, tokens, mask, rewards, *numbers):
    """Your advantages go to the wrong responses. Text i · group + j belongs to row i, column j: flatten as it is."""
    advantages = group_advantages(rewards).mT.flatten()
    return updated(table, reference, tokens, mask, rewards, *numbers, advantages=advantages)[0]


@oracle.misconception
def update_counts_the_prompt(table, reference, tokens, mask, *rest):
    """You average over all tokens. Prompt and padding do not count: pass the mask on to masked_mean."""
    return table_after(table, reference, tokens, mask | True, *rest)


@oracle.misconception
def update_with_mask_unshifted(table, reference, tokens, mask, *rest):
    """Your mask is off by one. token_logprobs scores every token but the first: it goes with mask[:, 1:]."""
    return table_after(table, reference, tokens, mask.roll(1, dims=-1), *rest)


@oracle.misconception
def update_without_kl(table, reference, tokens, mask, rewards, epochs, clip, beta):
    """The KL estimate has no effect in your first step. Add beta · kl, against `reference`, to each token's loss."""
    return table_after(table, reference, tokens, mask, rewards, epochs, clip, 0.0)


@oracle.misconception
def update_subtracts_kl(table, reference, tokens, mask, rewards, epochs, clip, beta):
    """You subtract the KL estimate, which drives the policy away from its reference. A penalty is added to a loss."""
    return table_after(table, reference, tokens, mask, rewards, epochs, clip, -beta)


@oracle.misconception
def update_ratio_to_the_reference(table, reference, *rest):
    """Your ratio is taken against the reference. The old policy is the policy as it was when the call began."""
    return updated(table, reference, *rest, old=reference)[0]


@epochs_oracle.misconception
def update_with_moving_old_policy(*inputs):
    """You score the old policy anew in every epoch, so that the ratio is always 1. Score it once, before the loop."""
    return updated(*inputs, moving=True)[0]


@epochs_oracle.misconception
def update_kl_to_the_old_policy(table, reference, *rest):
    """Your KL is measured against the old policy. The leash is tied to `reference`."""
    return table_after(table, table, *rest)


@epochs_oracle.misconception
def update_stops_after_one(table, reference, tokens, mask, rewards, epochs, *rest):
    """You take one step only. Take `epochs` steps on the batch."""
    return table_after(table, reference, tokens, mask, rewards, 1, *rest)


@epochs_oracle.misconception
def update_with_fixed_clip(table, reference, tokens, mask, rewards, epochs, clip, beta):
    """You do not pass clip on to clipped_surrogate, which then uses its default."""
    return table_after(table, reference, tokens, mask, rewards, epochs, 0.2, beta)


@epochs_oracle.misconception
def update_gradients_pile_up(table, reference, tokens, mask, rewards, epochs, clip, beta):
    """Gradients of earlier epochs are still there: backward() adds to them. Call zero_grad() in every epoch."""
    now, pile = table, torch.zeros_like(table)
    for _ in range(epochs):
        fresh = now - updated(now, reference, tokens, mask, rewards, 1, clip, beta, old=table)[0]
        pile = pile + fresh
        now = now - pile
    return now
