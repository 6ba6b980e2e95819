"""Converts GPT-2's published weights to the names and layout of `LanguageModel`.

The names are those of transformers' `GPT2LMHeadModel`. Its `Conv1D` multiplies x @ W with W: (in, out), and nn.Linear
x @ Wᵀ with W: (out, in), so every matrix of a block is transposed; query, key and value are one matrix there. The
caller supplies the state dict; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from reference_impl.model.config import Config

__all__ = ["from_gpt2", "gpt2_names"]

OUTSIDE = {
    "wte.weight": "embedding.tokens.weight",
    "wpe.weight": "embedding.positions.weight",
    "ln_f.weight": "norm.weight",
    "ln_f.bias": "norm.bias",
}
NORMS = {"ln_1": "attention_norm", "ln_2": "mlp_norm"}
TRANSPOSED = {"attn.c_proj": "attention.out", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down"}


def from_gpt2(weights: Mapping[str, Tensor], config: Config) -> dict[str, Tensor]:
    """A state dict of `GPT2LMHeadModel` or `GPT2Model` -> one for `LanguageModel(config)`.

    Raises ValueError for missing and for unknown weights.
    """
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    masks = {name for name in theirs if name.endswith((".attn.bias", ".attn.masked_bias"))}  # buffers of old versions
    needed = set(gpt2_names(config))
    missing, unknown = needed - theirs.keys(), theirs.keys() - needed - masks - {"lm_head.weight"}
    if missing or unknown:
        raise ValueError(
            f"GPT-2 weights for {config.n_layers} layers: missing {sorted(missing)[:3]}, unknown {sorted(unknown)[:3]}"
        )
    ours = {our_name: theirs[their_name] for their_name, our_name in OUTSIDE.items()}
    for layer in range(config.n_layers):
        ours |= dict(_convert_block(theirs, f"h.{layer}", f"blocks.{layer}"))
    ours["unembed.weight"] = theirs.get("lm_head.weight", theirs["wte.weight"])
    return ours


def gpt2_names(config: Config) -> Iterator[str]:
    """The names of GPT-2's weights, without the unembedding, which is tied to the token embedding."""
    yield from OUTSIDE
    for layer in range(config.n_layers):
        for module in (*NORMS, "attn.c_attn", *TRANSPOSED):
            yield f"h.{layer}.{module}.weight"
            yield f"h.{layer}.{module}.bias"


def _convert_block(theirs: Mapping[str, Tensor], their_prefix: str, our_prefix: str) -> Iterator[tuple[str, Tensor]]:
    for kind in ("weight", "bias"):
        for their_name, our_name in NORMS.items():
            yield f"{our_prefix}.{our_name}.{kind}", theirs[f"{their_prefix}.{their_name}.{kind}"]
        for their_name, our_name in TRANSPOSED.items():
            yield f"{our_prefix}.{our_name}.{kind}", _as_linear(theirs[f"{their_prefix}.{their_name}.{kind}"])
        qkv = _as_linear(theirs[f"{their_prefix}.attn.c_attn.{kind}"])  # (3 · d_model, d_model), or (3 · d_model,)
        for our_name, part in zip(("query", "key", "value"), qkv.chunk(3), strict=True):
            yield f"{our_prefix}.attention.{our_name}.{kind}", part


def _as_linear(conv1d: Tensor) -> Tensor:
    """(in, out) -> (out, in) for a weight; a bias stays as it is."""
    return conv1d.T if conv1d.dim() == 2 else conv1d
