"""The benchmark compares models that compute the same thing."""

from __future__ import annotations

import pytest
import torch

from reference_impl.model.language_model import Config, LanguageModel, parameter_count
from tools.bench.reference import PlainModel, measure, models, report

SMALL = Config.gpt2(vocab_size=31, context_length=8, d_model=12, n_layers=2, n_heads=3)


def test_bench_models_have_equal_parameter_counts() -> None:
    assert len({parameter_count(model) for model in models(SMALL).values()}) == 1


def test_bench_plain_model_matches_reference_logits() -> None:
    candidates = models(SMALL)
    ours, plain = candidates["reference"], candidates["plain blocks"]
    assert isinstance(ours, LanguageModel)
    assert isinstance(plain, PlainModel)
    weights = {
        "tokens.weight": ours.embedding.tokens.weight, "positions.weight": ours.embedding.positions.weight,
        "norm.weight": ours.norm.weight, "norm.bias": ours.norm.bias,
    }  # fmt: skip
    for number, block in enumerate(ours.blocks):
        attention, prefix = block.attention, f"blocks.{number}"
        parts = {
            "norms.0": block.attention_norm, "norms.1": block.mlp_norm, "out": attention.out, "mlp.0": block.mlp.up,
            "mlp.2": block.mlp.down,
        }  # fmt: skip
        for kind in ("weight", "bias"):
            weights |= {f"{prefix}.{name}.{kind}": getattr(part, kind) for name, part in parts.items()}
            qkv = [getattr(part, kind) for part in (attention.query, attention.key, attention.value)]
            weights[f"{prefix}.qkv.{kind}"] = torch.cat(qkv)
    with torch.no_grad():
        plain.load_state_dict(weights)
        ids = torch.randint(31, (2, 8), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(plain(ids), ours(ids), rtol=1e-4, atol=1e-5)


def test_bench_transformer_encoder_is_causal() -> None:
    encoder, ids = models(SMALL)["nn.TransformerEncoder"].eval(), torch.arange(8)[None]
    changed = ids.clone()
    changed[0, 5:] = 0
    torch.testing.assert_close(encoder(ids)[:, :5], encoder(changed)[:, :5])


def test_bench_measure_and_report_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from tools.bench import reference

    monkeypatch.setitem(reference.SIZES, "cpu", (SMALL, 2))
    seconds = measure("cpu", rounds=2, compiled=False)
    assert all(len(times) == 2 and min(times) > 0 for times in seconds.values())
    report("cpu", seconds, Console(width=100))
    assert "plain blocks" in capsys.readouterr().out
