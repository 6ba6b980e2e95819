"""Mixture of experts: a router sends each token to k of n small networks.

Conventions: a token's gates are the softmax of its k largest router logits (Mixtral; Jiang et al., 2024), written as a
vector over all experts that is 0 elsewhere (Shazeer et al., 2017, equation 3); the balance loss is 1 when all experts
are used alike (Switch's loss, Fedus et al., 2021, equations 4 to 6, with the share of the k choices of each token; that
is Mixtral's divided by k); the z-loss is that of ST-MoE (Zoph et al., 2022, equation 5); a full expert keeps the tokens
that come first. Half precision is computed in float32; the losses are returned in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "Expert", "MoE", "balance_loss", "hybrid_forward", "hybrid_parameters", "limit_capacity", "route", "router_z_loss",
    "run_experts",
]  # fmt: skip

Network = Callable[[Tensor], Tensor]
Block = Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]


def route(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> gates: (tokens, n_experts): softmax over the k largest of a row, 0 elsewhere."""
    largest, chosen = _widened(logits).topk(k, dim=-1)
    gates = torch.zeros_like(_widened(logits)).scatter(-1, chosen, largest.softmax(dim=-1))
    return gates.to(logits.dtype)


def run_experts(x: Tensor, gates: Tensor, experts: Iterable[Network]) -> Tensor:
    """x: (tokens, d_model), gates: (tokens, n_experts) -> (tokens, d_model): each token's gated sum of its experts.

    An expert runs once, on the tokens whose gate for it is not 0.
    """
    result = torch.zeros_like(x)
    for expert, gate in zip(experts, gates.unbind(dim=-1), strict=True):
        mine = gate.nonzero().squeeze(-1)
        if len(mine):
            result = result.index_add(0, mine, (gate[mine, None] * expert(x[mine])).to(x.dtype))
    return result


class Expert(nn.Module):
    """A feed-forward network with one hidden layer: down(silu(up(x)))."""

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias=False)
        self.down = nn.Linear(d_hidden, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d_model) -> (..., d_model)"""
        return self.down(F.silu(self.up(x)))


class MoE(nn.Module):
    """A layer of n_experts experts, of which each token uses k."""

    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList(Expert(d_model, d_hidden) for _ in range(n_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (..., d_model) -> result: (..., d_model), and the router's logits: (tokens, n_experts)"""
        tokens = x.reshape(-1, x.shape[-1])
        logits = self.router(tokens)
        return run_experts(tokens, route(logits, self.k), self.experts).reshape(x.shape), logits


def balance_loss(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> (): n · Σ share · probability, which is 1 when all experts are used alike.

    share: of the tokens · k choices, how many fell on the expert (a count, no gradient); probability: the mean softmax.
    """
    wide = _widened(logits)
    n_experts = wide.shape[-1]
    chosen = wide.topk(k, dim=-1).indices
    share = torch.bincount(chosen.flatten(), minlength=n_experts).to(wide.dtype) / chosen.numel()
    return n_experts * (share * wide.softmax(dim=-1).mean(dim=0)).sum()


def router_z_loss(logits: Tensor) -> Tensor:
    """logits: (tokens, n_experts) -> (): the mean over tokens of logsumexp(logits)²."""
    return _widened(logits).logsumexp(dim=-1).square().mean()


def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    """gates: (tokens, n_experts) -> the same, but for each expert only its first `capacity` tokens keep their gate."""
    wanted = gates != 0
    place = wanted.cumsum(dim=0)  # 1 for an expert's first token
    return torch.where(wanted & (place <= capacity), gates, 0.0)


def hybrid_forward(x: Tensor, blocks: Sequence[Block]) -> tuple[Tensor, list[Tensor]]:
    """x: (..., d_model) -> (..., d_model), through residual blocks in turn, and the logits of those that route.

    A dense block gives a tensor, an MoE block the pair (tensor, logits).
    """
    all_logits = []
    for block in blocks:
        found = block(x)
        if isinstance(found, tuple):
            found, logits = found
            all_logits.append(logits)
        x = x + found
    return x, all_logits


def hybrid_parameters(
    d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int
) -> tuple[int, int]:
    """(all parameters, those that a token uses) of n_layers blocks: every `every`-th is MoE, the others are dense."""
    expert, router = 2 * d_model * d_hidden, d_model * n_experts
    n_moe = n_layers // every
    dense = (n_layers - n_moe) * expert
    return dense + n_moe * (n_experts * expert + router), dense + n_moe * (k * expert + router)


def _widened(x: Tensor) -> Tensor:
    """`x` in float32 if it is half precision; float64 is kept."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
