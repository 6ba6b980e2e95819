"""Compares the gradient of each complete model with finite differences of its loss."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.tests.model.test_language_model import every_config, make_model, random_ids
from reference_impl.training.losses import readable_cross_entropy


def loss(model: LanguageModel) -> Tensor:
    """In float64 throughout; includes the auxiliary loss of a mixture of experts."""
    ids = random_ids()
    plain = readable_cross_entropy(model(ids[:, :-1]), ids[:, 1:])
    return plain + model.auxiliary_loss() if model.config.n_experts else plain


@every_config
def test_model_gradient_matches_finite_differences(config: Config) -> None:
    """Central differences along a random direction through all weights at once."""
    model = make_model(config).double()
    loss(model).backward()
    generator = torch.Generator().manual_seed(2)
    weights = [weight for weight in model.parameters() if weight.grad is not None]
    directions = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for weight in weights]
    slope = sum((weight.grad * direction).sum() for weight, direction in zip(weights, directions, strict=True))
    losses = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for weight, direction in zip(weights, directions, strict=True):
                weight.add_(direction, alpha=step)
            losses.append(loss(model))
    torch.testing.assert_close((losses[0] - losses[1]) / 2e-6, slope, rtol=1e-5, atol=1e-6)
