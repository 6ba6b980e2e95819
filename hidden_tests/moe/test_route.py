"""Hidden checks for the exercise `route`: softmax over the k largest logits, 0 elsewhere."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, through_float32
from reference_impl.model.moe import route

# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle, large_oracle, gradient_oracle = (Oracle(route) for _ in range(3))
DTYPES = (torch.float16, torch.bfloat16, torch.float64)
half_oracle = Oracle(route, through_float32(route))


@st.composite
def routings(draw, *, dtype=torch.float32, scales=(1.0,), offsets=(0.0,), forbidden=False, least_k=1):
    """(logits, k): logits (tokens, n_experts) whose rows have no two equal or nearly equal numbers"""
    tokens, n_experts = draw(st.sampled_from([(4, 3), (3, 5), (6, 4), (2, 6)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    order = torch.rand(tokens, n_experts, generator=generator).argsort(dim=-1)
    jitter = torch.rand(tokens, n_experts, generator=generator) / 4
    logits = (0.5 * order + jitter - 1) * draw(st.sampled_from(scales)) + draw(st.sampled_from(offsets))
    if forbidden:
        logits = logits.masked_fill(order == draw(st.integers(0, n_experts - 1)), -torch.inf)
    return logits.to(dtype), draw(st.integers(least_k, n_experts - forbidden))


@check(points=3, examples=20)
@given(routings())
def test_formula(student, routing):
    """the gates are the softmax over the k largest logits of each token, and 0 for all other experts"""
    oracle.compare(student.route(*routing), *routing)


@check(points=1, after=test_formula, examples=15)
@given(st.one_of(routings(offsets=(1e4, -1e4)), routings(scales=(1e4,)), routings(forbidden=True)))
def test_large_logits(student, routing):
    """logits of 10 000 give finite gates, and an expert with a logit of -inf is not used"""
    large_oracle.compare(student.route(*routing), *routing)


@check(points=1, after=test_formula, examples=10)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: routings(dtype=dtype, scales=(16.0, 2.0))))
def test_half_precision(student, routing):
    """half-precision logits give gates of their dtype, and so do float64 ones"""
    half_oracle.compare(student.route(*routing), *routing)


@check(points=1, after=test_formula, examples=10)
@given(routings(least_k=2))
def test_gradient(student, routing):
    """gradients reach the logits through the gates"""
    gradient_oracle.compare_gradients(student.route, *routing)


def kept(logits, k):
    return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, logits.topk(k, dim=-1).indices, True)


@oracle.misconception
def route_not_renormalised(logits, k):
    """You keep the probabilities of the softmax over all experts. A token's k gates sum to 1: divide by their sum."""
    return logits.softmax(dim=-1).masked_fill(~kept(logits, k), 0.0)


@oracle.misconception
def route_softmax_over_tokens(logits, k):
    """Your softmax runs over the tokens. Each token has gates of its own that sum to 1: dim=-1."""
    return logits.masked_fill(~kept(logits, k), -torch.inf).softmax(dim=0).nan_to_num(0.0)


@oracle.misconception
def route_top_one_always(logits, k):
    """You use one expert for each token. Use k."""
    return route(logits, 1)


@oracle.misconception
def route_two_always(logits, k):
    """You use two experts for each token. Use k."""
    return route(logits, 2)


@oracle.misconception
def route_everybody(logits, k):
    """Every expert has a gate above 0. Only the k largest logits of a token count."""
    return logits.softmax(dim=-1)


@oracle.misconception
def route_takes_the_smallest(logits, k):
    """You take the k smallest logits. Take the largest."""
    return route(-logits, k).gt(0) * (logits.masked_fill(~kept(-logits, k), -torch.inf).softmax(dim=-1))


@oracle.misconception
def route_masks_with_zero(logits, k):
    """You set the other logits to 0, and exp(0) is 1. Set them to -inf before the softmax."""
    return logits.masked_fill(~kept(logits, k), 0.0).softmax(dim=-1)


@oracle.misconception
def route_shares_equally(logits, k):
    """Each of the k experts gets 1/k. Its gate comes from its logit: softmax."""
    return kept(logits, k) / k


@oracle.misconception
def route_by_sigmoid(logits, k):
    """You divide sigmoids by their sum, as DeepSeek-V3 does. Our gates are a softmax over the k logits."""
    gates = logits.sigmoid().masked_fill(~kept(logits, k), 0.0)
    return gates / gates.sum(dim=-1, keepdim=True)


@oracle.misconception
def route_loses_the_places(logits, k):
    """You put the k gates into the first k columns. Each belongs into the column of its expert: scatter."""
    gates = logits.topk(k, dim=-1).values.softmax(dim=-1)
    return torch.nn.functional.pad(gates, (0, logits.shape[-1] - k))


@oracle.misconception
def route_gates_only(logits, k):
    """You return k gates for each token, which does not say whose they are. Return one column for each expert."""
    return logits.topk(k, dim=-1).values.softmax(dim=-1)


@large_oracle.misconception
def route_exp_overflows(logits, k):
    """Your exponentials overflow, or all become 0. Use torch.softmax, or subtract a row's largest logit first."""
    powers = logits.exp().masked_fill(~kept(logits, k), 0.0)
    return torch.where(kept(logits, k), powers / powers.sum(dim=-1, keepdim=True), 0.0)


@half_oracle.misconception
def route_stays_float32(logits, k):
    """You compute in float32 and return float32. Cast the gates back to the dtype of the logits."""
    return route(logits.float(), k)


@gradient_oracle.misconception
def route_is_detached(logits, k):
    """The gates are cut off from autograd (.detach(), .data or no_grad), so the router cannot learn."""
    return route(logits, k).detach()
