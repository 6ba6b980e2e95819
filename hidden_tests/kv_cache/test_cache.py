"""Hidden checks for the exercise `cache`: the class KVCache."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, tensors


def appended(keys, values):
    """What append returns after these chunks, oldest first."""
    return torch.cat(keys, dim=-2), torch.cat(values, dim=-2)


# One oracle for each thing that can go wrong, so that only wrong ideas about that thing come into question.
oracle, uneven_oracle, reset_oracle = (Oracle(appended) for _ in range(3))


@st.composite
def chunks(draw, *, sizes=None, dtype=torch.float32):
    """(keys, values): lists of (batch, heads, new, d_head), with every axis of another length"""
    batch, heads, d_head = draw(st.sampled_from([(2, 3, 5), (3, 2, 4), (1, 2, 3), (2, 1, 6)]))
    new = draw(st.sampled_from([1, 4, 7]))
    lengths = sizes if sizes is not None else [new] * draw(st.integers(2, 4))
    return tuple([draw(tensors((batch, heads, length, d_head), dtype=dtype)) for length in lengths] for _ in range(2))


def append(student, cache, k, v, context=""):
    hint = "append takes chunks of any length, from one token to hundreds, and joins them along the axis dim=-2."
    with student.hint(hint, after=test_append, case=f"append of {k.shape[-2]} tokens{context}"):
        pair = cache.append(k, v)
    fits = isinstance(pair, (tuple, list)) and len(pair) == 2
    expect(fits, "append does not return a pair of tensors", "Return the tuple (all_k, all_v).")
    return pair


def length_of(cache):
    """What length() says; an attribute or a property in its place would end the check otherwise."""
    method = cache.length
    expect(callable(method), "length is no method", "length is called: def length(self) -> int, without @property.")
    number = method()
    hint = "Return the number of tokens as an int: the size of dim=-2, or 0 while there is nothing."
    expect(type(number) is int, f"length() gives a {type(number).__name__}", hint)
    return number


@check(points=2, examples=15)
@given(chunks())
def test_append(student, inputs):
    """append puts new keys and values behind the old ones, along the axis of the tokens, and returns them all"""
    cache = student.KVCache()
    for count, (k, v) in enumerate(zip(*inputs, strict=True), start=1):
        pair = append(student, cache, k, v)
        oracle.compare(pair, *(part[:count] for part in inputs))


@check(points=1, after=test_append, examples=8)
@given(st.sampled_from([torch.float32, torch.float16]).flatmap(lambda d: chunks(sizes=[3, 1, 28, 2], dtype=d)))
def test_any_length(student, inputs):
    """chunks may differ in length, there is no largest length, and the dtype is kept"""
    cache = student.KVCache()
    for count, (k, v) in enumerate(zip(*inputs, strict=True), start=1):
        pair = append(student, cache, k, v, " behind others" if count > 1 else "")
        uneven_oracle.compare(pair, *(part[:count] for part in inputs))


@check(points=1, examples=8)
@given(chunks(sizes=[5, 1, 7]))
def test_length(student, inputs):
    """length() counts the tokens held: 0 at first, then the sum of all chunks, and 0 after reset()"""
    cache, tokens = student.KVCache(), 0
    hint = "length() is the number of tokens held: the size of dim=-2, not how often append was called."
    expect(length_of(cache) == 0, "an empty cache has a length other than 0", hint)
    for k, v in zip(*inputs, strict=True):
        append(student, cache, k, v)
        tokens += k.shape[-2]
        found = length_of(cache)
        expect(found == tokens, f"length() is {found} when {tokens} tokens are held", hint)
    cache.reset()
    expect(length_of(cache) == 0, "after reset() the length is not 0", "reset() empties keys, values and any count.")


@check(points=1, after=test_append, examples=8)
@given(chunks(), chunks(), chunks())
def test_reset(student, old, new, other):
    """after reset() nothing of the old text is left, and two caches know nothing of each other"""
    cache, neighbour = student.KVCache(), student.KVCache()
    append(student, neighbour, other[0][0], other[1][0])
    pair = append(student, cache, old[0][0], old[1][0], " next to another cache")
    reset_oracle.compare(pair, old[0][:1], old[1][:1], hint=SEPARATE)
    cache.reset()
    for count in (1, 2):
        pair = append(student, cache, new[0][count - 1], new[1][count - 1], " after reset()")
        reset_oracle.compare(pair, new[0][:count], new[1][:count], hint=EMPTIED)
    pair = append(student, neighbour, other[0][1], other[1][1], " next to another cache")
    reset_oracle.compare(pair, other[0][:2], other[1][:2], hint=SEPARATE)


SEPARATE = "Two caches share something: names in the class body are shared. Make keys and values in __init__, as self."
EMPTIED = "After reset() something of the old text is still there. Empty keys, values and whatever counts them."


@oracle.misconception
def cache_overwrites(keys, values):
    """append returns only the newest keys and values. Put them behind the old ones and return all."""
    return keys[-1], values[-1]


@oracle.misconception
def cache_new_first(keys, values):
    """You put new tokens in front of the old ones. The order is that of the text: torch.cat([old, new], dim=-2)."""
    return appended(keys[::-1], values[::-1])


@oracle.misconception
def cache_joins_heads(keys, values):
    """You join along dim=1, so that every chunk looks like more heads. Tokens lie along dim=-2."""
    return torch.cat(keys, dim=1), torch.cat(values, dim=1)


@oracle.misconception
def cache_joins_batch(keys, values):
    """You join along dim=0, so that every chunk looks like more texts. Tokens lie along dim=-2."""
    return torch.cat(keys, dim=0), torch.cat(values, dim=0)


@oracle.misconception
def cache_joins_features(keys, values):
    """You join along dim=-1, so that the heads grow wider. Tokens lie along dim=-2."""
    return torch.cat(keys, dim=-1), torch.cat(values, dim=-1)


@oracle.misconception
def cache_keys_for_values(keys, values):
    """You return the keys in the place of the values. Keep both, and return (all_k, all_v)."""
    return appended(keys, keys)


@oracle.misconception
def cache_values_first(keys, values):
    """You return the values first. The order is (all_k, all_v)."""
    return appended(values, keys)


@oracle.misconception
def cache_keeps_keys_only(keys, values):
    """You keep the old keys, but of the values only the newest. Both belong to every token: keep both."""
    return torch.cat(keys, dim=-2), values[-1]


@oracle.misconception
def cache_holds_the_first_only(keys, values):
    """You return what append got the first time, and lose what came later. Store the joined tensors."""
    return keys[0], values[0]


@oracle.misconception
def cache_does_not_store(keys, values):
    """You join the new chunk with the first one and return that, but do not store it: assign it to self as well."""
    return appended([keys[0], *keys[1:][-1:]], [values[0], *values[1:][-1:]])


@uneven_oracle.misconception
def cache_in_float32(keys, values):
    """Your cache is float32 whatever k is. Keep the dtype of k and v: half precision is half the memory."""
    return appended([k.float() for k in keys], [v.float() for v in values])
