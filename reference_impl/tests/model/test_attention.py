"""Compares the reference with PyTorch's attention, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impl.model.attention import AttentionHead, attend, attention_weights, padded_attention_weights


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize(("seq_q", "seq_k", "d_head", "d_v"), [(5, 5, 4, 4), (2, 7, 3, 5), (6, 1, 1, 2)])
def test_attend_matches_torch(batch: tuple[int, ...], seq_q: int, seq_k: int, d_head: int, d_v: int) -> None:
    q, k, v = draw(*batch, seq_q, d_head, seed=1), draw(*batch, seq_k, d_head, seed=2), draw(*batch, seq_k, d_v, seed=3)
    torch.testing.assert_close(attend(attention_weights(q, k), v), F.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize("seq", [1, 2, 9])
def test_attention_weights_causal_matches_torch(seq: int) -> None:
    q, k, v = draw(2, seq, 4, seed=1), draw(2, seq, 4, seed=2), draw(2, seq, 4, seed=3)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(attend(attention_weights(q, k, causal=True), v), expected)


def test_attention_weights_rejects_causal_with_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="as many queries as keys"):
        attention_weights(draw(2, 4), draw(3, 4), causal=True)


def test_attention_weights_upcasts_half_precision() -> None:
    q = torch.full((2, 64), 100.0, dtype=torch.float16)  # q·k = 640 000, above the largest float16
    weights = attention_weights(q, q)
    assert weights.dtype == torch.float16
    torch.testing.assert_close(weights, torch.full((2, 2), 0.5, dtype=torch.float16))


def test_padded_attention_weights_matches_torch() -> None:
    q, k, v = draw(3, 4, 2, seed=1), draw(3, 5, 2, seed=2), draw(3, 5, 2, seed=3)
    is_padding = torch.tensor([[0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]], dtype=torch.bool)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=~is_padding[:, None, :])
    torch.testing.assert_close(attend(padded_attention_weights(q, k, is_padding), v), expected)


def test_padded_attention_weights_is_zero_where_all_keys_are_padding() -> None:
    """The weights and their gradients are 0, not nan."""
    q, k = draw(1, 2, 3, seed=1).requires_grad_(), draw(1, 4, 3, seed=2).requires_grad_()
    weights = padded_attention_weights(q, k, torch.ones(1, 4, dtype=torch.bool))
    weights.sum().backward()
    assert not weights.any()
    assert not q.grad.any()
    assert not k.grad.any()


def test_attention_head_matches_torch() -> None:
    head = AttentionHead(6, 4, dropout=0.5).double().eval()
    x = draw(2, 7, 6)
    expected = F.scaled_dot_product_attention(head.query(x), head.key(x), head.value(x), is_causal=True)
    torch.testing.assert_close(head(x), expected)


def test_attention_head_dropout_acts_on_weights() -> None:
    """At p = 0.5 each attention weight is either 0 or scaled up by 1 / (1 - p) = 2."""
    torch.manual_seed(0)
    head = AttentionHead(8, 8, dropout=0.5).double()
    with torch.no_grad():
        head.value.weight.copy_(torch.eye(8))
    x = torch.eye(8, dtype=torch.float64)  # with identity values, the output is the attention weights
    dropped = head(x)
    weights = head.eval()(x)
    nonzero = dropped != 0
    assert 0 < nonzero.sum() < 36
    torch.testing.assert_close(dropped, 2 * weights * nonzero)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_weights_have_the_gradients_of_their_formula(causal: bool) -> None:
    q, k, v = (draw(2, 3, 4, seed=seed).requires_grad_() for seed in range(3))
    assert torch.autograd.gradcheck(lambda q, k: attention_weights(q, k, causal), (q, k))
    assert torch.autograd.gradcheck(lambda q, k, v: attend(attention_weights(q, k), v), (q, k, v))
    padding = torch.tensor([[0, 0, 1], [1, 0, 0]], dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda q, k: padded_attention_weights(q, k, padding), (q, k))


def test_attention_head_learns_three_weights() -> None:
    """No biases, and no dropout unless it is asked for."""
    head = AttentionHead(6, 4)
    shapes = {name: tuple(weight.shape) for name, weight in head.named_parameters()}
    assert shapes == {f"{name}.weight": (4, 6) for name in ("query", "key", "value")}
    assert head.dropout.p == 0
