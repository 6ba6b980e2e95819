"""The configuration of a model: every size, and the choice between GPT-2's parts and modern ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from reference_impl.model.mlp import swiglu_width

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """Sizes are in tokens (context_length, window, sinks) or features (d_...); n_... are counts.

    Raises ValueError for sizes that do not fit together.
    """

    vocab_size: int
    context_length: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    """the width of the MLP, or of each expert in a mixture of experts"""
    norm: Literal["layernorm", "rmsnorm"] = "rmsnorm"
    post_norm: bool = False
    """normalise after each residual sum, as in Vaswani et al. (2017), instead of before attention and MLP"""
    mlp: Literal["gelu", "swiglu"] = "swiglu"
    positions: Literal["learned", "sinusoidal", "rope"] = "rope"
    window: int | None = None
    """the number of tokens that a token attends to, itself included; None: all before it"""
    sinks: int = 0
    """the number of tokens at the start of the sequence that every token attends to, in addition to the window"""
    d_latent: int = 0
    """the width of the latent that latent attention caches per token; 0: ordinary keys and values"""
    n_experts: int = 0
    """0: every block has one dense MLP"""
    experts_per_token: int = 2
    dropout: float = 0.0
    tie_weights: bool = True
    bias: bool = False
    rope_base: float = 10000.0
    attention: Literal["readable", "fused"] = "fused"
    """readable: written out; fused: torch's scaled_dot_product_attention"""

    @classmethod
    def gpt2(cls, **changes: Any) -> Config:
        """GPT-2 small (Radford et al., 2019): 124,439,808 parameters. `d_ff` and `n_kv_heads` follow `changes`.

        Dropout is 0.1 in the paper's training, and 0 here by default.
        """
        d_model, n_heads = changes.get("d_model", 768), changes.get("n_heads", 12)
        sizes = {"vocab_size": 50257, "context_length": 1024, "d_model": d_model, "n_layers": 12, "n_heads": n_heads}
        derived = {"n_kv_heads": n_heads, "d_ff": 4 * d_model}
        parts = {"norm": "layernorm", "mlp": "gelu", "positions": "learned", "bias": True}
        return cls(**sizes | derived | parts | changes)

    @classmethod
    def modern(cls, **changes: Any) -> Config:
        """The parts of Llama and Mistral (Touvron et al., 2023; Jiang et al., 2023) at GPT-2 small's size.

        RMSNorm, SwiGLU, RoPE, no biases, and one key and value head per three query heads where 3 divides n_heads.
        """
        d_model, n_heads = changes.get("d_model", 768), changes.get("n_heads", 12)
        sizes = {"vocab_size": 50257, "context_length": 1024, "d_model": d_model, "n_layers": 12, "n_heads": n_heads}
        derived = {
            "n_kv_heads": n_heads // 3 if n_heads % 3 == 0 else n_heads,
            "d_ff": swiglu_width(d_model, multiple_of=32),
        }
        return cls(**sizes | derived | changes)

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff"):
            _require(getattr(self, name) > 0, f"{name}={getattr(self, name)} must be positive")
        for name in ("norm", "mlp", "positions", "attention"):
            allowed = get_args(get_type_hints(Config)[name])
            _require(getattr(self, name) in allowed, f"{name}={getattr(self, name)!r} must be one of {allowed}")
        _require(self.d_model % self.n_heads == 0, f"n_heads={self.n_heads} does not divide d_model={self.d_model}")
        _require(
            self.n_heads % self.n_kv_heads == 0, f"n_kv_heads={self.n_kv_heads} does not divide n_heads={self.n_heads}"
        )
        _require(self.positions != "rope" or self.d_head % 2 == 0, f"RoPE needs an even d_head, got {self.d_head}")
        _require(
            self.d_latent == 0 or (self.positions == "rope" and not self.bias and self.d_head % 4 == 0),
            f"d_latent={self.d_latent} needs RoPE, no biases, and a d_head divisible by 4, got d_head={self.d_head}",
        )
        _require(self.window is None or self.window > 0, f"window={self.window} must be positive, or None")
        _require(self.sinks == 0 or self.window is not None, f"sinks={self.sinks} has no effect without a window")
        _require(
            self.n_experts == 0 or 0 < self.experts_per_token <= self.n_experts,
            f"experts_per_token={self.experts_per_token} must be from 1 to n_experts={self.n_experts}",
        )

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    @property
    def d_rope(self) -> int:
        """The number of features of a query or key that RoPE rotates.

        All of d_head; in latent attention, d_head / 2 separate ones.
        """
        return self.d_head // 2 if self.d_latent else self.d_head

    @property
    def longest_text(self) -> int | None:
        """The largest number of tokens that the model reads; None where a window makes every length possible.

        Learned positions end; with RoPE only distances matter, and a window bounds those (except for sinks).
        """
        return None if self.positions == "rope" and self.window is not None else self.context_length


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(f"Config: {message}")
