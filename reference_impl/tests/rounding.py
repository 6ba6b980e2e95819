"""Comparing two computations of one thing, which agree up to rounding on every processor and bit for bit on none.

Another shape inside, such as one row less, is enough for a matrix product to add in another order. `torch.equal` is for
a computation that runs twice as it is, for exact arithmetic, and for weights that must not move.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autograde.testing.contract import SELF_ULPS
from reference_impl.model import LanguageModel
from reference_impl.sampling import generate

DECIDED_ULPS = 1000 * SELF_ULPS
"""how far apart two logits must be, so that no rounding decides which is larger"""


def assert_close_in_ulps(got: Tensor, expected: Tensor, ulps: float = SELF_ULPS) -> None:
    """No number differs by more than `ulps` units in the last place of the largest one."""
    room = ulps * torch.finfo(expected.dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=0, atol=room)


def greedy(model: LanguageModel, prompts: Tensor, max_new_tokens: int) -> Tensor:
    """prompts: (batch, seq) -> (batch, seq + new), written at temperature 0, and by no near tie of two tokens.

    Such texts are equal on all processors and in all batches, so they may be compared token by token.
    """
    texts = generate(model, prompts, max_new_tokens, temperature=0)
    with torch.no_grad():
        assert_decided(model(texts[:, :-1])[:, prompts.shape[1] - 1 :])
    return texts


def assert_decided(logits: Tensor) -> None:
    """logits: (..., vocab). The likeliest token is so by more than rounding could change."""
    best, second = logits.topk(2, dim=-1).values.unbind(dim=-1)
    needed = DECIDED_ULPS * torch.finfo(logits.dtype).eps * logits.abs().max()
    assert bool((best - second > needed).all()), "two tokens nearly tie: choose another prompt, or float64"
