"""How byte-pair encoding learns its tokens: join the most frequent pair, count again, and so on.

Ties go to the pair of lower ids, left one first. A pair that occurs once is not worth a token. Counting anew after
each join would read the whole text every time; only the chunks that hold the joined pair change, so only those are
counted again (as in Hugging Face's tokenizers).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

__all__ = ["learn_ranks"]

Pair = tuple[int, int]


def learn_ranks(chunks: Iterable[str], n_tokens: int) -> dict[bytes, int]:
    """The chunks of a text -> each token's bytes with its rank: 256 single bytes, then joins in the order found."""
    tokens = [bytes([byte]) for byte in range(256)]
    ids = {token: index for index, token in enumerate(tokens)}
    if n_tokens < len(tokens):
        raise ValueError(f"BPE starts from 256 bytes, so it cannot have {n_tokens} tokens")
    counts = Counter(chunks)
    words = [list(chunk.encode()) for chunk in counts]
    weights = list(counts.values())
    pairs: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += weights[number]
            where[pair].add(number)
    while len(tokens) < n_tokens and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], -pair[0], -pair[1]))
        if pairs[best] < 2:
            break
        joined = tokens[best[0]] + tokens[best[1]]
        # Two ways of cutting the same bytes would give two tokens for one text; the first keeps the rank.
        new = ids.setdefault(joined, len(tokens))
        if new == len(tokens):
            tokens.append(joined)
        for number in where.pop(best):
            _forget(words[number], weights[number], pairs)
            words[number] = _join(words[number], best, new)
            for pair in pairwise(words[number]):
                pairs[pair] += weights[number]
                where[pair].add(number)
    return ids


def _forget(word: list[int], weight: int, pairs: Counter[Pair]) -> None:
    """Takes the pairs of one word out of the count."""
    for pair in pairwise(word):
        pairs[pair] -= weight
        if not pairs[pair]:
            del pairs[pair]


def _join(word: list[int], pair: Pair, new: int) -> list[int]:
    """`word` with `new` for each occurrence of `pair`, from the left: aaa with (a, a) is one join and one a."""
    result: list[int] = []
    index = 0
    while index < len(word):
        if tuple(word[index : index + 2]) == pair:
            result.append(new)
            index += 2
        else:
            result.append(word[index])
            index += 1
    return result
