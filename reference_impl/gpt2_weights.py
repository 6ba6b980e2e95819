"""GPT-2's published weights under our names: what is called how, what is joined, and what is transposed.

The names are those of transformers' `GPT2LMHeadModel`. Its `Conv1D` multiplies x @ W with W: (in, out), and nn.Linear
x @ Wᵀ with W: (out, in), so every matrix of a block is transposed; query, key and value are one matrix there. Nothing
is downloaded here: hand in a state dict that you have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from reference_impl.config import Config

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

    Raises ValueError for what is missing, and for what there is no place for.
    """
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    masks = {
        name for name in theirs if name.endswith((".attn.bias", ".attn.masked_bias"))
    }  # of old versions, no weights
    needed = set(gpt2_names(config))
    missing, unknown = needed - theirs.keys(), theirs.keys() - needed - masks - {"lm_head.weight"}
    if missing or unknown:
        raise ValueError(
            f"GPT-2 weights for {config.n_layers} layers: missing {sorted(missing)[:3]}, unknown {sorted(unknown)[:3]}"
        )
    ours = {our_name: theirs[their_name] for their_name, our_name in OUTSIDE.items()}
    for layer in range(config.n_layers):
        ours |= dict(_block(theirs, f"h.{layer}", f"blocks.{layer}"))
    ours["unembed.weight"] = theirs.get("lm_head.weight", theirs["wte.weight"])
    return ours


def gpt2_names(config: Config) -> Iterator[str]:
    """Every weight that GPT-2 has apart from the unembedding, which is the token embedding."""
    yield from OUTSIDE
    for layer in range(config.n_layers):
        for module in (*NORMS, "attn.c_attn", *TRANSPOSED):
            yield f"h.{layer}.{module}.weight"
            yield f"h.{layer}.{module}.bias"


def _block(theirs: Mapping[str, Tensor], there: str, here: str) -> Iterator[tuple[str, Tensor]]:
    for kind in ("weight", "bias"):
        for their_name, our_name in NORMS.items():
            yield f"{here}.{our_name}.{kind}", theirs[f"{there}.{their_name}.{kind}"]
        for their_name, our_name in TRANSPOSED.items():
            yield f"{here}.{our_name}.{kind}", _as_linear(theirs[f"{there}.{their_name}.{kind}"])
        joined = _as_linear(theirs[f"{there}.attn.c_attn.{kind}"])  # (3 · d_model, d_model), or (3 · d_model,)
        for our_name, part in zip(("query", "key", "value"), joined.chunk(3), strict=True):
            yield f"{here}.attention.{our_name}.{kind}", part


def _as_linear(conv1d: Tensor) -> Tensor:
    """(in, out) -> (out, in) for a weight; a bias stays as it is."""
    return conv1d.T if conv1d.dim() == 2 else conv1d
