"""LoRA against peft, and against what the paper promises of it."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.lora import LoRALinear, add_lora, lora_state, merge, parameter_counts, unmerge
from reference_impl.quantization import Int8Linear, quantize_linear_layers


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 5, dtype=torch.float64)
        self.out = nn.Linear(5, 6, bias=False, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.query(x).tanh())


def stack(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(Block(), Block())


def train(model: nn.Module, steps: int = 20) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(drawn(16, 6)) - drawn(16, 6, seed=1)).square().mean().backward()
        optimizer.step()


@given(rank=st.integers(1, 5), alpha=st.sampled_from([0.5, 8.0, 64.0]), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_training_starts_at_the_pretrained_model_exactly(rank: int, alpha: float, seed: int) -> None:
    plain = stack(seed)
    adapted = add_lora(copy.deepcopy(plain), ["query", "out"], rank, alpha)
    assert torch.equal(adapted(drawn(4, 6)), plain(drawn(4, 6)))


def test_only_the_detours_learn() -> None:
    plain = stack()
    adapted = add_lora(copy.deepcopy(plain), ["query"], rank=2)
    assert parameter_counts(adapted) == (2 * 2 * (6 + 5), 2 * (6 * 5 + 5 + 5 * 6) + 2 * 2 * (6 + 5))
    train(adapted)
    assert not torch.allclose(adapted(drawn(4, 6)), plain(drawn(4, 6)))
    frozen = {name.replace(".base", ""): value for name, value in adapted.state_dict().items()}
    assert all(torch.equal(frozen[name], value) for name, value in plain.state_dict().items())
    assert set(lora_state(adapted)) == {f"{block}.query.{part}" for block in (0, 1) for part in "ab"}


def test_the_change_has_the_rank_asked_for() -> None:
    layer = LoRALinear(nn.Linear(9, 7, dtype=torch.float64), rank=3, alpha=6.0)
    nn.init.normal_(layer.b)
    assert torch.linalg.matrix_rank(layer.change()) == 3
    x = drawn(4, 9)
    torch.testing.assert_close(layer(x), layer.base(x) + 2.0 * (x @ layer.a.T) @ layer.b.T)


def test_merging_is_the_same_function_and_can_be_undone() -> None:
    model = add_lora(stack(), ["query", "out"], rank=2)
    train(model)
    x = drawn(4, 6, seed=5)
    apart, weight = model(x), model[0].query.base.weight.clone()
    merge(model)
    merge(model)  # a second time changes nothing
    torch.testing.assert_close(model(x), apart)
    assert not torch.allclose(model[0].query.base.weight, weight)
    unmerge(model)
    torch.testing.assert_close(model[0].query.base.weight, weight)
    torch.testing.assert_close(model(x), apart)


def test_a_quantised_base_learns_through_its_detour_and_refuses_to_merge() -> None:
    model = add_lora(quantize_linear_layers(stack()), ["query"], rank=2)
    codes = model[0].query.base.codes.clone()
    before = (model(drawn(16, 6)) - drawn(16, 6, seed=1)).square().mean()
    train(model)
    after = (model(drawn(16, 6)) - drawn(16, 6, seed=1)).square().mean()
    assert after < 0.9 * before
    assert isinstance(model[0].query.base, Int8Linear)
    assert torch.equal(model[0].query.base.codes, codes)
    with pytest.raises(TypeError, match="dequantise"):
        merge(model)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="no linear layer is called qurey; there are out, query"):
        add_lora(stack(), ["qurey"])
    with pytest.raises(ValueError, match="from 1 to 5, got 6"):
        add_lora(stack(), ["query"], rank=6)


def test_dropout_is_on_the_detour_only() -> None:
    layer = LoRALinear(nn.Linear(6, 5), rank=2, alpha=4.0, dropout=0.5)
    x = torch.ones(3, 6)
    assert torch.equal(layer(x), layer.base(x))
    nn.init.ones_(layer.b)
    torch.manual_seed(0)
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


@pytest.mark.needs("peft")
def test_it_is_pefts() -> None:
    import peft

    torch.manual_seed(0)
    ours = add_lora(stack(), ["query"], rank=2, alpha=6.0)
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["query"], lora_dropout=0.0)
    theirs = peft.get_peft_model(stack(), config, autocast_adapter_dtype=False)
    for index in (0, 1):
        layer = theirs.base_model.model[index].query
        assert layer.lora_A["default"].weight.shape == ours[index].query.a.shape
        assert torch.equal(layer.lora_B["default"].weight, ours[index].query.b)  # both are zero
        nn.init.normal_(ours[index].query.b)
        layer.lora_A["default"].weight.data = ours[index].query.a.data.clone()
        layer.lora_B["default"].weight.data = ours[index].query.b.data.clone()
    x = drawn(4, 6, seed=3)
    torch.testing.assert_close(ours(x), theirs(x))
    assert parameter_counts(ours) == theirs.get_nb_trainable_parameters()
    merge(ours)
    torch.testing.assert_close(ours(x), theirs.merge_and_unload()(x))
