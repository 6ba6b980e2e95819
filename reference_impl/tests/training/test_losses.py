"""Compares the losses with torch's and with their value for a uniform prediction."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.training.losses import language_model_loss, mean_loss, readable_cross_entropy


def test_readable_cross_entropy_matches_torch() -> None:
    logits = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 50
    targets = torch.randint(7, (3, 4), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        readable_cross_entropy(logits, targets), F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    )
    assert torch.autograd.gradcheck(lambda x: readable_cross_entropy(x, targets), logits.requires_grad_())


def test_readable_cross_entropy_of_uniform_logits_is_log_vocab() -> None:
    """In half precision as well."""
    logits, targets = torch.zeros(2, 3, 50257, dtype=torch.bfloat16), torch.zeros(2, 3, dtype=torch.int64)
    assert readable_cross_entropy(logits, targets).item() == pytest.approx(math.log(50257), abs=1e-5)  # 10.82


def test_mean_loss_excludes_dropout_and_auxiliary_loss() -> None:
    """Validation runs in evaluation mode; only the training loss includes the experts' auxiliary loss."""
    config = Config.modern(
        vocab_size=11, context_length=8, d_model=8, n_layers=1, n_heads=2, n_experts=2, d_ff=4, dropout=0.5
    )
    torch.manual_seed(0)
    model = LanguageModel(config)
    inputs, targets = torch.randint(11, (2, 2, 6))
    got = mean_loss(model, language_model_loss, [(inputs, targets), (inputs[:1], targets[:1])])
    assert model.training
    model.eval()
    expected = [readable_cross_entropy(model(inputs[row, None]), targets[row, None]).item() for row in (0, 0, 1)]
    assert got == pytest.approx(sum(expected) / 3)
    model.train()
    torch.manual_seed(1)
    in_training = language_model_loss(model, (inputs, targets))
    torch.manual_seed(1)
    torch.testing.assert_close(in_training, readable_cross_entropy(model(inputs), targets) + model.auxiliary_loss())
    assert model.auxiliary_loss() > 0.01


def test_language_model_loss_of_experts_trains_the_language_too() -> None:
    """Its gradient is that of the cross-entropy and of the auxiliary loss."""
    config = Config.modern(vocab_size=11, context_length=8, d_model=8, n_layers=1, n_heads=2, n_experts=2, d_ff=4)
    torch.manual_seed(0)
    model = LanguageModel(config).double()
    inputs, targets = torch.randint(11, (2, 2, 6))
    parameters = list(model.parameters())
    got = torch.autograd.grad(language_model_loss(model, (inputs, targets)), parameters)
    expected = torch.autograd.grad(readable_cross_entropy(model(inputs), targets) + model.auxiliary_loss(), parameters)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-5)  # the loss is computed in float32
