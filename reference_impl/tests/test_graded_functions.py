"""Every function that grades an assignment is differentiable, works on any device and keeps its promise of a dtype.

Its values are compared in the test file of its module. The devices are tried with torch's meta device, on
which a tensor that a function makes for itself on the CPU is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import dpo, grpo, ppo, reward_model
from reference_impl.finetuning import sft
from reference_impl.model import attention, kv_cache, mlp, moe, norms, rope
from reference_impl.model.dtypes import upcast

Function = Callable[..., Tensor | tuple[Tensor, ...]]


class Case(NamedTuple):
    """A function of floating tensors alone, other arguments being bound; its inputs' shapes; the dtypes of its result.

    `half` is the dtype of the result for bfloat16 inputs: their own, or float32 at least.
    """

    function: Function
    shapes: tuple[tuple[int, ...], ...]
    half: torch.dtype = torch.bfloat16


F32 = torch.float32
LABELS = torch.tensor([[0, 2, -100, 1], [3, -100, 0, 4]])
TOKENS = torch.tensor([[0, 2, 1, 1], [3, 2, 0, 4]])
OLD = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)
KEPT = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1]], dtype=torch.bool)
POSITIONS = torch.tensor([3, 4, 5])
PAIR = ((3,), (3,))


def like(tensor: Tensor, value: Tensor) -> Tensor:
    """A constant argument on the device of the others, and if it is floating, in their dtype."""
    return value.to(tensor.device, tensor.dtype if value.is_floating_point() else value.dtype)


def run_two_experts(x: Tensor, gates: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return moe.run_experts(x, gates, [lambda rows: torch.tanh(rows @ first), lambda rows: torch.tanh(rows @ second)])


CASES = {
    "attention.attention_weights": Case(attention.attention_weights, ((2, 3, 4), (2, 5, 4))),
    "attention.attention_weights causal": Case(
        lambda q, k: attention.attention_weights(q, k, causal=True), ((2, 3, 4), (2, 3, 4))
    ),
    "attention.padded_attention_weights": Case(
        lambda q, k: attention.padded_attention_weights(q, k, like(q, KEPT)), ((2, 3, 4), (2, 4, 4))
    ),
    "attention.attend": Case(attention.attend, ((2, 3, 5), (2, 5, 4))),
    "norms.rms_norm": Case(norms.rms_norm, ((3, 4), (4,))),
    "norms.layer_norm": Case(norms.layer_norm, ((3, 4), (4,), (4,))),
    "norms.rms_norm_backward": Case(norms.rms_norm_backward, ((3, 4), (3, 4), (4,))),
    "rope.rotate": Case(lambda x, angles: rope.rotate(x, upcast(angles)), ((2, 3, 4), (3, 2))),
    "rope.apply_rope": Case(lambda x: rope.apply_rope(x, like(x, POSITIONS)), ((2, 3, 4),)),
    "rope.rope_scores": Case(rope.rope_scores, ((2, 2, 4), (2, 3, 4))),
    "mlp.silu": Case(mlp.silu, ((3, 4),)),
    "mlp.gelu": Case(mlp.gelu, ((3, 4),)),
    "mlp.gelu_mlp": Case(mlp.gelu_mlp, ((3, 4), (5, 4), (4, 5))),
    "mlp.swiglu": Case(mlp.swiglu, ((3, 4), (5, 4), (5, 4), (4, 5))),
    "mlp.swiglu_backward": Case(mlp.swiglu_backward, ((3, 4), (3, 4), (3, 4))),
    "kv_cache.cached_attention": Case(kv_cache.cached_attention, ((2, 2, 4), (2, 3, 4), (2, 3, 5))),
    "moe.route": Case(lambda logits: moe.route(logits, 2), ((5, 4),)),
    "moe.run_experts": Case(run_two_experts, ((5, 3), (5, 2), (3, 3), (3, 3))),
    "moe.balance_loss": Case(lambda logits: moe.balance_loss(logits, 2), ((5, 4),), F32),
    "moe.router_z_loss": Case(moe.router_z_loss, ((5, 4),), F32),
    "moe.limit_capacity": Case(lambda gates: moe.limit_capacity(gates, 2), ((5, 3),)),
    "sft.sft_loss": Case(lambda logits: sft.sft_loss(logits, like(logits, LABELS)), ((2, 4, 5),), F32),
    "reward_model.reward": Case(
        lambda hidden, weight: reward_model.reward(hidden, like(hidden, KEPT), weight), ((2, 4, 3), (1, 3))
    ),
    "reward_model.bradley_terry_loss": Case(reward_model.bradley_terry_loss, PAIR, F32),
    "reward_model.bradley_terry_loss with margins": Case(reward_model.bradley_terry_loss, (*PAIR, (3,)), F32),
    "reward_model.margin_ranking_loss": Case(reward_model.margin_ranking_loss, PAIR, F32),
    "reward_model.normalise_scores": Case(reward_model.normalise_scores, ((3,), (5,)), F32),
    "dpo.sequence_logprobs": Case(
        lambda logits: dpo.sequence_logprobs(logits, like(logits, TOKENS), like(logits, KEPT)), ((2, 4, 5),), F32
    ),
    "dpo.dpo_loss": Case(
        lambda chosen, rejected: dpo.dpo_loss(chosen, rejected, like(chosen, OLD[0]), like(chosen, OLD[1]), 0.3, 0.1),
        PAIR,
    ),
    "grpo.clipped_surrogate": Case(
        lambda new: grpo.clipped_surrogate(new, like(new, OLD), like(new, OLD[:, 0])), ((2, 3),), F32
    ),
    "grpo.kl_estimate": Case(lambda new: grpo.kl_estimate(new, like(new, OLD)), ((2, 3),)),
    "grpo.masked_mean": Case(lambda values: grpo.masked_mean(values, like(values, KEPT)), ((2, 4),)),
    "ppo.value_loss": Case(lambda values: ppo.value_loss(values, like(values, OLD), like(values, OLD + 1)), ((2, 3),)),
}
NEEDS_VALUES = {"moe.run_experts", "moe.balance_loss", "sft.sft_loss"}
"""they count or select by values, which the meta device does not hold"""
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def draw(case: Case, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in case.shapes]


@every_case
def test_graded_function_is_differentiable(case: Case) -> None:
    """Its gradients are those of finite differences, where it is smooth. References and old policies are constants."""
    assert torch.autograd.gradcheck(case.function, [part.requires_grad_() for part in draw(case)])


@pytest.mark.parametrize("name", sorted(CASES.keys() - NEEDS_VALUES))
def test_graded_function_works_on_the_device_of_its_inputs(name: str) -> None:
    case = CASES[name]
    result = case.function(*(part.to("meta") for part in draw(case)))
    for part in result if isinstance(result, tuple) else (result,):
        assert part.device.type == "meta"


@every_case
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_graded_function_has_the_dtype_that_it_promises(case: Case, dtype: torch.dtype) -> None:
    result = case.function(*draw(case, dtype))
    for part in result if isinstance(result, tuple) else (result,):
        assert part.dtype == (case.half if dtype == torch.bfloat16 else dtype)
