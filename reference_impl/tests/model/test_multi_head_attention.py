"""Compares multi-head attention with torch's kernel and layer, and with a loop over single heads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.model.attention import attend, attention_weights
from reference_impl.model.kv_cache import cached_attention
from reference_impl.model.multi_head_attention import MultiHeadAttention, fused_attention, readable_attention
from reference_impl.model.rope import apply_rope, rope_frequencies
from reference_impl.model.sliding_window import sliding_window_mask


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@st.composite
def attention_inputs(draw_from: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """(q, k, v, attn_mask) for any grouping; the mask is None or lets each query attend to at least one key"""
    batch, kv_heads, group = (draw_from(st.integers(1, 3)) for _ in range(3))
    seq_k, d_head = draw_from(st.integers(1, 6)), draw_from(st.sampled_from([2, 4, 8]))
    seq_q = draw_from(st.integers(1, seq_k))
    seed = draw_from(st.integers(0, 999))
    q = draw(batch, kv_heads * group, seq_q, d_head, seed=seed)
    k, v = draw(batch, kv_heads, seq_k, d_head, seed=seed + 1), draw(batch, kv_heads, seq_k, d_head, seed=seed + 2)
    if draw_from(st.booleans()):
        return q, k, v, None
    return (
        q,
        k,
        v,
        sliding_window_mask(torch.arange(seq_k - seq_q, seq_k), torch.arange(seq_k), draw_from(st.integers(1, 6)), 1),
    )


@settings(deadline=None, max_examples=50)
@given(attention_inputs())
def test_readable_attention_matches_fused(inputs: tuple[Tensor, Tensor, Tensor, Tensor | None]) -> None:
    torch.testing.assert_close(readable_attention(*inputs), fused_attention(*inputs))


@pytest.mark.parametrize(("seq_q", "seq_k"), [(1, 1), (1, 6), (3, 7), (5, 5)])
def test_attention_without_mask_aligns_queries_at_the_end(seq_q: int, seq_k: int) -> None:
    """Without a mask the queries are the last of the positions, as in decoding with a cache."""
    q, k, v = draw(2, 2, seq_q, 4, seed=1), draw(2, 2, seq_k, 4, seed=2), draw(2, 2, seq_k, 4, seed=3)
    expected = cached_attention(q, k, v)
    torch.testing.assert_close(readable_attention(q, k, v, None), expected)
    torch.testing.assert_close(fused_attention(q, k, v, None), expected)


def test_readable_attention_gradients_match_fused() -> None:
    q, k, v = draw(2, 4, 5, 8, seed=1), draw(2, 2, 5, 8, seed=2), draw(2, 2, 5, 8, seed=3)
    gradients = []
    for kernel in (readable_attention, fused_attention):
        leaves = [part.clone().requires_grad_() for part in (q, k, v)]
        kernel(*leaves, None).square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    torch.testing.assert_close(*gradients)
    small = [draw(1, 2, 3, 2, seed=seed).requires_grad_() for seed in range(3)]
    assert torch.autograd.gradcheck(lambda q, k, v: readable_attention(q, k, v, None), small)


def test_multi_head_attention_matches_torch() -> None:
    ours = MultiHeadAttention(8, 4, bias=True).double()
    theirs = nn.MultiheadAttention(8, 4, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = draw(2, 5, 8)
    expected, _ = theirs(x, x, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1), need_weights=False)
    torch.testing.assert_close(ours(x, torch.arange(5)), expected)


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), [(1, 1), (4, 4), (4, 2), (6, 1)])
def test_multi_head_attention_matches_a_loop_over_heads(n_heads: int, n_kv_heads: int) -> None:
    """Query head h reads key and value head h // group; every head is rotated separately."""
    layer = MultiHeadAttention(4 * n_heads, n_heads, n_kv_heads).double()
    x, positions = draw(2, 5, 4 * n_heads), torch.arange(3, 8)
    angles = positions[:, None] * rope_frequencies(4, dtype=torch.float64)
    outputs = []
    for head in range(n_heads):
        kv_head = head // (n_heads // n_kv_heads)
        q_rows, kv_rows = slice(4 * head, 4 * head + 4), slice(4 * kv_head, 4 * kv_head + 4)
        q, k = x @ layer.query.weight[q_rows].T, x @ layer.key.weight[kv_rows].T
        weights = attention_weights(apply_rope(q, positions), apply_rope(k, positions), causal=True)
        outputs.append(attend(weights, x @ layer.value.weight[kv_rows].T))
    torch.testing.assert_close(layer(x, positions, angles), layer.out(torch.cat(outputs, dim=-1)))


@pytest.mark.parametrize("kernel", ["readable", "fused"])
def test_multi_head_attention_drops_out_in_training_only(kernel: str) -> None:
    layer = MultiHeadAttention(8, 2, dropout=0.5, kernel=kernel)
    x, positions = draw(1, 6, 8, dtype=torch.float32), torch.arange(6)
    assert not torch.equal(layer(x, positions), layer(x, positions))
    layer.eval()
    assert torch.equal(layer(x, positions), layer(x, positions))


def test_readable_attention_upcasts_half_precision() -> None:
    q = torch.full((1, 1, 2, 64), 100.0, dtype=torch.float16)  # q·k = 640 000, above the largest float16
    torch.testing.assert_close(readable_attention(q, q, q, None), q)


@pytest.mark.parametrize("kernel", ["readable", "fused"])
@pytest.mark.parametrize(("window", "sinks"), [(1, 0), (3, 0), (2, 2), (6, 0), (9, 1)])
def test_multi_head_attention_with_window_attends_to_window_and_sinks(kernel: str, window: int, sinks: int) -> None:
    layer = MultiHeadAttention(8, 2, window=window, sinks=sinks, kernel=kernel).double()
    x, positions = draw(2, 6, 8), torch.arange(6)
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (layer.query(x), layer.key(x), layer.value(x)))
    heads = readable_attention(q, k, v, sliding_window_mask(positions, positions, window, sinks))
    torch.testing.assert_close(layer(x, positions), layer.out(heads.transpose(1, 2).flatten(2)))
