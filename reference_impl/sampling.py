"""From logits to text: greedy, temperature, top-k, top-p, and a loop that reads each token once.

Top-k after Fan et al. (2018), with all that tie with the k-th kept; top-p (nucleus) after Holtzman et al. (2020): the
fewest likeliest tokens whose probabilities reach p. Order: temperature, top-k, top-p, as in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from reference_impl.model import LanguageModel

__all__ = ["generate", "generate_stream", "is_greedy", "next_token", "top_k_logits", "top_p_logits"]

TIE_ULPS = 256
"""how close two logits are that rounding may order either way, in units in the last place of the largest"""


def top_k_logits(logits: Tensor, k: int) -> Tensor:
    """(..., vocab) -> (..., vocab): -inf below the k-th largest of a row."""
    smallest_kept = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < smallest_kept, -math.inf)


def top_p_logits(logits: Tensor, p: float) -> Tensor:
    """(..., vocab) -> (..., vocab): -inf for what is not needed to reach probability p; the likeliest always stays."""
    # The unlikeliest first: a sum of small numbers is exact where one of nearly 1 rounds, and with p = 1 all must stay.
    ordered, order = logits.sort(dim=-1, stable=True)
    not_needed = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    not_needed[..., -1] = False
    return logits.masked_fill(not_needed.scatter(-1, order, not_needed), -math.inf)


def next_token(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """logits: (batch, vocab) -> (batch,): the likeliest token at temperature 0, else one drawn for each row."""
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
    """ids: (batch, seq), the prompts -> (batch, seq + new), the prompts and what follows (see `generate_stream`)."""
    choice = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop, "generator": generator}
    new = list(generate_stream(model, ids, max_new_tokens, **choice))
    return torch.cat([ids, *(tokens[:, None] for tokens in new)], dim=1)


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
    """Yields (batch,), the next token of each text, up to `max_new_tokens` times; ends when every text has stopped.

    A text stops at a token of `stop`, which it repeats while others go on, and is read no more. Prompts that are equal
    are read once. Where the text outgrows the model, the last half of what it can read is read again in a new cache.
    Without dropout, whatever mode the model is in.
    """
    if not ids.shape[1]:
        raise ValueError("the prompt is empty: give the model one token at least, such as that of <|endoftext|>")
    ends = torch.tensor(_as_list(stop), dtype=ids.dtype, device=ids.device)
    training, limit = model.training, model.config.longest_text
    model.eval()
    try:
        text = ids if limit is None else ids[:, -limit:]
        unread, copies = text.unique(dim=0, return_inverse=True)
        cache = model.new_cache(len(unread))
        going = torch.arange(len(ids), device=ids.device)
        last = ids[:, -1]
        for number in range(max_new_tokens):
            if limit is not None and cache.length() + unread.shape[1] > limit:
                unread, cache = text[going, -max(1, limit // 2) :], model.new_cache(len(going))
            states = model.hidden(unread, cache)[:, -1]
            if number == 0:
                states = states[copies]
                cache.select(copies)
            drawn = next_token(
                model.unembed(states), temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
            )
            last = last.index_copy(0, going, drawn)
            yield last
            unfinished = torch.isin(drawn, ends, invert=True).nonzero().squeeze(-1)
            if not len(unfinished):
                return
            if len(unfinished) < len(going):
                going = going[unfinished]
                cache.select(unfinished)
            text = torch.cat([text, last[:, None]], dim=1)
            unread = text[going, -1:]
    finally:
        model.train(training)


@torch.no_grad()
def is_greedy(model: LanguageModel, ids: Tensor, prompt_length: int) -> Tensor:
    """ids: (batch, seq), texts -> (batch, seq - prompt_length) of bool: is each new token the likeliest after the last?

    The whole text is read at once. A cache, or a batch of another size, adds in another order, so where the likeliest
    tokens tie up to rounding each of them is.
    """
    model.eval()
    logits = model(ids[:, :-1])[:, prompt_length - 1 :]
    chosen = logits.gather(-1, ids[:, prompt_length:, None]).squeeze(-1)
    room = TIE_ULPS * torch.finfo(logits.dtype).eps * logits.abs().max()
    return chosen >= logits.amax(dim=-1) - room


def _as_list(stop: int | Collection[int] | None) -> list[int]:
    if stop is None:
        return []
    return [stop] if isinstance(stop, int) else list(stop)
