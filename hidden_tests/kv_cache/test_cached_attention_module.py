"""Hidden checks for the exercise `cached_attention_module`: the module CachedAttention.

Each check puts a right `cached_attention` in the place of the student's, hands over a cache of its own and sets the
parameters itself, so that earlier mistakes are not charged again.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect, expect_like, expect_parameters, tensors
from reference_impl.model.kv_cache import KVCache, cached_attention
from reference_impl.model.rope import apply_rope

NAMES = ("query.weight", "key.weight", "value.weight", "out.weight")


def split(x, n_heads):
    """(batch, seq, d_model) -> (batch, heads, seq, d_head)"""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).flatten(2)


def whole_text(x, query, key, value, out, n_heads, bounds):
    """The full forward. `bounds`, where the text is cut, makes no difference: it is there for the wrong ideas.

    x: (batch, seq, d_model), weights: (d_model, d_model) -> (batch, seq, d_model)
    """
    positions = torch.arange(x.shape[1])
    q, k = (apply_rope(split(x @ weight.mT, n_heads), positions) for weight in (query, key))
    return joined(cached_attention(q, k, split(x @ value.mT, n_heads))) @ out.mT


oracle, text_oracle, turns_oracle, training_oracle = (Oracle(whole_text) for _ in range(4))
supplies = Supplies(cached_attention=cached_attention)


class HandedOver:
    """A right cache that complains about shapes in words."""

    def __init__(self):
        self.cache = KVCache()

    def append(self, k, v):
        if not (isinstance(k, torch.Tensor) and isinstance(v, torch.Tensor) and k.dim() == v.dim() == 4):
            raise ValueError("append takes k and v of shape (batch, n_heads, new, d_head): split into heads first")
        return self.cache.append(k, v)

    def length(self):
        return self.cache.length()


@st.composite
def texts(draw, *, chunks=(2, 5), batch=(1, 3)):
    """(x, four weights, n_heads, bounds): a text, and where it is cut; chunks differ in length"""
    n_heads, d_head = draw(st.sampled_from([(2, 4), (1, 4), (3, 2), (2, 2)]))
    sizes = draw(st.lists(st.sampled_from([1, 2, 1, 3]), min_size=chunks[0], max_size=chunks[1]))
    bounds = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    d_model = n_heads * d_head
    # Clamped, so that every token that is seen has a weight that matters.
    x = draw(tensors((draw(st.integers(*batch)), bounds[-1], d_model))).clamp(-2, 2)
    weights = tuple(draw(tensors((d_model, d_model), scale=0.5)).clamp(-1, 1) for _ in range(4))
    return x, *weights, n_heads, bounds


def make_layer(student, text):
    """The student's module with these weights."""
    weights = dict(zip(NAMES, text[1:5], strict=True))
    return student.module("CachedAttention", text[0].shape[-1], text[5], weights=weights)


def make_cache(student):
    cache = HandedOver()
    return student.SimpleNamespace(append=cache.append, length=cache.length)


def read(student, layer, text, index, *cache):
    """The student's output for one chunk; a complaint says which chunk it was."""
    x, bounds = text[0], text[6]
    chunk = x[:, bounds[index] : bounds[index + 1]]
    if cache:
        hint = "Take lengths from x.shape and cache.length(): any number of new tokens may come at any place of a text."
        case = f"chunk {index} with {bounds[index]} tokens before it, x of shape {tuple(chunk.shape)},"
        explained = student.hint(hint, after=test_without_cache, case=case)
    else:
        hint = "Without a cache, `cache` is None: positions start at 0, and nothing is appended."
        explained = student.hint(hint, plain=lambda: layer(chunk, make_cache(student)), case="a call without a cache")
    with explained:
        got = layer(chunk, *cache)
    hint = "The result has the shape of x, (batch, new, d_model): the new tokens only, one vector for each."
    expect_like(got, chunk, hint=hint)
    return got


@check(points=1, examples=4)
@given(st.sampled_from([(6, 1), (8, 2), (12, 3)]))
def test_parameters(student, sizes):
    """the module learns query, key, value and out, each of shape (d_model, d_model), and nothing else"""
    expect_parameters(student.CachedAttention(*sizes), dict.fromkeys(NAMES, (sizes[0], sizes[0])))


