"""Sampling and generation: greedy, temperature, top-k, top-p, and a loop with a cache that computes each token once.

Top-k after Fan et al. (2018); all ties with the k-th token are kept. Top-p (nucleus) after Holtzman et al. (2020): the
smallest set of most likely tokens whose probability reaches p. Order: temperature, top-k, top-p, as in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from reference_impl.model.language_model import LanguageModel

__all__ = ["generate", "generate_stream", "is_greedy", "next_token", "top_k_logits", "top_p_logits"]

TIE_ULPS = 256
"""logits this close count as tied, in units in the last place of the largest: rounding alone may order them"""


def top_k_logits(logits: Tensor, k: int) -> Tensor:
    """(..., vocab) -> (..., vocab): −inf below the k-th largest logit of each row."""
    smallest_kept = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < smallest_kept, -math.inf)


def top_p_logits(logits: Tensor, p: float) -> Tensor:
    """(..., vocab) -> (..., vocab): −inf outside the smallest set that reaches probability p, which is never empty."""
    # In ascending order, because a sum near 1 rounds away small probabilities, and with p = 1 all tokens must stay.
    ordered, order = logits.sort(dim=-1, stable=True)
    outside = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    outside[..., -1] = False
    return logits.masked_fill(outside.scatter(-1, order, outside), -math.inf)


def next_token(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """logits: (batch, vocab) -> (batch,): the most likely token at temperature 0, otherwise a sample for each row."""
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        raise ValueError(
            f"temperature={temperature} must be 0 or more, top_k={top_k} 1 or more, top_p={top_p} above 0 and at most 1"
        )
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float() / temperature
    if top_k is not None:
        logits = top_k_logits(logits, top_k)
    if top_p is not None:
        logits = top_p_logits(logits, top_p)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).squeeze(-1)


def generate(
    model: LanguageModel,
    ids: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """ids: (batch, seq), prompts -> (batch, seq + new), prompts with their continuations; see `generate_stream`."""
    stream = generate_stream(
        model, ids, max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, generator=generator
    )
    return torch.cat([ids, *(tokens[:, None] for tokens in stream)], dim=1)


@torch.no_grad()
def generate_stream(
    model: LanguageModel,
    ids: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Yields (batch,), the next token of each sequence, at most `max_new_tokens` times, until all have stopped.

    A sequence stops at a token of `stop` and repeats it, without further computation, while others continue. Equal
    prompts are computed once. A sequence that reaches the context length continues with the last half of the context in
    a new cache. Dropout is off, and the model's mode is restored at the end.
    """
    if not ids.shape[1]:
        raise ValueError("the prompt is empty: it needs at least one token, such as that of <|endoftext|>")
    ends = torch.tensor(_as_list(stop), dtype=ids.dtype, device=ids.device)
    training, limit = model.training, model.config.longest_text
    model.eval()
    try:
        sequences = ids if limit is None else ids[:, -limit:]
        inputs, copies = sequences.unique(dim=0, return_inverse=True)
        cache = model.new_cache(len(inputs))
        active = torch.arange(len(ids), device=ids.device)
        last = ids[:, -1]
        for step in range(max_new_tokens):
            if limit is not None and cache.length() + inputs.shape[1] > limit:
                inputs, cache = sequences[active, -max(1, limit // 2) :], model.new_cache(len(active))
            states = model.hidden(inputs, cache)[:, -1]
            if step == 0:
                states = states[copies]
                cache.select(copies)
            tokens = next_token(
                model.unembed(states), temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
            )
            last = last.index_copy(0, active, tokens)
            yield last
            unfinished = torch.isin(tokens, ends, invert=True).nonzero().squeeze(-1)  # indices into `active`
            if not len(unfinished):
                return
            if len(unfinished) < len(active):
                active = active[unfinished]
                cache.select(unfinished)
            sequences = torch.cat([sequences, last[:, None]], dim=1)
            inputs = sequences[active, -1:]
    finally:
        model.train(training)


@torch.no_grad()
def is_greedy(model: LanguageModel, ids: Tensor, prompt_length: int) -> Tensor:
    """ids: (batch, seq) -> (batch, seq − prompt_length) of bool: whether each new token is the most likely one.

    Computed in one forward pass. A cache or another batch size changes the order of summation, so each of several
    tokens that tie up to rounding counts as the most likely one.
    """
    model.eval()
    logits = model(ids[:, :-1])[:, prompt_length - 1 :]
    chosen = logits.gather(-1, ids[:, prompt_length:, None]).squeeze(-1)
    tolerance = TIE_ULPS * torch.finfo(logits.dtype).eps * logits.abs().max()
    return chosen >= logits.amax(dim=-1) - tolerance


def _as_list(stop: int | Collection[int] | None) -> list[int]:
    if stop is None:
        return []
    return [stop] if isinstance(stop, int) else list(stop)
