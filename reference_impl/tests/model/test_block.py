"""Compares the block with torch's encoder layer, pre-norm and post-norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_impl.model.block import Block
from reference_impl.model.config import Config
from reference_impl.model.norms import layer_norm

CONFIG = {"vocab_size": 5, "context_length": 8, "d_model": 12, "n_layers": 1, "n_heads": 3}


@pytest.mark.parametrize("post_norm", [False, True])
def test_block_matches_torch_encoder_layer(post_norm: bool) -> None:
    ours = Block(Config.gpt2(**CONFIG, post_norm=post_norm)).double()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 48, dropout=0.0, activation=nn.GELU(approximate="tanh"), batch_first=True, norm_first=not post_norm,
        dtype=torch.float64,
    )  # fmt: skip
    for seed, parameter in enumerate(ours.parameters()):
        generator = torch.Generator().manual_seed(seed)
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 3
    attention = ours.attention
    projections = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in projections]))
    for their_layer, our_layer in {
        theirs.self_attn.out_proj: attention.out,
        theirs.linear1: ours.mlp.up,
        theirs.linear2: ours.mlp.down,
        theirs.norm1: ours.attention_norm,
        theirs.norm2: ours.mlp_norm,
    }.items():
        their_layer.load_state_dict(our_layer.state_dict())
    x = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(6, dtype=torch.float64)
    torch.testing.assert_close(ours(x, torch.arange(6)), theirs(x, src_mask=mask, is_causal=True))


def test_layer_norm_matches_fused_module() -> None:
    norm = nn.LayerNorm(7, dtype=torch.float64)
    x = torch.randn(3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 5 + 2
    torch.testing.assert_close(norm(x), layer_norm(x, norm.weight, norm.bias, norm.eps))


def test_block_is_identity_when_branches_output_zero() -> None:
    """With zero output projections only the residual connection is left."""
    block = Block(Config.modern(**CONFIG, positions="learned"))
    with torch.no_grad():
        block.attention.out.weight.zero_()
        block.mlp.down.weight.zero_()
    x = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x, torch.arange(6)), x)
