"""Hidden checks for the exercise `sanity_checks`: accuracy, mean margin, and whether length wins."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect
from reference_impl.alignment.reward_model import sanity_checks


def of_quarters(chosen, rejected, chosen_lengths, rejected_lengths):
    """Scores in whole quarters: a nudge in the last digit, which measures tolerances, must not undo a tie."""
    return sanity_checks(chosen / 4, rejected / 4, chosen_lengths, rejected_lengths)


oracle, tie_oracle = Oracle(sanity_checks), Oracle(of_quarters)


@st.composite
def scored(draw, *, values, lengths, sizes=(3, 8)):
    """chosen, rejected: (pairs,) in whole quarters, and their lengths: (pairs,); all int64"""
    pairs = draw(st.integers(*sizes))

    def drawn(of):
        return draw(st.lists(of, min_size=pairs, max_size=pairs))

    return *(torch.tensor(drawn(values)) for _ in range(2)), *(torch.tensor(drawn(lengths)) for _ in range(2))


# Scores of different parity on both sides never tie, and lengths likewise.
@st.composite
def clear(draw):
    chosen, rejected, one, other = draw(scored(values=st.integers(-12, 12), lengths=st.integers(1, 9)))
    return chosen / 4, rejected / 4 + 0.125, 2 * one, 2 * other + 1


tied = scored(values=st.integers(0, 1), lengths=st.integers(1, 2), sizes=(1, 6))


def checked(student, *inputs):
    """What the submission returns, once it is known to be a dict of three numbers."""
    found = student.sanity_checks(*inputs)
    names = {"accuracy", "mean_margin", "longer_wins"}
    fits = (
        isinstance(found, dict) and set(found) == names and all(type(share) in (int, float) for share in found.values())
    )
    hint = 'Return {"accuracy": ..., "mean_margin": ..., "longer_wins": ...}; .item() makes a number of a tensor.'
    expect(fits, "the result is not a dict of three numbers", hint)
    return found


@check(points=1, examples=8)
@given(clear(), st.sampled_from([(2.0, 0.0), (0.5, 100.0), (-1.0, 0.0)]))
def test_other_units(student, inputs, units):
    """another unit or a common shift of the scores changes no share; the opposite scores turn both round"""
    chosen, rejected, one, other = inputs
    factor, shift = units
    before = checked(student, *inputs)
    after = checked(student, factor * chosen + shift, factor * rejected + shift, one, other)
    for name in ("accuracy", "longer_wins"):
        wanted = before[name] if factor > 0 else 1 - before[name]
        hint = "Compare the two scores of a pair with each other: neither with 0 nor with a fixed number."
        expect(abs(after[name] - wanted) < 1e-6, f"{name} depends on the unit of the scores", hint)


@check(points=2, examples=15)
@given(clear())
def test_shares(student, inputs):
    """accuracy, mean margin and the share of pairs in which the longer response scores higher"""
    oracle.compare(student.sanity_checks(*inputs), *inputs)


@check(points=1, after=test_shares, examples=15)
@given(tied)
def test_ties(student, inputs):
    """a tie counts half; pairs of equal length say nothing about length"""
    chosen, rejected, *lengths = inputs
    tie_oracle.compare(checked(student, chosen / 4, rejected / 4, *lengths), *inputs)


def share(won):
    return won.double().mean().item() if won.numel() else 0.5


def half(difference):
    return (difference.sign().double() + 1) / 2


@oracle.misconception
def counts_the_rejected(chosen, rejected, chosen_lengths, rejected_lengths):
    """Your accuracy counts the pairs in which the rejected response wins. It is chosen > rejected."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"accuracy": share(half(rejected - chosen))}


@oracle.misconception
def margin_of_rejected(chosen, rejected, chosen_lengths, rejected_lengths):
    """Your mean margin has the wrong sign. It is chosen - rejected."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"mean_margin": -right["mean_margin"]}


@oracle.misconception
def margin_absolute(chosen, rejected, chosen_lengths, rejected_lengths):
    """Your mean margin takes absolute values, so a wrong order looks like a lead. Keep the sign."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"mean_margin": (chosen - rejected).abs().mean().item()}


@oracle.misconception
def compares_with_zero(chosen, rejected, chosen_lengths, rejected_lengths):
    """Your accuracy asks whether a score is positive. A score has no zero of its own: compare the two of a pair."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"accuracy": share(torch.cat([chosen > 0, rejected <= 0]))}


@oracle.misconception
def longer_is_chosen(chosen, rejected, chosen_lengths, rejected_lengths):
    """You count how often the chosen response is the longer one. Ask how often the longer one scores higher."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    longer = chosen_lengths - rejected_lengths
    return right | {"longer_wins": share(half(longer[longer != 0]))}


@oracle.misconception
def shorter_wins(chosen, rejected, chosen_lengths, rejected_lengths):
    """You count how often the shorter response scores higher. It is the longer one."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"longer_wins": 1 - right["longer_wins"]}


@oracle.misconception
def longer_of_chosen_only(chosen, rejected, chosen_lengths, rejected_lengths):
    """You look only at pairs whose chosen response is longer. The rejected one may be the longer one, and win."""
    right = sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"longer_wins": share(half(chosen - rejected)[chosen_lengths > rejected_lengths])}


@tie_oracle.misconception
def equal_lengths_counted(chosen, rejected, chosen_lengths, rejected_lengths):
    """You divide by all pairs, also those of equal length. They say nothing about length: leave them out."""
    right = of_quarters(chosen, rejected, chosen_lengths, rejected_lengths)
    won = half((chosen - rejected) * (chosen_lengths - rejected_lengths))
    return right | {"longer_wins": won.masked_fill(chosen_lengths == rejected_lengths, 0).mean().item()}


@tie_oracle.misconception
def ties_are_wrong(chosen, rejected, chosen_lengths, rejected_lengths):
    """A tie counts as wrong in your accuracy. It counts half, so that a model that rates all alike gets 1/2."""
    right = of_quarters(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"accuracy": share(chosen > rejected)}


@tie_oracle.misconception
def ties_are_right(chosen, rejected, chosen_lengths, rejected_lengths):
    """A tie counts as right in your accuracy: a model that rates all alike would be perfect. It counts half."""
    right = of_quarters(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"accuracy": share(chosen >= rejected)}


@tie_oracle.misconception
def ties_left_out(chosen, rejected, chosen_lengths, rejected_lengths):
    """You leave ties out of the accuracy. A tie counts half."""
    right = of_quarters(chosen, rejected, chosen_lengths, rejected_lengths)
    return right | {"accuracy": share((chosen > rejected)[chosen != rejected])}
