"""Compares latent attention with DeepSeek-V3's, its two forms with each other, and the cache with its formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reference_impl.model.kv_cache import KVCache, cache_bytes
from reference_impl.model.latent_attention import LatentAttention, latent_cache_bytes
from reference_impl.model.rope import rope_frequencies


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def angles(seq: int, d_rope: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.arange(seq)[:, None] * rope_frequencies(d_rope, dtype=dtype)


@pytest.mark.needs("transformers")
def test_latent_attention_matches_deepseek() -> None:
    import transformers
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention, DeepseekV3RotaryEmbedding

    config = transformers.DeepseekV3Config(
        hidden_size=16, num_attention_heads=2, num_key_value_heads=2, q_lora_rank=None, kv_lora_rank=6,
        qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8, rope_interleave=False, attn_implementation="eager",
    )  # fmt: skip
    theirs = DeepseekV3Attention(config, layer_idx=0).eval()
    ours = LatentAttention(16, 2, d_latent=6, d_rope=4)
    for our_layer, their_layer in {
        ours.query: theirs.q_proj,
        ours.compress: theirs.kv_a_proj_with_mqa,
        ours.expand: theirs.kv_b_proj,
        ours.out: theirs.o_proj,
    }.items():
        their_layer.load_state_dict(our_layer.state_dict())
    x, positions = draw(2, 5, 16, dtype=torch.float32), torch.arange(5)
    cos_sin = DeepseekV3RotaryEmbedding(config)(x, positions[None])
    mask = torch.full((1, 1, 5, 5), float("-inf")).triu(1)
    expected, _ = theirs(x, position_embeddings=cos_sin, attention_mask=mask)
    torch.testing.assert_close(ours(x, positions, angles(5, 4, torch.float32)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", ["readable", "fused"])
def test_latent_attention_expanded_matches_absorbed(kernel: str) -> None:
    layer = LatentAttention(16, 4, d_latent=6, d_rope=2, kernel=kernel).double()
    q_plain, q_rope = draw(2, 4, 3, 4, seed=1), draw(2, 4, 3, 2, seed=2)
    latent, k_rope = draw(2, 1, 7, 6, seed=3), draw(2, 1, 7, 2, seed=4)
    attn_mask = torch.ones(3, 7, dtype=torch.bool).tril(4)
    inputs = (q_plain, q_rope, latent, k_rope, attn_mask)
    torch.testing.assert_close(layer.expanded(*inputs), layer.absorbed(*inputs))


def test_latent_cache_bytes_matches_tensor_sizes() -> None:
    layer, cache = LatentAttention(16, 4, d_latent=6, d_rope=2), KVCache()
    layer(draw(2, 7, 16, dtype=torch.float32), torch.arange(7), angles(7, 2, torch.float32), cache)
    cached = sum(part.nbytes for part in (cache.keys, cache.values) if part is not None)
    assert cached == latent_cache_bytes(2, 1, d_latent=6, d_rope=2, seq=7, bytes_per_number=4)
    # DeepSeek-V2, section 2.1.4: 512 + 64 numbers per token and layer, where 128 heads of 128 would need 32 768.
    full, latent = cache_bytes(1, 60, 128, 128, 1), latent_cache_bytes(1, 60, 512, 64, 1)
    assert (full // 120, latent // 120) == (32768, 576)


def test_latent_attention_requires_angles() -> None:
    with pytest.raises(ValueError, match="RoPE only"):
        LatentAttention(16, 4, d_latent=6, d_rope=2)(draw(1, 2, 16, dtype=torch.float32), torch.arange(2))


@pytest.mark.parametrize("kernel", ["readable", "fused"])
def test_latent_attention_drops_out_in_training_only(kernel: str) -> None:
    layer = LatentAttention(16, 4, d_latent=6, d_rope=2, dropout=0.5, kernel=kernel).double()
    x, positions = draw(1, 6, 16), torch.arange(6)
    assert not torch.equal(layer(x, positions, angles(6, 2)), layer(x, positions, angles(6, 2)))
    layer.eval()
    assert torch.equal(layer(x, positions, angles(6, 2)), layer(x, positions, angles(6, 2)))


@pytest.mark.parametrize("kernel", ["readable", "fused"])
@pytest.mark.parametrize(("window", "sinks"), [(None, 0), (3, 0), (2, 1)])
def test_latent_attention_without_cache_matches_single_steps_with_one(
    kernel: str, window: int | None, sinks: int
) -> None:
    layer = LatentAttention(16, 4, d_latent=6, d_rope=2, window=window, sinks=sinks, kernel=kernel).double()
    x, positions, turns, cache = draw(2, 7, 16), torch.arange(7), angles(7, 2), KVCache()
    steps = [layer(x[:, [t]], positions[[t]], turns[[t]], cache) for t in range(7)]
    torch.testing.assert_close(layer(x, positions, turns), torch.cat(steps, dim=1))
