"""Compares the reference with transformers' Mixtral and checks properties that need no oracle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.model.moe import (
    Expert,
    MoE,
    balance_loss,
    hybrid_forward,
    hybrid_parameters,
    limit_capacity,
    route,
    router_z_loss,
    run_experts,
)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@st.composite
def routings(draw_from: st.DrawFn) -> tuple[Tensor, int]:
    """(logits, k) without ties"""
    tokens, n_experts = draw_from(st.integers(1, 9)), draw_from(st.integers(2, 6))
    logits = draw(tokens, n_experts, seed=draw_from(st.integers(0, 999)))
    gaps = logits.sort(dim=-1).values.diff(dim=-1)
    assume(bool((gaps > 1e-6).all()))
    return logits, draw_from(st.integers(1, n_experts))


@settings(deadline=None)
@given(routings())
def test_route_renormalises_the_softmax(routing: tuple[Tensor, int]) -> None:
    logits, k = routing
    gates = route(logits, k)
    assert (gates != 0).sum(dim=-1).eq(k).all()
    chosen = logits.softmax(dim=-1) * (gates != 0)
    torch.testing.assert_close(gates, chosen / chosen.sum(dim=-1, keepdim=True))


@pytest.mark.needs("transformers")
def test_run_experts_matches_mixtral() -> None:
    """Mixtral's experts are gated linear units, so `run_experts` gets functions with its formula and weights."""
    import transformers
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    config = transformers.MixtralConfig(
        hidden_size=6, intermediate_size=5, num_local_experts=4, num_experts_per_tok=2, experts_implementation="eager"
    )
    theirs = MixtralSparseMoeBlock(config).eval()
    for seed, parameter in enumerate(theirs.parameters()):
        parameter.data = draw(*parameter.shape, seed=seed, dtype=torch.float32)
    x = draw(2, 7, 6, seed=9, dtype=torch.float32)

    def glu(number: int) -> object:
        gate, up = theirs.experts.gate_up_proj[number].chunk(2)
        down = theirs.experts.down_proj[number]
        return lambda rows: (torch.nn.functional.silu(rows @ gate.T) * (rows @ up.T)) @ down.T

    tokens = x.reshape(-1, 6)
    gates = route(tokens @ theirs.gate.weight.T, 2)
    ours = run_experts(tokens, gates, [glu(number) for number in range(4)]).reshape(x.shape)
    torch.testing.assert_close(ours, theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("k", [1, 2, 3])
def test_balance_loss_is_mixtral_divided_by_k(k: int) -> None:
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    logits = draw(11, 5, seed=k, dtype=torch.float32)
    torch.testing.assert_close(balance_loss(logits, k), load_balancing_loss_func((logits,), 5, k) / k)


@pytest.mark.parametrize(("n_experts", "k"), [(4, 1), (4, 2), (6, 3)])
def test_balance_loss_is_one_at_even_use_and_larger_at_collapse(n_experts: int, k: int) -> None:
    rolled = torch.stack([torch.arange(n_experts).roll(shift) for shift in range(n_experts)]).double()
    torch.testing.assert_close(balance_loss(rolled, k), torch.ones((), dtype=torch.float64))
    collapsed = torch.arange(n_experts).double().expand(8, -1) * 20
    assert balance_loss(collapsed, k) > 0.9 * n_experts / k


def test_balance_loss_gradient_lowers_the_busiest_expert() -> None:
    logits = (draw(16, 4) + torch.tensor([2.0, 0, 0, 0])).requires_grad_()
    balance_loss(logits, 2).backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].sum() > 0


def test_router_z_loss_is_finite_for_large_logits() -> None:
    torch.testing.assert_close(router_z_loss(torch.full((3, 4), 1e4)), torch.tensor(1e4 + 1.3862944).square())
    assert router_z_loss(torch.full((3, 4), 1e4, dtype=torch.float16)).isfinite()


@settings(deadline=None)
@given(routings(), st.integers(0, 9))
def test_route_is_equivariant_under_expert_permutation(routing: tuple[Tensor, int], seed: int) -> None:
    logits, k = routing
    permutation = torch.randperm(logits.shape[-1], generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(route(logits[:, permutation], k), route(logits, k)[:, permutation])
    torch.testing.assert_close(balance_loss(logits[:, permutation], k), balance_loss(logits, k))


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 99))
def test_moe_with_identical_experts_is_one_dense_layer(k: int, seed: int) -> None:
    layer = MoE(6, 5, 4, k).double()
    for expert in layer.experts[1:]:
        expert.load_state_dict(layer.experts[0].state_dict())
    x = draw(2, 5, 6, seed=seed)
    result, logits = layer(x)
    torch.testing.assert_close(result, layer.experts[0](x))
    assert logits.shape == (10, 4)


@settings(deadline=None)
@given(routings(), st.integers(0, 9))
def test_limit_capacity_keeps_the_first_tokens(routing: tuple[Tensor, int], capacity: int) -> None:
    gates = route(*routing)
    limited = limit_capacity(gates, capacity)
    for expert in range(gates.shape[1]):
        mine = gates[:, expert].nonzero().flatten()
        assert limited[:, expert].nonzero().flatten().tolist() == mine[:capacity].tolist()
    assert (limited[limited != 0] == gates[limited != 0]).all()


def test_run_experts_runs_each_expert_on_its_tokens_only() -> None:
    rows = []

    def record_rows(x: Tensor) -> Tensor:
        rows.append(len(x))
        return x

    gates = route(draw(9, 4), 2)
    torch.testing.assert_close(run_experts(draw(9, 3), gates, [record_rows] * 4), draw(9, 3))
    assert sum(rows) == 18


def test_hybrid_parameters_matches_the_modules() -> None:
    blocks = [MoE(6, 5, 4, 2) if number % 3 == 0 else Expert(6, 5) for number in range(1, 8)]
    total = sum(parameter.numel() for block in blocks for parameter in block.parameters())
    idle = 2 * 2 * (2 * 6 * 5)  # two experts in each of two MoE blocks
    assert hybrid_parameters(6, 5, 7, 3, 4, 2) == (total, total - idle)
    result, logits = hybrid_forward(draw(2, 3, 6, dtype=torch.float32), blocks)
    assert result.shape == (2, 3, 6)
    assert [part.shape for part in logits] == [(6, 4), (6, 4)]