@check(points=2, examples=12)
@given(texts(chunks=(1, 3)))
def test_without_cache(student, text):
    """without a cache it is causal attention with several heads and rotary positions"""
    whole = (*text[:6], [0, text[6][-1]])
    text_oracle.compare(read(student, make_layer(student, whole), whole, 0), *whole)


@check(points=3, after=test_without_cache, examples=12)
@given(texts(chunks=(2, 4)))
def test_any_chunks(student, text):
    """with a cache, any split of a text into chunks gives the full forward: positions continue, the past is seen"""
    layer, cache = make_layer(student, text), make_cache(student)
    parts = [read(student, layer, text, index, cache) for index in range(len(text[6]) - 1)]
    oracle.compare(torch.cat(parts, dim=1), *text)


@check(points=1, after=test_any_chunks, examples=4)
@given(texts(chunks=(2, 2), batch=(2, 2)))
def test_texts_in_turn(student, text):
    """one module reads two texts in turn, each with its own cache, and remembers nothing itself"""
    other = (text[0].flip(0, 1), *text[1:])
    layer, caches = make_layer(student, text), (make_cache(student), make_cache(student))
    pairs = list(zip((text, other), caches, strict=True))
    turns = [[read(student, layer, each, index, cache) for each, cache in pairs] for index in (0, 1)]
    for each, parts in zip((text, other), zip(*turns, strict=True), strict=True):
        hint = "Your module keeps something of a text (in self). What must be remembered is in the cache."
        turns_oracle.compare(torch.cat(parts, dim=1), *each, hint=hint)


@check(points=1, after=test_any_chunks, examples=2)
@given(tensors((1, 25, 16)))
def test_cost(student, x):
    """with 24 tokens in the cache, a new one costs one projection: the earlier ones are not projected again"""
    text = (x, *(torch.eye(16) for _ in range(4)), 2, [0, 24, 25])
    layer, cache = make_layer(student, text), make_cache(student)
    first = read(student, layer, text, 0, cache)
    cost = student.cost(layer, x[:, 24:], cache)
    one = isinstance(cost.result, torch.Tensor) and cost.result.shape == (1, 1, 16)
    expect(one, "for one new token the result is not one vector")
    text_oracle.compare(torch.cat([first, cost.result], dim=1), *text)
    # Four projections of one token, and attention over 25 keys for a program that does it in its own words; twice over.
    allowed = 2 * (4 * 2 * 16 * 16 + 2 * 2 * 25 * 16)
    hint = "Keep keys and values, not x. Project the new tokens only; what append returns is ready for use."
    expect(cost.flops <= allowed, f"one new token took {cost.flops:,} operations; {allowed:,} are ample", hint)


@check(points=1, after=test_without_cache, examples=3)
@given(texts(chunks=(1, 2)))
def test_training(student, text):
    """without a cache the gradients of x and of every parameter are right"""
    x, *weights, n_heads, bounds = text
    parameters, built_with = dict(zip(NAMES, weights, strict=True)), {"n_heads": n_heads, "bounds": bounds}
    training_oracle.compare_gradients(make_layer(student, text), x, parameters=parameters, built_with=built_with)


def chunked(x, query, key, value, out, n_heads, bounds, *, places=None, turn="qk", append=KVCache.append):
    """The module with one thing done otherwise. places(start, new): the positions of the new tokens."""
    cache, parts = KVCache(), []
    for start, stop in zip(bounds, bounds[1:], strict=False):
        q, k, v = (split(x[:, start:stop] @ weight.mT, n_heads) for weight in (query, key, value))
        first = cache.length()
        positions = places(first, stop - start) if places else torch.arange(first, first + stop - start)
        named = zip("qkv", (q, k, v), strict=True)
        q, k, v = (apply_rope(part, positions) if name in turn else part for name, part in named)
        parts.append(joined(cached_attention(q, *append(cache, k, v))))
    return torch.cat(parts, dim=1) @ out.mT


@oracle.misconception
def module_positions_restart(*text):
    """Positions start at 0 in every chunk. The first new token stands at cache.length(), asked before the append."""
    return chunked(*text, places=lambda start, new: torch.arange(new))


@oracle.misconception
def module_positions_late(*text):
    """You ask for cache.length() after the append, so a chunk's positions start behind its own end. Ask before."""
    return chunked(*text, places=lambda start, new: torch.arange(start + new, start + 2 * new))


