"""Hidden checks for the exercise `group_advantages`:  (reward − mean) / (std + eps), row by row."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract, expect, expect_like, tensors
from reference_impl.alignment.grpo import group_advantages

oracle, equal_oracle, single_oracle = (Oracle(group_advantages) for _ in range(3))


@st.composite
def rewards(draw, *, scales=(1.0, 1e-3)):
    """(rewards, eps): rows differ in level and spread, prompts and group in number; at scale 1e-3 eps matters"""
    prompts, group = draw(st.sampled_from([(2, 4), (3, 5), (4, 3), (1, 6), (5, 4)]))
    drawn = draw(tensors((prompts, group), scale=draw(st.sampled_from(scales))))
    levels = torch.arange(prompts).unsqueeze(-1) + 1.0
    return drawn * levels + levels, draw(st.sampled_from([1e-4, 1e-3]))


@check(points=1, examples=8)
@given(rewards(scales=(1.0,)))
def test_law(student, inputs):
    """the advantages of each group sum to zero, and are the same if all rewards of a group are raised alike"""
    values, eps = inputs
    hint = (
        "A mean or a standard deviation over dim=-1 loses that axis, and torch lines up the wrong ones: keepdim=True."
    )
    case, square = f"rewards of shape {tuple(values.shape)}", torch.eye(3)
    with student.hint(hint, plain=lambda: student.group_advantages(square, eps), case=case):
        got = student.group_advantages(values, eps)
    expect_like(got, values, hint="There is one advantage for each reward.")
    hint = "Subtract from each reward the mean of its own group, its row: rewards.mean(dim=-1, keepdim=True)."
    room = 1e-5 * values.abs().max()
    expect(bool((got.sum(dim=-1).abs() <= room).all()), "the advantages of a group do not sum to zero", hint)
    raised = student.group_advantages(values + 1.0, eps)
    expect_like(raised, values)
    same = bool(((raised - got).abs() <= 10 * room).all())
    expect(same, "raising all rewards of a group changes its advantages", hint)


@check(points=2, examples=15)
@given(rewards())
def test_formula(student, inputs):
    """an advantage is the reward minus the group's mean, divided by the group's standard deviation (n − 1) plus eps"""
    oracle.compare(student.group_advantages(*inputs), *inputs)


@check(points=1, examples=6)
@given(st.integers(1, 3), st.integers(2, 5), st.sampled_from([0.0, 1.0, -2.5]))
def test_equal_rewards(student, prompts, group, level):
    """a group with equal rewards gets zeros"""
    inputs = torch.full((prompts, group), level), 1e-4
    equal_oracle.compare(student.group_advantages(*inputs), *inputs)


@check(points=1, examples=4)
@given(st.integers(1, 4))
def test_group_of_one(student, prompts):
    """a group of one gets zeros, not nan"""
    inputs = torch.arange(prompts).unsqueeze(-1) + 0.5, 1e-4
    hint = "A group of one has nothing to compare with. Ask for rewards.shape[-1] == 1 and return zeros."
    with student.hint(hint, after=test_formula, case="a group of one"):
        single_oracle.compare(student.group_advantages(*inputs), *inputs)


@check(points=1, examples=4)
@given(rewards())
def test_inputs(student, inputs):
    """the rewards stay as they were"""
    contract.all_of(student.group_advantages, *inputs, like=inputs[0], facets=[contract.input_unchanged])


def centred(values):
    return values - values.mean(dim=-1, keepdim=True)


def spread(values):
    return values.std(dim=-1, keepdim=True)


@oracle.misconception
def divides_by_n(values, eps):
    """Your standard deviation divides by n (correction=0). Our convention is torch's default, n − 1."""
    return centred(values) / (values.std(dim=-1, keepdim=True, correction=0) + eps)


@oracle.misconception
def normalises_the_batch(values, eps):
    """You normalise over the whole batch. Each group, a row, has a mean and a standard deviation of its own."""
    return (values - values.mean()) / (values.std() + eps)


@oracle.misconception
def spread_of_the_batch(values, eps):
    """Your standard deviation is that of the whole batch. Each group has its own: std(dim=-1, keepdim=True)."""
    return centred(values) / (values.std() + eps)


@oracle.misconception
def normalises_columns(values, eps):
    """You normalise down the columns (dim=0), across prompts. A group is a row: dim=-1."""
    return (values - values.mean(dim=0, keepdim=True)) / (values.std(dim=0, keepdim=True) + eps)


@oracle.misconception
def not_divided(values, eps):
    """You do not divide by the standard deviation. (Dr. GRPO leaves it out; ours does not.)"""
    return centred(values)


@oracle.misconception
def not_centred(values, eps):
    """You do not subtract the group's mean. Without it, every response to an easy prompt is praised."""
    return values / (spread(values) + eps)


@oracle.misconception
def eps_inside_the_root(values, eps):
    """You add eps to the variance, inside the root. Our convention adds it to the standard deviation."""
    return centred(values) / (spread(values).square() + eps).sqrt()


@oracle.misconception
def eps_ignored(values, eps):
    """You use a fixed eps of 1e-4. Use the argument eps: callers pass other values."""
    return group_advantages(values, 1e-4)


@oracle.misconception
def no_eps(values, eps):
    """You leave eps out. It is added to the standard deviation; without it equal rewards give 0 / 0."""
    return centred(values) / spread(values)


@oracle.misconception
def eps_as_floor(values, eps):
    """You take the larger of the standard deviation and eps. Our convention adds the two."""
    return centred(values) / spread(values).clamp(min=eps)


@oracle.misconception
def flattened(values, eps):
    """You return one long row. Keep the shape of the rewards, (prompts, group)."""
    return group_advantages(values, eps).flatten()


@equal_oracle.misconception
def equal_is_nan(values, eps):
    """Equal rewards have the standard deviation 0, and you divide by it. Add eps to it."""
    return centred(values) / spread(values)


@single_oracle.misconception
def single_is_nan(values, eps):
    """The standard deviation of one number with n − 1 is 0 / 0. A group of one gets zeros: treat it apart."""
    return centred(values) / (spread(values) + eps)


@single_oracle.misconception
def single_keeps_reward(values, eps):
    """You return the reward itself for a group of one. There is nothing to compare it with: its advantage is 0."""
    return values
