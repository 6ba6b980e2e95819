"""Compares LoRA with peft and with the properties that the paper states."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.adaptation.lora import LoRALinear, add_lora, lora_state, merge, parameter_counts, unmerge
from reference_impl.adaptation.quantization import Int8Linear, quantize_linear_layers


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 5, dtype=torch.float64)
        self.out = nn.Linear(5, 6, bias=False, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.query(x).tanh())


def make_stack(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(Block(), Block())


def train(model: nn.Module, steps: int = 20) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(draw(16, 6)) - draw(16, 6, seed=1)).square().mean().backward()
        optimizer.step()


@given(rank=st.integers(1, 5), alpha=st.sampled_from([0.5, 8.0, 64.0]), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_add_lora_keeps_the_outputs_exactly(rank: int, alpha: float, seed: int) -> None:
    plain = make_stack(seed)
    adapted = add_lora(copy.deepcopy(plain), ["query", "out"], rank, alpha)
    assert torch.equal(adapted(draw(4, 6)), plain(draw(4, 6)))


def test_add_lora_trains_only_the_adapters() -> None:
    plain = make_stack()
    adapted = add_lora(copy.deepcopy(plain), ["query"], rank=2)
    assert parameter_counts(adapted) == (2 * 2 * (6 + 5), 2 * (6 * 5 + 5 + 5 * 6) + 2 * 2 * (6 + 5))
    train(adapted)
    assert not torch.allclose(adapted(draw(4, 6)), plain(draw(4, 6)))
    frozen = {name.replace(".base", ""): value for name, value in adapted.state_dict().items()}
    assert all(torch.equal(frozen[name], value) for name, value in plain.state_dict().items())
    assert set(lora_state(adapted)) == {f"{block}.query.{part}" for block in (0, 1) for part in "ab"}


def test_lora_linear_update_has_the_requested_rank() -> None:
    layer = LoRALinear(nn.Linear(9, 7, dtype=torch.float64), rank=3, alpha=6.0)
    nn.init.normal_(layer.b)
    assert torch.linalg.matrix_rank(layer.delta()) == 3
    x = draw(4, 9)
    torch.testing.assert_close(layer(x), layer.base(x) + 2.0 * (x @ layer.a.T) @ layer.b.T)


def list_adapted(model: nn.Module) -> list[LoRALinear]:
    return [layer for layer in model.modules() if isinstance(layer, LoRALinear)]


def test_merge_keeps_the_outputs_and_unmerge_undoes_it() -> None:
    model = add_lora(make_stack(), ["query", "out"], rank=2)
    train(model)
    x = draw(4, 6, seed=5)
    before, weights = model(x), [layer.base.weight.clone() for layer in list_adapted(model)]
    merge(model)
    merge(model)  # a second time changes nothing
    torch.testing.assert_close(model(x), before)
    for layer, weight in zip(list_adapted(model), weights, strict=True):
        assert not torch.allclose(layer.base.weight, weight)
    unmerge(model)
    assert len(weights) == 4
    for layer, weight in zip(list_adapted(model), weights, strict=True):
        torch.testing.assert_close(layer.base.weight, weight)
    torch.testing.assert_close(model(x), before)


def test_lora_linear_trains_on_a_quantised_base() -> None:
    """The int8 codes stay as they are, so merging is refused."""
    model = add_lora(quantize_linear_layers(make_stack()), ["query"], rank=2)
    codes = model[0].query.base.codes.clone()
    before = (model(draw(16, 6)) - draw(16, 6, seed=1)).square().mean()
    train(model)
    after = (model(draw(16, 6)) - draw(16, 6, seed=1)).square().mean()
    assert after < 0.9 * before
    assert isinstance(model[0].query.base, Int8Linear)
    assert torch.equal(model[0].query.base.codes, codes)
    with pytest.raises(TypeError, match="dequantise"):
        merge(model)


def test_add_lora_rejects_unknown_targets_and_ranks() -> None:
    with pytest.raises(ValueError, match="no linear layer is called qurey; there are out, query"):
        add_lora(make_stack(), ["qurey"])
    with pytest.raises(ValueError, match="from 1 to 5, got 6"):
        add_lora(make_stack(), ["query"], rank=6)


def test_lora_linear_dropout_acts_on_the_adapter_only() -> None:
    layer = LoRALinear(nn.Linear(6, 5), rank=2, alpha=4.0, dropout=0.5)
    x = torch.ones(3, 6)
    assert torch.equal(layer(x), layer.base(x))
    nn.init.ones_(layer.b)
    torch.manual_seed(0)
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


@pytest.mark.needs("peft")
def test_add_lora_matches_peft() -> None:
    import peft

    torch.manual_seed(0)
    ours = add_lora(make_stack(), ["query"], rank=2, alpha=6.0)
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["query"], lora_dropout=0.0)
    theirs = peft.get_peft_model(make_stack(), config, autocast_adapter_dtype=False)
    for index in (0, 1):
        layer = theirs.base_model.model[index].query
        assert layer.lora_A["default"].weight.shape == ours[index].query.a.shape
        assert torch.equal(layer.lora_B["default"].weight, ours[index].query.b)  # both are zero
        nn.init.normal_(ours[index].query.b)
        layer.lora_A["default"].weight.data = ours[index].query.a.data.clone()
        layer.lora_B["default"].weight.data = ours[index].query.b.data.clone()
    x = draw(4, 6, seed=3)
    torch.testing.assert_close(ours(x), theirs(x))
    assert parameter_counts(ours) == theirs.get_nb_trainable_parameters()
    merge(ours)
    torch.testing.assert_close(ours(x), theirs.merge_and_unload()(x))
