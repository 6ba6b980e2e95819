"""The complete model: published sizes, transformers' GPT-2 and Llama, and properties of every configuration."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reference_impl.model.gpt2_weights import from_gpt2
from reference_impl.model.initialisation import STD
from reference_impl.model.language_model import Config, LanguageModel, extend_vocabulary, parameter_count
from reference_impl.tests.rounding import assert_close_in_ulps
from reference_impl.training.losses import language_model_loss

SMALL: dict[str, Any] = {"vocab_size": 31, "context_length": 16, "d_model": 24, "n_layers": 2, "n_heads": 6}
CONFIGS = {
    "gpt2": Config.gpt2(**SMALL),
    "modern": Config.modern(**SMALL),
    "readable": Config.modern(**SMALL, attention="readable"),
    "sinusoidal": Config.gpt2(**SMALL, positions="sinusoidal"),
    "window": Config.modern(**SMALL, window=4),
    "window and sinks": Config.modern(**SMALL, window=3, sinks=2, attention="readable"),
    "window, learned positions": Config.gpt2(**SMALL, window=3),
    "experts": Config.modern(**SMALL | {"d_ff": 8}, n_experts=3),
    "post-norm": Config.gpt2(**SMALL, post_norm=True),
    "latent": Config.modern(**SMALL, d_latent=10),
    "latent, readable, window": Config.modern(**SMALL, d_latent=10, attention="readable", window=3, sinks=1),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def make_model(config: Config, seed: int = 0) -> LanguageModel:
    torch.manual_seed(seed)
    return LanguageModel(config)


def random_ids(batch: int = 2, seq: int = 16, vocab_size: int = 31) -> Tensor:
    return torch.randint(vocab_size, (batch, seq), generator=torch.Generator().manual_seed(1))


def test_parameter_count_matches_published_gpt2() -> None:
    with torch.device("meta"):
        assert parameter_count(LanguageModel(Config.gpt2())) == 124_439_808
        assert parameter_count(LanguageModel(Config.gpt2(tie_weights=False))) == 124_439_808 + 50257 * 768
        medium = Config.gpt2(d_model=1024, n_layers=24, n_heads=16)
        assert parameter_count(LanguageModel(medium)) == 354_823_168


@every_config
def test_model_cache_decoding_matches_full_forward(config: Config) -> None:
    model, ids = make_model(config).double(), random_ids()
    whole = model(ids)
    for chunks in ([1] * 16, [5, 1, 1, 4, 5], [16]):
        cache = model.new_cache(batch=2)
        parts = [model(part, cache) for part in ids.split(chunks, dim=1)]
        torch.testing.assert_close(torch.cat(parts, dim=1), whole)
        assert cache.length() == 16
    cache.reset()
    torch.testing.assert_close(model(ids[:, :3], cache), whole[:, :3])


@every_config
def test_model_cache_select_duplicates_and_drops_sequences(config: Config) -> None:
    model, ids = make_model(config).double(), random_ids(batch=3)
    cache, rows = model.new_cache(batch=3), torch.tensor([2, 0, 2, 2])
    cache.select(rows)  # an empty cache has only a batch size
    cache.select(torch.arange(3))
    model(ids[:, :9], cache)
    cache.select(rows)
    suffix = random_ids(batch=4, seq=7)
    whole = model(torch.cat([ids[rows, :9], suffix], dim=1))
    torch.testing.assert_close(model(suffix, cache), whole[:, 9:])


@every_config
def test_model_is_causal(config: Config) -> None:
    model, ids = make_model(config).double(), random_ids()
    changed = ids.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % 31
    # Later tokens may go to other experts, which changes the shapes of the products and so their rounding.
    assert_close_in_ulps(model(changed)[:, :9], model(ids)[:, :9])


@every_config
def test_model_rows_are_independent(config: Config) -> None:
    model, ids = make_model(config).double(), random_ids(batch=3)
    torch.testing.assert_close(model(ids)[1:2], model(ids[1:2]))


@every_config
def test_model_readable_attention_matches_fused(config: Config) -> None:
    model, ids = make_model(config).double(), random_ids()
    other = LanguageModel(replace(config, attention="fused" if config.attention == "readable" else "readable")).double()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(ids), other(ids))


@pytest.mark.parametrize("name", ["gpt2", "modern", "window", "latent"])
def test_model_compiles_to_one_graph(name: str) -> None:
    """A graph break would cost what torch.compile gains; the "eager" backend needs no C++ compiler."""
    model, ids = make_model(CONFIGS[name]), random_ids()
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(ids), model(ids))


@every_config
def test_model_gives_every_parameter_a_gradient(config: Config) -> None:
    model, ids = make_model(config), random_ids()
    language_model_loss(model, (ids[:, :-1], ids[:, 1:])).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@every_config
def test_model_initial_loss_is_log_vocab_size(config: Config) -> None:
    """Logits start near 0, with any kind of positions or experts."""
    model, ids = make_model(replace(config, vocab_size=1000, d_model=48)), random_ids(4, 16, 1000)
    with torch.no_grad():
        loss = F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(1000), abs=0.1)


def test_initialise_matches_gpt2_statistics() -> None:
    model = make_model(Config.gpt2(vocab_size=500, context_length=300, d_model=96, n_layers=8, n_heads=4))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            expected = torch.ones_like(parameter) if "norm.weight" in name else torch.zeros_like(parameter)
            assert torch.equal(parameter, expected), name
        else:
            scaled = name.endswith(("attention.out.weight", "mlp.down.weight"))
            std = STD / 4 if scaled else STD  # √(2 · 8 layers)
            assert parameter.std().item() == pytest.approx(std, rel=0.05), name
            assert parameter.mean().item() == pytest.approx(0, abs=0.1 * std), name


@pytest.mark.needs("transformers")
def test_from_gpt2_matches_transformers_logits() -> None:
    import transformers

    config = Config.gpt2(**SMALL)
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=31, n_positions=16, n_embd=24, n_layer=2, n_head=6, bos_token_id=None, eos_token_id=None
        )
    ).eval()
    for seed, parameter in enumerate(theirs.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) / 5
    ours = LanguageModel(config)
    ours.load_state_dict(from_gpt2(theirs.state_dict(), config))
    torch.testing.assert_close(ours(random_ids()), theirs(random_ids()).logits, rtol=1e-4, atol=1e-4)


def test_from_gpt2_names_missing_and_unknown_weights() -> None:
    config = Config.gpt2(**SMALL)
    with pytest.raises(ValueError, match=r"missing \['h\.0\.attn.*unknown \['h\.0\.attn\.q'\]"):
        from_gpt2({"wte.weight": torch.zeros(31, 24), "h.0.attn.q": torch.zeros(1)}, config)


LLAMA = {
    "embed_tokens": "embedding.tokens", "layers": "blocks", "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key", "self_attn.v_proj": "attention.value", "self_attn.o_proj": "attention.out",
    "mlp.gate_proj": "mlp.gate", "mlp.up_proj": "mlp.up", "mlp.down_proj": "mlp.down",
    "input_layernorm": "attention_norm", "post_attention_layernorm": "mlp_norm", "lm_head": "unembed", "model.": "",
}  # fmt: skip


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("window", [None, 5])
def test_model_matches_llama_and_mistral_logits(window: int | None) -> None:
    """Mistral is Llama with a sliding window."""
    import transformers

    sizes = {
        "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2,
        "intermediate_size": 40, "max_position_embeddings": 16, "bos_token_id": None, "eos_token_id": None,
        "attn_implementation": "eager",
    }  # fmt: skip
    if window is None:
        theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    else:
        theirs = transformers.MistralForCausalLM(transformers.MistralConfig(**sizes, sliding_window=window))
    for seed, parameter in enumerate(theirs.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) / 5
    weights = theirs.state_dict()
    for their_name, our_name in LLAMA.items():
        weights = {name.replace(their_name, our_name): tensor for name, tensor in weights.items()}
    config = Config.modern(**SMALL, n_kv_heads=2, d_ff=40, tie_weights=False, window=window)
    ours = LanguageModel(config)
    ours.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(ours(random_ids()), theirs.eval()(random_ids()).logits, rtol=1e-4, atol=1e-4)


def test_model_cache_with_window_has_constant_size() -> None:
    model = make_model(Config.modern(**SMALL, window=4, sinks=1))
    cache = model.new_cache(batch=1)
    with torch.no_grad():
        for token in random_ids(1, 50).unbind(dim=1):
            logits = model(token[:, None], cache)
    assert cache.length() == 50
    assert cache.layers[0].keys.shape[2] == 5
    assert logits.isfinite().all()


def test_model_rejects_long_sequences_and_other_batch_sizes() -> None:
    model = make_model(Config.gpt2(**SMALL))
    with pytest.raises(ValueError, match="the sequence is 17 tokens long, but the model reads at most 16"):
        model(random_ids(1, 17))
    with pytest.raises(ValueError, match="made for a batch of 2, but ids has 1 rows"):
        model(random_ids(1, 3), model.new_cache(batch=2))


def test_model_auxiliary_loss_is_that_of_the_experts() -> None:
    """A copy of the model has not run yet, so its auxiliary loss is 0."""
    model = make_model(CONFIGS["experts"])
    assert model.auxiliary_loss() == 0
    model(random_ids())
    # Balanced experts give balance loss 1 and z-loss ln(3)²; an untrained router is near both.
    assert model.auxiliary_loss().item() == pytest.approx(0.01 + 0.001 * math.log(3) ** 2, rel=0.05)
    assert copy.deepcopy(model).auxiliary_loss() == 0
    assert make_model(CONFIGS["modern"]).auxiliary_loss() == 0


@pytest.mark.parametrize("tie_weights", [True, False])
def test_extend_vocabulary_keeps_old_logits(tie_weights: bool) -> None:
    model, ids = make_model(Config.modern(**SMALL, tie_weights=tie_weights)).double(), random_ids()
    larger = extend_vocabulary(model, 34)
    torch.testing.assert_close(larger(ids)[..., :31], model(ids))
    torch.testing.assert_close(larger(ids)[..., 31:], model(ids).mean(dim=-1, keepdim=True).expand(-1, -1, 3))
    assert larger(torch.tensor([[33]])).isfinite().all()
    assert (larger.unembed.weight is larger.embedding.tokens.weight) == tie_weights
    assert larger.config.vocab_size == 34
    with pytest.raises(ValueError, match="cannot shrink to 30"):
        extend_vocabulary(model, 30)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 5}, "n_heads=5 does not divide d_model=24"),
        ({"n_kv_heads": 4}, "n_kv_heads=4 does not divide n_heads=6"),
        ({"n_layers": 0}, "n_layers=0 must be positive"),
        ({"norm": "batchnorm"}, "norm='batchnorm' must be one of"),
        ({"n_heads": 8}, "even d_head, got 3"),
        ({"sinks": 2}, "without a window"),
        ({"n_experts": 2, "experts_per_token": 3}, "from 1 to n_experts=2"),
        ({"d_latent": 4, "positions": "learned"}, "needs RoPE"),
    ],
)
def test_config_rejects_inconsistent_sizes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config.modern(**SMALL | changes)


def test_model_overfits_a_toy_set() -> None:
    model, ids = make_model(Config.modern(**SMALL)), random_ids(4, 12)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = language_model_loss(model, (ids[:, :-1], ids[:, 1:]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # After the first token each sequence is determined, unless two of them begin alike.
    assert loss.item() < 0.1
