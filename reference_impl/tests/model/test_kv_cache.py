"""Compares the reference with PyTorch's attention and transformers' Llama; a cache must not change any output."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.model.kv_cache import KVCache, cache_bytes, cached_attention, generate
from reference_impl.model.multi_head_attention import MultiHeadAttention
from reference_impl.model.rope import rope_frequencies
from reference_impl.tests.rounding import assert_no_ties


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(("seq_q", "seq_k"), [(1, 1), (1, 6), (3, 7), (5, 5)])
def test_cached_attention_matches_torch(seq_q: int, seq_k: int) -> None:
    """torch gets an explicit causal mask, aligned at the last query and the last key."""
    q, k, v = draw(2, 3, seq_q, 4, seed=1), draw(2, 3, seq_k, 4, seed=2), draw(2, 3, seq_k, 5, seed=3)
    attn_mask = torch.arange(seq_k) <= torch.arange(seq_k - seq_q, seq_k)[:, None]
    torch.testing.assert_close(cached_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, attn_mask))


def test_cached_attention_differs_from_torch_is_causal() -> None:
    """The trap in the assignment: behind a cache, `is_causal` lets a single query attend to the first key only."""
    q, k, v = draw(1, 4, seed=1), draw(3, 4, seed=2), draw(3, 4, seed=3)
    torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, is_causal=True), v[:1])
    assert not torch.allclose(cached_attention(q, k, v), v[:1])


def test_cached_attention_rejects_more_queries_than_keys() -> None:
    with pytest.raises(ValueError, match="cannot be the last"):
        cached_attention(draw(3, 4), draw(2, 4), draw(2, 4))


def test_cached_attention_upcasts_half_precision() -> None:
    q = torch.full((2, 64), 100.0, dtype=torch.float16)  # q·k = 640 000, above the largest float16
    assert cached_attention(q, q, q).dtype == torch.float16
    torch.testing.assert_close(cached_attention(q, q, q), q)


@pytest.mark.needs("transformers")
def test_kv_cache_matches_transformers_dynamic_cache() -> None:
    """The axes are the same; transformers keeps all layers in one object and does not repeat keys for query heads."""
    import transformers

    theirs, ours = transformers.DynamicCache(), KVCache()
    for seed, new in enumerate((3, 1, 2)):
        k, v = draw(2, 4, new, 5, seed=seed), draw(2, 4, new, 5, seed=10 + seed)
        torch.testing.assert_close(ours.append(k, v), theirs.update(k, v, 0))
        assert ours.length() == theirs.get_seq_length()
    ours.reset()
    assert ours.length() == 0


@pytest.mark.needs("transformers")
def test_multi_head_attention_matches_llama() -> None:
    import transformers
    from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding

    config = transformers.LlamaConfig(
        hidden_size=24, num_attention_heads=3, num_key_value_heads=3, attn_implementation="eager"
    )
    theirs, rope = LlamaAttention(config, layer_idx=0).eval(), LlamaRotaryEmbedding(config)
    ours = MultiHeadAttention(24, 3)
    names = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "o_proj"}
    ours.load_state_dict({f"{name}.weight": getattr(theirs, their_name).weight for name, their_name in names.items()})
    x = draw(2, 7, 24, dtype=torch.float32)
    mask = torch.full((7, 7), -torch.inf).triu(1)
    with torch.no_grad():
        expected, _ = theirs(x, position_embeddings=rope(x, torch.arange(7)[None]), attention_mask=mask)
        torch.testing.assert_close(attend_with_rope(ours, x), expected)


def attend_with_rope(layer: MultiHeadAttention, x: Tensor, cache: KVCache | None = None) -> Tensor:
    """The layer on tokens that follow those in the cache."""
    start = 0 if cache is None else cache.length()
    positions = torch.arange(start, start + x.shape[1])
    return layer(x, positions, positions[:, None] * rope_frequencies(layer.d_head, dtype=x.dtype), cache)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 99))
def test_kv_cache_decoding_in_chunks_matches_full_forward(sizes: list[int], seed: int) -> None:
    """However a sequence is split into chunks, reading it through the cache gives the outputs of one forward pass."""
    layer = MultiHeadAttention(8, 2).double()
    x, cache = draw(2, sum(sizes), 8, seed=seed), KVCache()
    parts = [attend_with_rope(layer, chunk, cache) for chunk in x.split(sizes, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), attend_with_rope(layer, x))


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("chunk_size", [1, 3, 99])
def test_cache_generate_matches_transformers(chunk_size: int) -> None:
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.LlamaConfig(vocab_size=31, eos_token_id=None, bos_token_id=None, pad_token_id=0, **sizes)
    theirs = transformers.LlamaForCausalLM(config).double().eval()

    class Llama:
        def reset(self) -> None:
            self.past = transformers.DynamicCache()

        @torch.no_grad()
        def step(self, tokens: Tensor) -> Tensor:
            return theirs(tokens, past_key_values=self.past, use_cache=True).logits

    prompt = torch.randint(1, 31, (2, 7), generator=torch.Generator().manual_seed(1))
    expected = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=6, do_sample=False)
    with torch.no_grad():
        assert_no_ties(theirs(expected[:, :-1]).logits[:, 6:])
    assert torch.equal(generate(Llama(), prompt, 6, chunk_size), expected[:, 7:])


@pytest.mark.parametrize("n_new", [0, 1, 4])
def test_cache_generate_reads_each_token_once(n_new: int) -> None:
    class ChunkRecorder:
        def reset(self) -> None:
            self.sizes: list[int] = []

        def step(self, tokens: Tensor) -> Tensor:
            self.sizes.append(tokens.shape[1])
            return F.one_hot(tokens, 5)

    model = ChunkRecorder()
    assert generate(model, torch.ones(2, 5, dtype=torch.int64), n_new, 3).shape == (2, n_new)
    assert model.sizes == ([3, 2] + [1] * (n_new - 1) if n_new else [])


def test_cache_bytes_matches_tensor_sizes() -> None:
    caches = [KVCache() for _ in range(3)]
    for cache in caches:
        cache.append(draw(2, 4, 7, 5, dtype=torch.float16), draw(2, 4, 7, 5, dtype=torch.float16))
    cached = sum(part.nbytes for cache in caches for part in (cache.keys, cache.values) if part is not None)
    assert cache_bytes(2, 3, 4, 5, 7, 2) == cached
    assert cache_bytes(1, 32, 32, 128, 1) == 512 * 1024  # Llama 2 7B: half a MiB per token
