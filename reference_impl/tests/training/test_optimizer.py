"""Compares AdamW and clipping with torch's, and the schedule with transformers' and with its definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from reference_impl.training.optimizer import ReadableAdamW, adamw, readable_clip, warmup_cosine


def parameters(seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64)) for shape in ((3, 4), (5,))]


def set_gradients(leaves: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for leaf in leaves:
        leaf.grad = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("fused", [True, False])
def test_readable_adamw_matches_torch(fused: bool) -> None:
    ours, theirs = parameters(), parameters()
    readable = ReadableAdamW(ours, lr=0.1, weight_decay=0.2)
    reference = torch.optim.AdamW(theirs, lr=0.1, betas=(0.9, 0.95), weight_decay=0.2, fused=fused)
    for step in range(5):
        for leaves in (ours, theirs):
            set_gradients(leaves, step)
        readable.step()
        reference.step()
    torch.testing.assert_close(ours, theirs)
    readable.zero_grad()
    assert ours[0].grad is None


def test_adamw_decays_matrices_only() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 1))
    model[2].requires_grad_(False)
    groups = adamw(model, 0.1, weight_decay=0.3).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.3, 1), (0.0, 3)]


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_readable_clip_matches_torch(largest: float) -> None:
    ours, theirs = parameters(), parameters()
    set_gradients(ours, 0)
    set_gradients(theirs, 0)
    norm = readable_clip((leaf for leaf in ours), largest)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(theirs, largest))
    torch.testing.assert_close([leaf.grad for leaf in ours], [leaf.grad for leaf in theirs])


@given(st.integers(0, 300), st.integers(0, 50), st.integers(51, 200))
def test_warmup_cosine_rises_to_the_peak_and_falls_to_the_floor(step: int, warmup: int, total: int) -> None:
    rate = warmup_cosine(step, 1.0, warmup, total, floor=0.1)
    if step < warmup:
        assert rate == pytest.approx((step + 1) / warmup)
    else:
        assert 0.1 <= rate <= 1
        assert rate >= warmup_cosine(step + 1, 1.0, warmup, total, floor=0.1)
    assert warmup_cosine(warmup, 1.0, warmup, total, floor=0.1) == 1.0
    assert warmup_cosine(total, 1.0, warmup, total, floor=0.1) == pytest.approx(0.1)
    halfway = warmup_cosine((warmup + total) // 2, 1.0, warmup, total)
    assert halfway == pytest.approx(0.5, abs=2 / (total - warmup))


@pytest.mark.needs("transformers")
def test_warmup_cosine_matches_transformers() -> None:
    import transformers

    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=5, num_training_steps=20)
    theirs = []
    for _ in range(20):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = [warmup_cosine(step, 1.0, 5, 20) for step in range(20)]
    assert ours[5:] == pytest.approx(theirs[5:])
    assert ours[:5] == pytest.approx(theirs[1:6])  # theirs starts at 0, a step without effect


def test_readable_adamw_skips_parameters_without_gradient() -> None:
    leaves = parameters()
    set_gradients(leaves[:1], 0)
    before = leaves[1].detach().clone()
    ReadableAdamW(leaves, lr=0.1).step()
    readable_clip(leaves, 1.0)
    assert torch.equal(leaves[1], before)
