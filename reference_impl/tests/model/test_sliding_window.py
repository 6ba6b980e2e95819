"""Compares the window with Mistral's mask and its definition, and the rolling cache with attention without a cache."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.model.multi_head_attention import readable_attention
from reference_impl.model.sliding_window import RollingCache, sliding_window_mask

position = st.integers(0, 12)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(position, position, st.none() | st.integers(1, 5), st.integers(0, 3))
def test_sliding_window_mask_allows_window_and_sinks(query: int, key: int, window: int | None, sinks: int) -> None:
    allowed = sliding_window_mask(torch.tensor([query]), torch.tensor([key]), window, sinks).item()
    assert allowed == (key <= query and (window is None or key > query - window or key < sinks))


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("window", [1, 3, 9])
def test_sliding_window_mask_matches_mistral(window: int) -> None:
    import transformers
    from transformers.masking_utils import create_sliding_window_causal_mask

    config = transformers.MistralConfig(sliding_window=window, attn_implementation="eager")
    theirs = create_sliding_window_causal_mask(
        config=config, inputs_embeds=torch.zeros(1, 7, 4), attention_mask=None, past_key_values=None,
        position_ids=torch.arange(7)[None],
    )  # fmt: skip
    assert torch.equal(sliding_window_mask(torch.arange(7), torch.arange(7), window), theirs[0, 0] == 0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 5), st.integers(0, 3))
def test_rolling_cache_attention_matches_full_attention(chunks: list[int], window: int, sinks: int) -> None:
    seq = sum(chunks)
    q, k, v = (draw(2, 2, seq, 4, seed=seed) for seed in range(3))
    full = readable_attention(q, k, v, sliding_window_mask(torch.arange(seq), torch.arange(seq), window, sinks))
    cache = RollingCache(window, sinks)
    outputs, start = [], 0
    for new in chunks:
        part = slice(start, start + new)
        keys, values = cache.append(k[:, :, part], v[:, :, part])
        attn_mask = sliding_window_mask(torch.arange(seq)[part], cache.positions(), window, sinks)
        outputs.append(readable_attention(q[:, :, part], keys, values, attn_mask))
        start += new
    assert cache.length() == seq
    torch.testing.assert_close(torch.cat(outputs, dim=2), full)


def test_rolling_cache_has_constant_size() -> None:
    cache = RollingCache(window=4, sinks=2)
    sizes = set()
    for step in range(40):
        keys, _ = cache.append(draw(1, 1, 1, 3, seed=step), draw(1, 1, 1, 3))
        assert cache.keys is not None
        sizes.add(cache.keys.untyped_storage().nbytes())
        assert keys.shape[2] <= 4 + 2 + 1
    assert len(sizes) == 1
    # The sinks, the four positions of the window, and the new token, which then overwrites position 35.
    assert sorted(cache.positions().tolist()) == [0, 1, 35, 36, 37, 38, 39]


def test_rolling_cache_reset_accepts_another_batch_size() -> None:
    cache = RollingCache(window=2)
    cache.append(draw(3, 1, 5, 4), draw(3, 1, 5, 4))
    cache.reset()
    keys, _ = cache.append(draw(1, 2, 1, 4), draw(1, 2, 1, 4))
    assert keys.shape == (1, 2, 1, 4)
    assert cache.length() == 1


@pytest.mark.parametrize("sinks", [0, 2])
@pytest.mark.parametrize("chunks", [[5, 1, 1], [1, 7, 2], [9, 9]])
def test_rolling_cache_keeps_the_end_of_a_chunk_that_is_longer_than_the_window(chunks: list[int], sinks: int) -> None:
    cache, start = RollingCache(window=3, sinks=sinks), 0
    for new in chunks:
        positions = torch.arange(start, start + new, dtype=torch.float64).reshape(1, 1, new, 1)
        keys, values = cache.append(positions, -positions)
        assert torch.equal(keys, -values)
        assert keys.flatten().tolist() == cache.positions().tolist()
        before = [place for place in range(start) if place < sinks or place >= start - 3]
        assert sorted(cache.positions().tolist()) == [*before, *range(start, start + new)]
        start += new
