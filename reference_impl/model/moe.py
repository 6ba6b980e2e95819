"""Mixture of experts: a router sends each token to k of n small networks. Grades the assignment `moe`.

Conventions: a token's gates are the softmax of its k largest router logits (Mixtral; Jiang et al., 2024), written as a
vector over all experts that is 0 elsewhere (Shazeer et al., 2017, equation 3); the balance loss is 1 when all experts
are used equally (Switch's loss, Fedus et al., 2021, equations 4 to 6, over the k choices of each token; Mixtral's loss
divided by k); the z-loss is that of ST-MoE (Zoph et al., 2022, equation 5); an expert over capacity keeps the tokens
that come first. Half precision is computed in float32; the losses are returned in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.dtypes import upcast

__all__ = [
    "Expert", "MoE", "balance_loss", "hybrid_forward", "hybrid_parameters", "limit_capacity", "route", "router_z_loss",
    "run_experts",
]  # fmt: skip

Network = Callable[[Tensor], Tensor]
Block = Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]


def route(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> gates: (tokens, n_experts): softmax over the k largest of a row, 0 elsewhere."""
    largest, chosen = upcast(logits).topk(k, dim=-1)
    gates = torch.zeros_like(upcast(logits)).scatter(-1, chosen, largest.softmax(dim=-1))
    return gates.to(logits.dtype)


def run_experts(x: Tensor, gates: Tensor, experts: Iterable[Network]) -> Tensor:
    """x: (tokens, d_model), gates: (tokens, n_experts) -> (tokens, d_model): each token's gated sum of its experts.

    An expert runs once, on the tokens whose gate for it is not 0.
    """
    result = torch.zeros_like(x)
    for expert, gate in zip(experts, gates.unbind(dim=-1), strict=True):
        rows = gate.nonzero().squeeze(-1)  # the tokens of this expert
        if len(rows):
            result = result.index_add(0, rows, (gate[rows, None] * expert(x[rows])).to(x.dtype))
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
        tokens = x.reshape(-1, x.shape[-1])  # (tokens, d_model)
        logits = self.router(tokens)
        result = run_experts(tokens, route(logits, self.k), self.experts)
        return result.reshape(x.shape), logits  # (..., d_model), (tokens, n_experts)


def balance_loss(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> (): n · Σ share · probability, which is 1 when all experts are used equally.

    share: the fraction of the tokens · k choices that went to the expert (a count, no gradient); probability: its mean
    softmax.
    """
    wide = upcast(logits)
    n_experts = wide.shape[-1]
    chosen = wide.topk(k, dim=-1).indices
    share = torch.bincount(chosen.flatten(), minlength=n_experts).to(wide.dtype) / chosen.numel()
    return n_experts * (share * wide.softmax(dim=-1).mean(dim=0)).sum()


def router_z_loss(logits: Tensor) -> Tensor:
    """logits: (tokens, n_experts) -> (): the mean over tokens of logsumexp(logits)²."""
    return upcast(logits).logsumexp(dim=-1).square().mean()


def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    """gates: (tokens, n_experts) -> the same, but 0 after the first `capacity` tokens of each expert."""
    routed = gates != 0
    rank = routed.cumsum(dim=0)  # 1 for the first token of an expert
    return torch.where(routed & (rank <= capacity), gates, 0.0)


def hybrid_forward(x: Tensor, blocks: Sequence[Block]) -> tuple[Tensor, list[Tensor]]:
    """x: (..., d_model) -> (..., d_model), through residual blocks in turn, and the router logits of the MoE blocks.

    A dense block returns a tensor, an MoE block the pair (tensor, logits).
    """
    all_logits = []
    for block in blocks:
        update = block(x)
        if isinstance(update, tuple):
            update, logits = update
            all_logits.append(logits)
        x = x + update
    return x, all_logits


def hybrid_parameters(
    d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int
) -> tuple[int, int]:
    """(all parameters, parameters active per token) of n_layers blocks: every `every`-th is MoE, the others dense."""
    expert, router = 2 * d_model * d_hidden, d_model * n_experts
    n_moe = n_layers // every
    dense = (n_layers - n_moe) * expert
    return dense + n_moe * (n_experts * expert + router), dense + n_moe * (k * expert + router)