@oracle.misconception
def module_one_position(*text):
    """All tokens of a chunk get the position cache.length(). The next ones stand at length + 1, length + 2, …"""
    return chunked(*text, places=lambda start, new: torch.full((new,), start))


@oracle.misconception
def module_ignores_past(*text):
    """Your queries see the keys of their own chunk only. Attend to what append returns."""

    def ignored(cache, k, v):
        cache.append(k, v)
        return k, v

    return chunked(*text, append=ignored)


@oracle.misconception
def module_appends_twice(*text):
    """You append the same tokens twice. Call append once and keep both results: k, v = cache.append(k, v)."""

    def twice(cache, k, v):
        all_k, (_, all_v) = cache.append(k, v)[0], cache.append(k, v)
        return all_k, all_v[..., : all_k.shape[-2], :]

    return chunked(*text, append=twice)


@training_oracle.misconception
def module_detaches_keys(x, query, key, value, out, n_heads, bounds):
    """Your keys and values are cut off from autograd (.detach(), .data or no_grad), so their layers never learn."""
    positions = torch.arange(x.shape[1])
    q, k, v = (split(x @ weight.mT, n_heads) for weight in (query, key, value))
    heads = cached_attention(apply_rope(q, positions), apply_rope(k, positions).detach(), v.detach())
    return joined(heads) @ out.mT


@text_oracle.misconception
def module_without_rope(*text):
    """Nothing is turned. Apply apply_rope to queries and keys, once they are split into heads."""
    return chunked(*text, turn="")


@text_oracle.misconception
def module_turns_queries_only(*text):
    """You turn the queries only. The angle between query and key tells their distance only if both are turned."""
    return chunked(*text, turn="q")


@text_oracle.misconception
def module_turns_keys_only(*text):
    """You turn the keys only. The angle between query and key tells their distance only if both are turned."""
    return chunked(*text, turn="k")


@text_oracle.misconception
def module_turns_values(*text):
    """You turn the values as well. Positions decide who looks at whom; what is handed over stays as it is."""
    return chunked(*text, turn="qkv")


@text_oracle.misconception
def module_splits_by_view(x, query, key, value, out, n_heads, bounds):
    """view(batch, n_heads, new, d_head) mixes tokens and heads. View (batch, new, n_heads, d_head), then transpose."""
    q, k, v = ((x @ weight.mT).reshape(len(x), n_heads, x.shape[1], -1) for weight in (query, key, value))
    positions = torch.arange(x.shape[1])
    return joined(cached_attention(apply_rope(q, positions), apply_rope(k, positions), v)) @ out.mT


@text_oracle.misconception
def module_joins_by_view(x, query, key, value, out, n_heads, bounds):
    """You join the heads without moving their axis back. Transpose to (batch, new, n_heads, d_head), then flatten."""
    q, k, v = (split(x @ weight.mT, n_heads) for weight in (query, key, value))
    positions = torch.arange(x.shape[1])
    heads = cached_attention(apply_rope(q, positions), apply_rope(k, positions), v)
    return heads.reshape(x.shape) @ out.mT


@text_oracle.misconception
def module_without_out(x, query, key, value, out, n_heads, bounds):
    """You do not use the layer out. Join the heads, then project them with it."""
    return whole_text(x, query, key, value, torch.eye(len(out), dtype=x.dtype), n_heads, bounds)


@text_oracle.misconception
def module_one_head(x, query, key, value, out, n_heads, bounds):
    """You do not split into heads. Each head has weights of its own, from its own d_head features."""
    return whole_text(x, query, key, value, out, 1, bounds)


@text_oracle.misconception
def module_mixes_texts(x, query, key, value, out, n_heads, bounds):
    """Texts of the batch get mixed. x is (batch, new, d_model): the first axis of your view is the batch."""
    batch, seq, d_model = x.shape
    q, k, v = ((x @ weight.mT).reshape(seq, batch, n_heads, -1).permute(1, 2, 0, 3) for weight in (query, key, value))
    positions = torch.arange(seq)
    heads = cached_attention(apply_rope(q, positions), apply_rope(k, positions), v)
    return heads.permute(2, 0, 1, 3).reshape(x.shape) @ out.mT
