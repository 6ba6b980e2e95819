"""The language model: embedding, blocks, norm, unembedding. GPT-2 and its modern successors by choice of `Config`.

model = LanguageModel(Config.modern(vocab_size=1024, d_model=128, n_layers=4, n_heads=4))
logits = model(ids)                        # (batch, seq) -> (batch, seq, vocab_size)

cache = model.new_cache(batch=1)           # the same logits, reading the sequence in parts
model(ids[:, :5], cache), model(ids[:, 5:6], cache)
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from reference_impl.model.block import Block, norm_layer
from reference_impl.model.config import Config
from reference_impl.model.dtypes import widen_dtype
from reference_impl.model.embeddings import Embedding
from reference_impl.model.initialisation import initialise
from reference_impl.model.kv_cache import KVCache
from reference_impl.model.moe import balance_loss, router_z_loss
from reference_impl.model.rope import rope_frequencies
from reference_impl.model.sliding_window import RollingCache

__all__ = ["Config", "LanguageModel", "ModelCache", "extend_vocabulary", "parameter_count"]

BALANCE_WEIGHT, Z_WEIGHT = 0.01, 0.001
"""Switch (Fedus et al., 2021, section 2.2) and ST-MoE (Zoph et al., 2022, section 3.2)"""


class ModelCache:
    """The caches of all layers for one batch of sequences: `RollingCache` with a window, else `KVCache`."""

    def __init__(self, config: Config, batch: int) -> None:
        self.batch = batch
        self.layers = [
            KVCache() if config.window is None else RollingCache(config.window, config.sinks)
            for _ in range(config.n_layers)
        ]

    def length(self) -> int:
        """The number of positions read."""
        return self.layers[0].length()

    def select(self, rows: Tensor) -> None:
        """rows: (new_batch,), indices of the sequences to continue, in the new order; an index may be repeated."""
        self.batch = len(rows)
        for layer in self.layers:
            layer.select(rows)

    def reset(self) -> None:
        for layer in self.layers:
            layer.reset()


class LanguageModel(nn.Module):
    """(batch, seq) of token ids -> (batch, seq, vocab_size) of logits for each next token.

    The model is causal, so padding on the right does not change the logits before it.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(
            config.vocab_size, config.context_length, config.d_model, config.positions, config.dropout
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = nn.Identity() if config.post_norm else norm_layer(config)
        self.unembed = nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self, config.n_layers)
        if config.tie_weights:
            self.unembed.weight = self.embedding.tokens.weight

    def forward(self, ids: Tensor, cache: ModelCache | None = None) -> Tensor:
        """ids: (batch, seq) -> (batch, seq, vocab_size). With a cache, `ids` follow the tokens that it has read.

        Raises ValueError for a sequence that is too long, or a cache of another batch size.
        """
        return self.unembed(self.hidden(ids, cache))

    def hidden(self, ids: Tensor, cache: ModelCache | None = None) -> Tensor:
        """ids: (batch, seq) -> (batch, seq, d_model): the input of the unembedding, or of another head."""
        positions = self._positions(ids, cache)
        x = self.embedding(ids, positions)
        angles = self._angles(positions, x.dtype)
        for index, block in enumerate(self.blocks):
            x = block(x, positions, angles, None if cache is None else cache.layers[index])
        return self.norm(x)

    def new_cache(self, batch: int) -> ModelCache:
        """An empty cache for a batch of `batch` sequences."""
        return ModelCache(self.config, batch)

    def auxiliary_loss(self) -> Tensor:
        """(): the router losses of the last forward pass; 0 for a dense model.

        0.01 · balance loss + 0.001 · z-loss, each the mean over layers.
        """
        layers = [block.router_logits for block in self.blocks if isinstance(block, Block)]
        logits = [layer for layer in layers if layer is not None]
        if not logits:
            return self.unembed.weight.new_zeros(())
        k = self.config.experts_per_token
        losses = [BALANCE_WEIGHT * balance_loss(layer, k) + Z_WEIGHT * router_z_loss(layer) for layer in logits]
        return torch.stack(losses).mean()

    def _positions(self, ids: Tensor, cache: ModelCache | None) -> Tensor:
        """(seq,): the positions of `ids` in the sequence."""
        if cache is not None and cache.batch != ids.shape[0]:
            raise ValueError(f"the cache was made for a batch of {cache.batch}, but ids has {ids.shape[0]} rows")
        start = 0 if cache is None else cache.length()
        end, limit = start + ids.shape[1], self.config.longest_text
        if limit is not None and end > limit:
            raise ValueError(
                f"the sequence is {end} tokens long, but the model reads at most {limit} (Config.context_length)"
            )
        return torch.arange(start, end, device=ids.device)

    def _angles(self, positions: Tensor, dtype: torch.dtype) -> Tensor | None:
        """(seq, d_rope/2), in radians, once for all layers; None without RoPE."""
        if self.config.positions != "rope":
            return None
        d_rope, base, wide = self.config.d_rope, self.config.rope_base, widen_dtype(dtype)
        frequencies = rope_frequencies(d_rope, base, dtype=wide, device=positions.device)
        return positions[:, None] * frequencies


@torch.no_grad()
def extend_vocabulary(model: LanguageModel, vocab_size: int) -> LanguageModel:
    """A copy of `model` with embeddings for `vocab_size` tokens; each new row is the mean of the old ones.

    So no new token is at first more likely than an average one (Hewitt, 2021). `BPE.with_special_tokens` gives the ids.
    Raises ValueError if the vocabulary would shrink.
    """
    old = model.config.vocab_size
    if vocab_size < old:
        raise ValueError(f"the vocabulary has {old} tokens and cannot shrink to {vocab_size}")
    larger = LanguageModel(replace(model.config, vocab_size=vocab_size)).to(model.unembed.weight)
    weights = model.state_dict()
    for name in ("embedding.tokens.weight", "unembed.weight"):
        table = weights[name]
        weights[name] = torch.cat([table, table.mean(dim=0, keepdim=True).expand(vocab_size - old, -1)])
    larger.load_state_dict(weights)
    return larger.train(model.training)


def parameter_count(model: nn.Module) -> int:
    """The number of parameters; weights that two modules share are counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
