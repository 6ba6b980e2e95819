"""Hidden checks for the exercise `by_hand`: three tokens on paper.

The numbers are chosen so that each weight is a multiple of 1/4. Each tensor is judged as what follows from the
student's own tensor before it, so a slip is charged once; a tensor that cannot be weights is replaced by the right one.
"""

import math
from typing import Any

import torch
from torch import Tensor

from autograde.testing import Oracle, check
from reference_impl.model.attention import attend, attention_weights

QUERIES = math.log(2) * torch.tensor([[1.0, 1, -1, 1], [2, 0, 2, 2], [-1, 1, 1, -1]])
KEYS = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
VALUES = torch.tensor([[4.0, 0], [0, 4], [4, 8]])


def without_future(weights: Tensor) -> Tensor:
    """Causal weights out of full ones: what is left of a softmax, renormalised, is the softmax of what is left."""
    kept = weights.tril()
    return kept / kept.sum(dim=-1, keepdim=True)


def output(causal_weights: Tensor, weights: Tensor, v: Tensor) -> Tensor:
    """The output; `weights` is there for the wrong ideas only."""
    return attend(causal_weights, v)


weights_oracle = Oracle(attention_weights)
causal_oracle = Oracle(without_future)
output_oracle = Oracle(output)


@check(points=2)
def test_weights(student):
    """hand_weights holds the weights of the three tokens"""
    weights_oracle.compare(student.value("hand_weights"), QUERIES, KEYS)


@check(points=1)
def test_causal_weights(student):
    """hand_causal_weights is hand_weights without the future, each row still summing to one"""
    causal_oracle.compare(student.value("hand_causal_weights"), own_weights(student))


@check(points=1)
def test_output(student):
    """hand_output has one row per token, made of the values with hand_causal_weights"""
    weights = own_weights(student)
    causal_weights = plausible(student.value("hand_causal_weights"), without_future(weights))
    output_oracle.compare(student.value("hand_output"), causal_weights, weights, VALUES)


def own_weights(student: Any) -> Tensor:
    return plausible(student.value("hand_weights"), attention_weights(QUERIES, KEYS))


def plausible(weights: Any, right: Tensor) -> Tensor:
    """The student's weights to calculate on with, or the right ones if theirs could not be weights."""
    if not isinstance(weights, Tensor) or weights.shape != right.shape or weights.dtype != right.dtype:
        return right
    sums = weights.sum(dim=-1)
    fits = bool((weights >= 0).all() and (sums > 0.2).all() and (sums < 1.2).all())
    return weights if fits else right


@weights_oracle.misconception
def by_hand_unscaled(q, k):
    """You did not divide the dot products by sqrt(d_head), which is 2 here."""
    return (q @ k.mT).softmax(dim=-1)


@weights_oracle.misconception
def by_hand_columns(q, k):
    """Your columns sum to one. Each row belongs to one token that looks, and its weights sum to one."""
    return (q @ k.mT / 2).softmax(dim=-2)


@causal_oracle.misconception
def by_hand_not_renormalised(weights):
    """You crossed out the later weights. Take the later scores out before the softmax, so that each row sums to one."""
    return weights.tril()


@output_oracle.misconception
def by_hand_future_in_output(causal_weights, weights, v):
    """You used hand_weights. The output is made with hand_causal_weights."""
    return weights @ v


@output_oracle.misconception
def by_hand_weights_transposed(causal_weights, weights, v):
    """You took the weights by columns. Output i uses row i: how much token i looks at each of the others."""
    return causal_weights.mT @ v
