"""One transformer block: attention, then an MLP, each with a residual connection.

Pre-norm, as in GPT-2 (Radford et al., 2019) and most models since, normalises the inputs of attention and MLP. The
residual stream itself passes through no norm, so gradients reach the first block undamped (Xiong et al., 2020).
Post-norm, the original, normalises each residual sum. nn.LayerNorm is the fused form of norms.layer_norm.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from reference_impl.model.config import Config
from reference_impl.model.latent_attention import LatentAttention
from reference_impl.model.mlp import GeluMLP, SwiGLU
from reference_impl.model.moe import MoE
from reference_impl.model.multi_head_attention import LayerCache, MultiHeadAttention
from reference_impl.model.norms import RMSNorm

__all__ = ["Block", "norm_layer"]


def norm_layer(config: Config) -> nn.Module:
    """The kind of norm that `config.norm` names: (..., d_model) -> (..., d_model)."""
    if config.norm == "layernorm":
        return nn.LayerNorm(config.d_model, eps=1e-5, bias=config.bias)
    return RMSNorm(config.d_model)


def _attention_layer(config: Config) -> MultiHeadAttention | LatentAttention:
    common: dict[str, Any] = {
        "dropout": config.dropout, "window": config.window, "sinks": config.sinks, "kernel": config.attention,
    }  # fmt: skip
    if config.d_latent:
        return LatentAttention(config.d_model, config.n_heads, config.d_latent, config.d_rope, **common)
    return MultiHeadAttention(config.d_model, config.n_heads, config.n_kv_heads, bias=config.bias, **common)


def _mlp_layer(config: Config) -> GeluMLP | SwiGLU | MoE:
    if config.n_experts:
        return MoE(config.d_model, config.d_ff, config.n_experts, config.experts_per_token)
    if config.mlp == "gelu":
        return GeluMLP(config.d_model, config.d_ff, bias=config.bias, approximate="tanh")
    return SwiGLU(config.d_model, config.d_ff)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): (batch, seq, d_model) -> (batch, seq, d_model).

    With `post_norm`, norm(x + attention(x)), then norm(x + mlp(x)).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.post_norm = config.post_norm
        self.attention_norm = norm_layer(config)
        self.attention = _attention_layer(config)
        self.mlp_norm = norm_layer(config)
        self.mlp = _mlp_layer(config)
        self.dropout = nn.Dropout(config.dropout)
        self.router_logits: Tensor | None = None
        """(tokens, n_experts) of the last forward pass if the MLP is a mixture of experts, else None"""

    def forward(
        self, x: Tensor, positions: Tensor, angles: Tensor | None = None, cache: LayerCache | None = None
    ) -> Tensor:
        """x: (batch, seq, d_model), positions: (seq,), angles: (seq, d_head/2) for RoPE -> (batch, seq, d_model)"""
        if self.post_norm:
            x = self.attention_norm(x + self.dropout(self.attention(x, positions, angles, cache)))
            return self.mlp_norm(x + self.dropout(self._mlp(x)))
        x = x + self.dropout(self.attention(self.attention_norm(x), positions, angles, cache))
        return x + self.dropout(self._mlp(self.mlp_norm(x)))

    def _mlp(self, x: Tensor) -> Tensor:
        """(batch, seq, d_model) -> (batch, seq, d_model); stores the router logits of a mixture of experts."""
        if not isinstance(self.mlp, MoE):
            return self.mlp(x)
        result, self.router_logits = self.mlp(x)
        return result

    def __getstate__(self) -> dict[str, Any]:
        # A tensor with autograd history can be neither copied nor pickled, so a copy starts without router logits.
        return self.__dict__ | {"router_logits": None}
