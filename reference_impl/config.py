"""What a model is made of: every size and every choice between an old part and a modern one, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from reference_impl.mlp import swiglu_width

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """Sizes are counted in tokens (context_length, window, sinks), features (d_...) or pieces (n_...)."""

    vocab_size: int
    context_length: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    """the width of the MLP; of each expert, where there are experts"""
    norm: Literal["layernorm", "rmsnorm"] = "rmsnorm"
    post_norm: bool = False
    """each norm after its sum, as in Vaswani et al. (2017), and not before attention and MLP"""
    mlp: Literal["gelu", "swiglu"] = "swiglu"
    positions: Literal["learned", "sinusoidal", "rope"] = "rope"
    window: int | None = None
    """how many tokens a token sees, itself among them; None: all before it"""
    sinks: int = 0
    """how many tokens at the start of the text stay visible behind the window"""
    d_latent: int = 0
    """the width of what latent attention caches for a token; 0: keys and values as they are"""
    n_experts: int = 0
    """0: every block has one dense MLP"""
    experts_per_token: int = 2
    dropout: float = 0.0
    tie_weights: bool = True
    bias: bool = False
    rope_base: float = 10000.0
    attention: Literal["readable", "fused"] = "fused"
    """written out with its scores, or torch's scaled_dot_product_attention"""

    @classmethod
    def gpt2(cls, **changes: Any) -> Config:
        """GPT-2 small (Radford et al., 2019): 124,439,808 parameters. `d_ff` and `n_kv_heads` follow what you change.

        Dropout is 0.1 in the paper's training and 0 here: ask for it.
        """
        d_model, n_heads = changes.get("d_model", 768), changes.get("n_heads", 12)
        sizes = {"vocab_size": 50257, "context_length": 1024, "d_model": d_model, "n_layers": 12, "n_heads": n_heads}
        followers = {"n_kv_heads": n_heads, "d_ff": 4 * d_model}
        parts = {"norm": "layernorm", "mlp": "gelu", "positions": "learned", "bias": True}
        return cls(**sizes | followers | parts | changes)

    @classmethod
    def modern(cls, **changes: Any) -> Config:
        """The parts of Llama and Mistral (Touvron et al., 2023; Jiang et al., 2023) at GPT-2 small's size.

        RMSNorm, SwiGLU, RoPE, no biases, and a key and value head for every three query heads where that divides.
        """
        d_model, n_heads = changes.get("d_model", 768), changes.get("n_heads", 12)
        sizes = {"vocab_size": 50257, "context_length": 1024, "d_model": d_model, "n_layers": 12, "n_heads": n_heads}
        followers = {
            "n_kv_heads": n_heads // 3 if n_heads % 3 == 0 else n_heads,
            "d_ff": swiglu_width(d_model, multiple_of=32),
        }
        return cls(**sizes | followers | changes)

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff"):
            _require(getattr(self, name) > 0, f"{name}={getattr(self, name)} must be positive")
        for name in ("norm", "mlp", "positions", "attention"):
            allowed = get_args(get_type_hints(Config)[name])
            _require(getattr(self, name) in allowed, f"{name}={getattr(self, name)!r} is none of {allowed}")
        _require(self.d_model % self.n_heads == 0, f"n_heads={self.n_heads} does not divide d_model={self.d_model}")
        _require(
            self.n_heads % self.n_kv_heads == 0, f"n_kv_heads={self.n_kv_heads} does not divide n_heads={self.n_heads}"
        )
        _require(
            self.positions != "rope" or self.d_head % 2 == 0, f"RoPE needs an even d_head, and it is {self.d_head}"
        )
        _require(
            self.d_latent == 0 or (self.positions == "rope" and not self.bias and self.d_head % 4 == 0),
            f"d_latent={self.d_latent} needs RoPE, no biases, and a d_head divisible by 4, and it is {self.d_head}",
        )
        _require(self.window is None or self.window > 0, f"window={self.window} must be positive, or None")
        _require(self.sinks == 0 or self.window is not None, f"sinks={self.sinks} means nothing without a window")
        _require(
            self.n_experts == 0 or 0 < self.experts_per_token <= self.n_experts,
            f"experts_per_token={self.experts_per_token} must be from 1 to n_experts={self.n_experts}",
        )

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    @property
    def d_rope(self) -> int:
        """How many features of a query or key RoPE turns: all; in latent attention, half as many again beside them."""
        return self.d_head // 2 if self.d_latent else self.d_head

    @property
    def longest_text(self) -> int | None:
        """How many tokens the model reads at most; None where a window bounds what a token sees, however long the text.

        Learned positions end; with RoPE only distances count, and a window keeps those as in training (but for sinks).
        """
        return None if self.positions == "rope" and self.window is not None else self.context_length


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(f"Config: {complaint}")
