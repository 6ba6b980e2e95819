"""The reference against transformers' Mixtral and against laws that need no oracle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.moe import (
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
def test_are_gates_the_renormalised_softmax(routing: tuple[Tensor, int]) -> None:
    logits, k = routing
    gates = route(logits, k)
    assert (gates != 0).sum(dim=-1).eq(k).all()
    kept = logits.softmax(dim=-1) * (gates != 0)
    torch.testing.assert_close(gates, kept / kept.sum(dim=-1, keepdim=True))


@pytest.mark.needs("transformers")
def test_is_the_layer_mixtrals() -> None:
    """Mixtral's experts are gated linear units; with `gate` and `up` set apart, ours are run by its formula."""
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
def test_is_the_balance_loss_mixtrals_divided_by_k(k: int) -> None:
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    logits = draw(11, 5, seed=k, dtype=torch.float32)
    torch.testing.assert_close(balance_loss(logits, k), load_balancing_loss_func((logits,), 5, k) / k)


@pytest.mark.parametrize(("n_experts", "k"), [(4, 1), (4, 2), (6, 3)])
def test_is_the_balance_loss_one_at_even_use_and_larger_when_one_expert_takes_all(n_experts: int, k: int) -> None:
    rolled = torch.stack([torch.arange(n_experts).roll(shift) for shift in range(n_experts)]).double()
    torch.testing.assert_close(balance_loss(rolled, k), torch.ones((), dtype=torch.float64))
    collapsed = torch.arange(n_experts).double().expand(8, -1) * 20
    assert balance_loss(collapsed, k) > 0.9 * n_experts / k


def test_does_the_balance_loss_push_down_the_busiest_expert() -> None:
    logits = (draw(16, 4) + torch.tensor([2.0, 0, 0, 0])).requires_grad_()
    balance_loss(logits, 2).backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].sum() > 0


def test_does_the_z_loss_survive_large_logits() -> None:
    torch.testing.assert_close(router_z_loss(torch.full((3, 4), 1e4)), torch.tensor(1e4 + 1.3862944).square())
    assert router_z_loss(torch.full((3, 4), 1e4, dtype=torch.float16)).isfinite()


@settings(deadline=None)
@given(routings(), st.integers(0, 9))
def test_does_renaming_the_experts_change_nothing_but_names(routing: tuple[Tensor, int], seed: int) -> None:
    logits, k = routing
    names = torch.randperm(logits.shape[-1], generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(route(logits[:, names], k), route(logits, k)[:, names])
    torch.testing.assert_close(balance_loss(logits[:, names], k), balance_loss(logits, k))


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 99))
def test_are_identical_experts_one_dense_layer(k: int, seed: int) -> None:
    layer = MoE(6, 5, 4, k).double()
    for expert in layer.experts[1:]:
        expert.load_state_dict(layer.experts[0].state_dict())
    x = draw(2, 5, 6, seed=seed)
    result, logits = layer(x)
    torch.testing.assert_close(result, layer.experts[0](x))
    assert logits.shape == (10, 4)


@settings(deadline=None)
@given(routings(), st.integers(0, 9))
def test_does_capacity_keep_the_first_tokens(routing: tuple[Tensor, int], capacity: int) -> None:
    gates = route(*routing)
    kept = limit_capacity(gates, capacity)
    for expert in range(gates.shape[1]):
        mine = gates[:, expert].nonzero().flatten()
        assert kept[:, expert].nonzero().flatten().tolist() == mine[:capacity].tolist()
    assert (kept[kept != 0] == gates[kept != 0]).all()


def test_is_every_expert_run_once_on_its_tokens() -> None:
    rows = []

    def counting(x: Tensor) -> Tensor:
        rows.append(len(x))
        return x

    gates = route(draw(9, 4), 2)
    torch.testing.assert_close(run_experts(draw(9, 3), gates, [counting] * 4), draw(9, 3))
    assert sum(rows) == 18


def test_does_the_hybrid_count_what_it_holds() -> None:
    blocks = [MoE(6, 5, 4, 2) if number % 3 == 0 else Expert(6, 5) for number in range(1, 8)]
    held = sum(parameter.numel() for block in blocks for parameter in block.parameters())
    idle = 2 * 2 * (2 * 6 * 5)  # two experts in each of two MoE blocks
    assert hybrid_parameters(6, 5, 7, 3, 4, 2) == (held, held - idle)
    result, logits = hybrid_forward(draw(2, 3, 6, dtype=torch.float32), blocks)
    assert result.shape == (2, 3, 6)
    assert [found.shape for found in logits] == [(6, 4), (6, 4)]
