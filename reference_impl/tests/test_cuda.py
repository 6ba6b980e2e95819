"""A GPU gives the same logits and tokens as the CPU, and training on it can be resumed. Skipped without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.model.sampling import generate
from reference_impl.tests.rounding import greedy
from reference_impl.tokenizer import ByteTokenizer
from reference_impl.training.data import language_model_batches
from reference_impl.training.losses import language_model_loss
from reference_impl.training.trainer import TrainConfig, Trainer

pytestmark = pytest.mark.machine("CUDA")

SMALL: dict[str, Any] = {"vocab_size": 256, "context_length": 32, "d_model": 32, "n_layers": 2, "n_heads": 4}
CONFIGS = [
    Config.gpt2(**SMALL),
    Config.modern(**SMALL, n_kv_heads=2),
    Config.modern(**SMALL, window=5, sinks=2),
    Config.modern(**SMALL, d_latent=10, attention="readable"),
    Config.modern(**SMALL, n_experts=4),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_cuda_logits_and_decoding_match_cpu(config: Config) -> None:
    torch.manual_seed(0)
    on_cpu, ids = LanguageModel(config).double().eval(), torch.randint(256, (2, 20))
    on_gpu = LanguageModel(config).double().cuda().eval()
    on_gpu.load_state_dict(on_cpu.state_dict())
    torch.testing.assert_close(on_gpu(ids.cuda()).cpu(), on_cpu(ids))
    tokens = generate(on_gpu, ids[:, :5].cuda(), 20, temperature=0)
    assert torch.equal(tokens.cpu(), greedy(on_cpu, ids[:, :5], 20))


def make_trainer(folder: Path | None) -> Trainer:
    torch.manual_seed(1)
    model = LanguageModel(Config.modern(**SMALL, dropout=0.1)).cuda()
    batches = language_model_batches(["abcdefgh" * 40], ByteTokenizer(), 16, 4, stride=3)
    config = TrainConfig(steps=8, learning_rate=1e-2, bf16=True, log_every=1, checkpoint_every=4)
    return Trainer(model, language_model_loss, batches, config, folder=folder)


def test_cuda_trainer_resumes_from_checkpoint(tmp_path: Path) -> None:
    """The restored state is bit for bit the same; later losses may differ, as GPU kernels vary in summation order."""
    losses = [row["loss"] for row in make_trainer(None).run()]
    first = make_trainer(tmp_path)
    first.loss = lambda model, batch: language_model_loss(model, batch) if first.step < 5 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        first.run()
    second = make_trainer(tmp_path)
    torch.randn(3, device="cuda")
    assert second.resume()
    assert second.step == 4
    assert [row["loss"] for row in second.run()] == pytest.approx(losses, rel=1e-2)
