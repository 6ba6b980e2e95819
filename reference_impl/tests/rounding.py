"""Comparisons of two ways to compute the same numbers, which agree up to rounding but not bit for bit.

A different shape, such as one row less, is enough for a matrix product to sum in another order. Use `torch.equal` only
where the same computation runs twice, where the arithmetic is exact, and for weights that must not change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autograde.testing.contract import SELF_ULPS
from reference_impl.model.language_model import LanguageModel
from reference_impl.model.sampling import generate

TIE_ULPS = 1000 * SELF_ULPS
"""two logits that are closer than this may be ordered by rounding alone"""


def assert_close_in_ulps(got: Tensor, expected: Tensor, ulps: float = SELF_ULPS) -> None:
    """No element differs by more than `ulps` units in the last place of the largest expected one."""
    atol = ulps * torch.finfo(expected.dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=0, atol=atol)


def greedy(model: LanguageModel, prompts: Tensor, max_new_tokens: int) -> Tensor:
    """prompts: (batch, seq) -> (batch, seq + new), at temperature 0; fails where two tokens nearly tie.

    Without near ties the tokens are the same on every processor and in every batch, so they can be compared exactly.
    """
    ids = generate(model, prompts, max_new_tokens, temperature=0)
    with torch.no_grad():
        assert_no_ties(model(ids[:, :-1])[:, prompts.shape[1] - 1 :])
    return ids


def assert_no_ties(logits: Tensor) -> None:
    """logits: (..., vocab). The most likely token leads by more than rounding could change."""
    best, second = logits.topk(2, dim=-1).values.unbind(dim=-1)
    margin = TIE_ULPS * torch.finfo(logits.dtype).eps * logits.abs().max()
    assert bool((best - second > margin).all()), "two tokens nearly tie: choose another prompt, or float64"
