"""Training of byte-pair encoding: merge the most frequent pair, update the counts, and repeat.

After Sennrich et al. (2016), algorithm 1. Ties go to the pair with the lower ids, left id first. A pair that occurs
once gets no token. A merge changes only the chunks that contain the pair, so only those are counted again (as in
Hugging Face's tokenizers).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

__all__ = ["learn_ranks"]

Pair = tuple[int, int]


def learn_ranks(chunks: Iterable[str], n_tokens: int) -> dict[bytes, int]:
    """The chunks of a text -> each token's bytes with its rank: 256 single bytes, then merges in the order learned.

    Raises ValueError if `n_tokens` is less than 256.
    """
    tokens = [bytes([byte]) for byte in range(256)]
    ids = {token: index for index, token in enumerate(tokens)}
    if n_tokens < len(tokens):
        raise ValueError(f"BPE starts from 256 bytes, so it cannot have {n_tokens} tokens")
    counts = Counter(chunks)
    words = [list(chunk.encode()) for chunk in counts]
    weights = list(counts.values())
    pairs: Counter[Pair] = Counter()
    containing: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += weights[number]
            containing[pair].add(number)
    while len(tokens) < n_tokens and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], -pair[0], -pair[1]))
        if pairs[best] < 2:
            break
        merged = tokens[best[0]] + tokens[best[1]]
        # Different pairs can merge into the same bytes, which must not get two ids; the first keeps the rank.
        new = ids.setdefault(merged, len(tokens))
        if new == len(tokens):
            tokens.append(merged)
        for number in containing.pop(best):
            _subtract_pairs(words[number], weights[number], pairs)
            words[number] = _merge(words[number], best, new)
            for pair in pairwise(words[number]):
                pairs[pair] += weights[number]
                containing[pair].add(number)
    return ids


def _subtract_pairs(word: list[int], weight: int, pairs: Counter[Pair]) -> None:
    """Removes the pairs of one word from the counts."""
    for pair in pairwise(word):
        pairs[pair] -= weight
        if not pairs[pair]:
            del pairs[pair]


def _merge(word: list[int], pair: Pair, new: int) -> list[int]:
    """`word` with `new` instead of each occurrence of `pair`, from the left: aaa with (a, a) is one merge and one a."""
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
