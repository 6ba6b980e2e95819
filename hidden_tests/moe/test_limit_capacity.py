"""Hidden checks for the exercise `limit_capacity`: each expert keeps its first tokens."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract
from reference_impl.model.moe import limit_capacity

oracle, gradient_oracle = Oracle(limit_capacity), Oracle(limit_capacity)


@st.composite
def crowds(draw, *, capacities=(0, 4), share=0.6):
    """(gates, capacity): gates (tokens, n_experts) of which `share` are not 0, all of these different"""
    tokens, n_experts = draw(st.sampled_from([(6, 3), (8, 2), (5, 4), (7, 5)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    gates = torch.rand(tokens, n_experts, generator=generator) * 0.8 + 0.1
    gates = gates * (torch.rand(tokens, n_experts, generator=generator) < share)
    return gates, draw(st.integers(*capacities))


@check(points=3, examples=20)
@given(crowds())
def test_first_come(student, crowd):
    """each expert keeps the gates of the first tokens that chose it; the others become 0, and nothing else changes"""
    oracle.compare(student.limit_capacity(*crowd), *crowd)


# Everybody chose everybody: the gradient of a gate that is 0 anyway may be either.
@check(points=1, after=test_first_come, examples=8)
@given(crowds(capacities=(1, 3), share=1.0))
def test_contract(student, crowd):
    """gates stays as it is, and gradients reach the gates that are kept"""
    contract.input_unchanged(student.limit_capacity, *crowd)
    gradient_oracle.compare_gradients(student.limit_capacity, *crowd)


@oracle.misconception
def capacity_ignored(gates, capacity):
    """Nothing is dropped. An expert keeps `capacity` tokens at most."""
    return gates.clone()


@oracle.misconception
def capacity_renormalises(gates, capacity):
    """You divide by what is left of a row. Gates that are kept stay as they are."""
    left = limit_capacity(gates, capacity)
    sums = left.sum(dim=-1, keepdim=True)
    return torch.where(sums > 0, left / torch.where(sums > 0, sums, 1), 0.0)


@oracle.misconception
def capacity_keeps_the_last(gates, capacity):
    """Each expert keeps its last tokens. The first that come are served."""
    return limit_capacity(gates.flip(0), capacity).flip(0)


@oracle.misconception
def capacity_keeps_the_largest(gates, capacity):
    """Each expert keeps its largest gates. Ours are served in the order of the rows, however large the gate."""
    rank = gates.argsort(dim=0, descending=True).argsort(dim=0)
    return gates * (rank < capacity)


@oracle.misconception
def capacity_one_too_few(gates, capacity):
    """Each expert keeps one token too few. If you count from 1, keep number <= capacity."""
    return limit_capacity(gates, capacity - 1)


@oracle.misconception
def capacity_one_too_many(gates, capacity):
    """Each expert keeps one token too many. If you count from 0, keep number < capacity."""
    return limit_capacity(gates, capacity + 1)


@oracle.misconception
def capacity_counts_rows(gates, capacity):
    """You count all rows. Only the tokens that chose an expert take a place there."""
    return gates * (torch.arange(len(gates)) < capacity)[:, None]


@oracle.misconception
def capacity_drops_the_token(gates, capacity):
    """A token that one expert drops loses its other experts too. Only that gate becomes 0."""
    left = limit_capacity(gates, capacity)
    return left * (left == gates).all(dim=-1, keepdim=True)


@oracle.misconception
def capacity_along_experts(gates, capacity):
    """You count along the row, so each token keeps `capacity` experts. Count down the columns: dim=0."""
    return limit_capacity(gates.T, capacity).T


@oracle.misconception
def capacity_of_all(gates, capacity):
    """You count the choices of all experts together. Each expert has `capacity` places of its own."""
    numbers = gates.ne(0).flatten().cumsum(0).reshape(gates.shape)
    return gates * (numbers <= capacity)


@gradient_oracle.misconception
def capacity_detached(gates, capacity):
    """The gates that you return are cut off from autograd. Multiply gates by a mask, or use torch.where."""
    return limit_capacity(gates, capacity).detach()
