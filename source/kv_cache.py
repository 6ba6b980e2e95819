# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "intro", "locked": true, "schema_version": 3, "solution": false}
# # The KV cache
#
# A language model writes one token at a time. Done naively, it reads the whole text again for each of them: to write
# token 1000, it computes the keys and values of 999 tokens that it has computed 999 times before.
#
# It need not. Attention is causal: a token's key and value depend on that token and on what came *before* it, never on
# what comes after. Once computed, they are final. So keep them. Think of taking minutes in a meeting: you write down
# each remark once, and whoever joins the discussion reads the minutes instead of asking everyone to repeat themselves.
#
# | read with a prompt of $p$ tokens, to write $n$ more | tokens projected |
# |---|---|
# | without a cache | $p + (p+1) + \dots + (p+n-1)$ |
# | with a cache | $p + n - 1$ |
#
# Queries are not kept: a query is asked once, by the token that is being read. The numbers stay the same, with the
# cache and without; that is the law which the hidden checks test for every way to cut a text into chunks.
#
# | exercise | points |
# |---|---|
# | 1. `cache`: the class `KVCache` | 5 |
# | 2. `cache_bytes` | 2 |
# | 3. `cached_attention` | 7 |
# | 4. `cached_attention_module`: the module `CachedAttention` | 9 |
# | 5. `generate` | 6 |
# | 6. a written question | 4 |
#
# Each exercise is checked with right versions of the earlier ones, so a mistake is charged once. Any computer will do.
# Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import math
import time
from types import SimpleNamespace

import torch
from torch import Tensor, nn

# %% [markdown] nbgrader={"grade": false, "grade_id": "cache-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: the class `KVCache` (5 points)
#
# One `KVCache` holds the keys and values of one layer for one batch of texts. `KVCache()` starts empty; it has three
# methods:
#
# | call | meaning |
# |---|---|
# | `append(k, v)` | `k` and `v`, each `(batch, heads, new, d_head)`, stand behind what is there already; returns the tuple `(all_k, all_v)`, each `(batch, heads, seq, d_head)`, oldest first |
# | `length()` | how many positions are held, an `int`: 0 at the start |
# | `reset()` | empties the cache |
#
# Conventions: the tokens lie along the axis before the last, `dim=-2`; dtype and device are those of `k` and `v`.
#
# Edge cases: chunks of different lengths, one token as well as sixty, without a largest length; after `reset()` the
# next text may have another batch size, and nothing of the old one is left; two caches know nothing of each other.
#
# <details><summary>Hint</summary>`torch.cat([old, new], dim=-2)`. What should `append` do when there is no
# old?</details>


# %% nbgrader={"grade": false, "grade_id": "cache", "locked": false, "schema_version": 3, "solution": true}
class KVCache:
    """The keys and values of one layer, in order of position."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        ### END SOLUTION

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (batch, heads, new, d_head) -> all keys and all values, each (batch, heads, seq, d_head)"""
        ### BEGIN SOLUTION
        self.keys = k if self.keys is None else torch.cat([self.keys, k], dim=-2)
        self.values = v if self.values is None else torch.cat([self.values, v], dim=-2)
        return self.keys, self.values
        ### END SOLUTION

    def length(self) -> int:
        ### BEGIN SOLUTION
        return 0 if self.keys is None else self.keys.shape[-2]
        ### END SOLUTION

    def reset(self) -> None:
        ### BEGIN SOLUTION
        self.keys = self.values = None
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cache-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
small_cache = KVCache()
assert small_cache.length() == 0
small_cache.append(torch.zeros(1, 1, 2, 3), torch.ones(1, 1, 2, 3))
all_k, all_v = small_cache.append(torch.full((1, 1, 1, 3), 5.0), torch.full((1, 1, 1, 3), 6.0))
assert all_k[0, 0, :, 0].tolist() == [0.0, 0.0, 5.0]
assert all_v[0, 0, :, 0].tolist() == [1.0, 1.0, 6.0]
assert small_cache.length() == 3
small_cache.reset()
assert small_cache.length() == 0

# %% [markdown] nbgrader={"grade": false, "grade_id": "cache_bytes-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: the price, `cache_bytes` (2 points)
#
# What a cache saves in time it costs in memory. Return, as an `int`, the bytes that the caches of *all layers* of a
# model hold together for `batch` texts of `seq` tokens. Each layer keeps a key and a value for each head and token,
# `d_head` numbers each, and a number takes `bytes_per_number` bytes (2 in half precision).
#
# Models whose query heads share keys and values have fewer key-value heads than query heads; only those are kept,
# hence the name `n_kv_heads`.


# %% nbgrader={"grade": false, "grade_id": "cache_bytes", "locked": false, "schema_version": 3, "solution": true}
def cache_bytes(batch: int, n_layers: int, n_kv_heads: int, d_head: int, seq: int, bytes_per_number: int = 2) -> int:
    """Bytes of all keys and values that a model keeps."""
    ### BEGIN SOLUTION
    return 2 * batch * n_layers * n_kv_heads * d_head * seq * bytes_per_number
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cache_bytes-checks", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Llama 2 7B keeps half a mebibyte for each token; Llama 3 8B, with 8 key-value heads for 32 query heads, a quarter.
assert cache_bytes(batch=1, n_layers=32, n_kv_heads=32, d_head=128, seq=1) == 524_288
assert cache_bytes(batch=1, n_layers=32, n_kv_heads=8, d_head=128, seq=1) == 131_072

# %% [markdown] nbgrader={"grade": false, "grade_id": "cached_attention-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `cached_attention` (7 points)
#
# With a cache there are fewer queries than keys: queries only for the new tokens, keys for all. The new tokens are the
# **last** ones. With 5 tokens in all and 2 of them new, query 0 is token 3 and query 1 is token 4:
#
# | sees key | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | query 0 | yes | yes | yes | yes | no |
# | query 1 | yes | yes | yes | yes | yes |
#
# The mask is a rectangle whose triangle sits at the **bottom right**. In general query i sees the keys
# 0..seq_k − seq_q + i. One new token sees everything; with as many queries as keys this is the usual causal mask.
#
# | name | shape | meaning |
# |---|---|---|
# | `q` | `(..., seq_q, d_head)` | queries of the last `seq_q` tokens |
# | `k`, `v` | `(..., seq_k, d_head)` | keys and values of all tokens; same leading axes and dtype as `q` |
# | result | `(..., seq_q, d_head)` | softmax of $q k^\top / \sqrt{d_\text{head}}$ over the keys that are seen, times `v` |
#
# Conventions: any number of leading axes, also none; the result has the dtype of `q`; scores and softmax are computed
# in float32 when the input is half precision, since a float16 score above 65 504 is infinite.
#
# Edge cases: `seq_q > seq_k` raises a `ValueError`; hidden keys get weight exactly 0, however large their scores; what
# you make lies on the device of `q`.
#
# <details><summary>Hint</summary>`triu(diagonal=n)` keeps what lies n or more places right of the main diagonal, which
# starts at the top left. Beware of `is_causal=True` in torch's own attention: it aligns its mask at the top
# left.</details>


# %% nbgrader={"grade": false, "grade_id": "cached_attention", "locked": false, "schema_version": 3, "solution": true}
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q: (..., seq_q, d_head), k, v: (..., seq_k, d_head) -> (..., seq_q, d_head); the queries are the last tokens."""
    ### BEGIN SOLUTION
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if seq_q > seq_k:
        raise ValueError(f"{seq_q} queries cannot be the last of {seq_k} tokens")
    scores = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    future = torch.ones(seq_q, seq_k, dtype=torch.bool, device=q.device).triu(diagonal=seq_k - seq_q + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(dim=-1)
    return (weights @ v.float()).to(q.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cached_attention-checks", "locked": true, "points": 7, "schema_version": 3, "solution": false}
# Queries of zeros look at all that they see alike, so each result is the average of the values seen.
three_values = torch.tensor([[3.0], [6.0], [9.0]])
torch.testing.assert_close(cached_attention(torch.zeros(1, 1), torch.ones(3, 1), three_values), torch.tensor([[6.0]]))
torch.testing.assert_close(
    cached_attention(torch.zeros(2, 1), torch.ones(3, 1), three_values), torch.tensor([[4.5], [6.0]])
)
torch.testing.assert_close(
    cached_attention(torch.zeros(3, 1), torch.ones(3, 1), three_values), torch.tensor([[3.0], [4.5], [6.0]])
)

# %% [markdown] nbgrader={"grade": false, "grade_id": "apply_rope-task", "locked": true, "schema_version": 3, "solution": false}
# **Given: rotary positions.** `apply_rope` tells queries and keys where they stand, by turning them by an angle that
# grows with the position (Su et al., 2021; here in Llama's layout, where feature i turns together with feature
# i + d_head/2). You need to know only this: `x` is `(..., seq, d_head)` with an even `d_head`, `positions` is `(seq,)`,
# and the dot product of a turned query and a turned key depends on the *distance* of their positions.


# %% nbgrader={"grade": false, "grade_id": "apply_rope", "locked": true, "schema_version": 3, "solution": false}
def apply_rope(x: Tensor, positions: Tensor) -> Tensor:
    """x: (..., seq, d_head), positions: (seq,) -> the same shape; token s of x is turned to stand at positions[s]."""
    half = x.shape[-1] // 2
    frequencies = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
    angles = positions[:, None] * frequencies  # (seq, half)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


# %% [markdown] nbgrader={"grade": false, "grade_id": "cached_attention_module-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: the module `CachedAttention` (9 points)
#
# `CachedAttention(d_model, n_heads)` is causal self-attention with `n_heads` heads of `d_head = d_model / n_heads`.
# `layer(x, cache)` reads `x` of shape `(batch, new, d_model)`, the tokens that stand behind those in the cache, and
# returns the same shape. `layer(x)`, without a cache, is the plain forward for training: the text starts at position 0.
#
# 1. Project `x` with the layers `query`, `key` and `value`, and split into heads: `(batch, n_heads, new, d_head)`. Head
#    0 takes the first `d_head` features, head 1 the next, and so on.
# 2. Turn queries and keys with `apply_rope`. **Positions continue**: the first new token stands at `cache.length()`.
# 3. With a cache, append the new keys and values, once; attend to everything that `append` returns.
# 4. `cached_attention`, join the heads in the same order, and project with the layer `out`.
#
# - **Parameters.** `query`, `key`, `value` and `out` are `nn.Linear(d_model, d_model, bias=False)`; nothing else is
#   learned.
# - **Cost.** Each token is projected once: with a cache only the new tokens pass `query`, `key` and `value`. This is
#   graded by counting operations, never by a clock.
# - **All memory is in the cache**: the module keeps nothing of a text, so one module serves several texts in turn, each
#   with a cache of its own. Of a cache use `append` and `length` only: the hidden checks hand over one of their own.
#
# Edge cases: any number of new tokens, also in the middle of a text; texts in a batch do not mix; gradients reach `x`.
#
# <details><summary>Hint</summary>`view(batch, new, n_heads, d_head)`, then `transpose(1, 2)`: a view cannot move an
# axis. On the way back, transpose first.</details>


# %% nbgrader={"grade": false, "grade_id": "cached_attention_module", "locked": false, "schema_version": 3, "solution": true}
class CachedAttention(nn.Module):
    """Causal attention with rotary positions that continues the text in a cache."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.n_heads = n_heads
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (batch, new, d_model) -> (batch, new, d_model)"""
        ### BEGIN SOLUTION
        start = 0 if cache is None else cache.length()
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        q, k, v = (
            layer(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, n_heads, new, d_head)
            for layer in (self.query, self.key, self.value)
        )
        q, k = apply_rope(q, positions), apply_rope(k, positions)
        if cache is not None:
            k, v = cache.append(k, v)
        return self.out(cached_attention(q, k, v).transpose(1, 2).flatten(2))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cached_attention_module-checks", "locked": true, "points": 9, "schema_version": 3, "solution": false}
small_layer = CachedAttention(d_model=8, n_heads=2)
assert sorted(name for name, _ in small_layer.named_parameters()) == [
    "key.weight",
    "out.weight",
    "query.weight",
    "value.weight",
]
small_x = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8)
appended, small_cache = [], KVCache()
spy = SimpleNamespace(
    length=small_cache.length,
    append=lambda k, v: appended.append(tuple(k.shape)) or small_cache.append(k, v),
)
by_chunks = [small_layer(chunk, spy) for chunk in small_x.split([2, 1, 2], dim=1)]
assert appended == [(2, 2, 2, 4), (2, 2, 1, 4), (2, 2, 2, 4)], "append the new tokens of each chunk, once"
torch.testing.assert_close(torch.cat(by_chunks, dim=1), small_layer(small_x))

# %% [markdown] nbgrader={"grade": false, "grade_id": "generate-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: `generate` (6 points)
#
# A prompt is read all at once or, since `seq × seq` scores take memory, in **chunks** (prefill); then every new token
# is read by itself (decode). `model` is an object that keeps caches of its own:
#
# | call | meaning |
# |---|---|
# | `model.reset()` | forget whatever was read before |
# | `model.step(tokens)` | read `(batch, new)` token ids that stand behind all that was read since the last `reset()`; returns logits `(batch, new, vocab)`: row i scores what may follow token i |
#
# | argument | shape | meaning |
# |---|---|---|
# | `prompt` | `(batch, seq)`, `int64` | prompts of equal length ≥ 1 |
# | `n_new` | number ≥ 0 | how many tokens to write |
# | `chunk_size` | number ≥ 1 | read the prompt in pieces of this many tokens; the last piece may be shorter |
# | result | `(batch, n_new)`, `int64` | the new tokens only: each is the one with the largest logit, for each text of the batch |
#
# Every token passes `step` once, and never twice. Whether the very last new token is read is up to you: nobody asks
# what follows it. `model` may still remember an earlier conversation: reset it first.


# %% nbgrader={"grade": false, "grade_id": "generate", "locked": false, "schema_version": 3, "solution": true}
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    """prompt: (batch, seq) -> (batch, n_new), greedily"""
    ### BEGIN SOLUTION
    model.reset()
    new_tokens = [prompt[:, :0]]
    for chunk in prompt.split(chunk_size, dim=1):
        logits = model.step(chunk)
    for index in range(n_new):
        if index > 0:
            logits = model.step(new_tokens[-1])
        new_tokens.append(logits[:, -1].argmax(dim=-1, keepdim=True))
    return torch.cat(new_tokens, dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "generate-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
class AddsUp:
    """After each token it expects the last digit of the sum of all tokens so far."""

    def reset(self) -> None:
        self.total, self.sizes = torch.zeros(2, 1, dtype=torch.int64), []

    def step(self, tokens: Tensor) -> Tensor:
        sums = self.total + tokens.cumsum(dim=1)
        self.total = sums[:, -1:]
        self.sizes.append(tokens.shape[1])
        return nn.functional.one_hot(sums % 10, 10).float()


adds_up = AddsUp()
assert generate(adds_up, torch.tensor([[1, 0, 2], [5, 0, 5]]), 3, chunk_size=2).tolist() == [[3, 6, 2], [0, 0, 0]]
assert adds_up.sizes[:4] == [2, 1, 1, 1], "the prompt in chunks of two and one, then one token at a time"

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: tokens per second (no points)
#
# A small untrained model writes 96 tokens after a prompt of 32, with your cache and without it. The tokens it writes
# must be the same. *Projected tokens* are counted and come out the same on every machine; *tokens per second* depend on
# yours, and on what else it is doing. Change the numbers as you like, in cells of your own.


# %% nbgrader={"grade": false, "grade_id": "milestone-model", "locked": true, "schema_version": 3, "solution": false}
class TinyLM(nn.Module):
    """Token ids in, logits out: two layers of your `CachedAttention`, each with a `KVCache`."""

    def __init__(self, vocab: int = 64, d_model: int = 128, n_layers: int = 2, n_heads: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.norms = nn.ModuleList(nn.RMSNorm(d_model) for _ in range(n_layers))
        self.layers = nn.ModuleList(CachedAttention(d_model, n_heads) for _ in range(n_layers))
        self.read_out = nn.Linear(d_model, vocab, bias=False)
        self.projected = 0
        self.reset()

    def reset(self) -> None:
        self.caches = [KVCache() for _ in self.layers]

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        self.projected += tokens.shape[1]
        x = self.embedding(tokens)
        for norm, layer, cache in zip(self.norms, self.layers, self.caches, strict=True):
            x = x + layer(norm(x), cache)
        return self.read_out(x)


def generate_without_cache(model: TinyLM, prompt: Tensor, n_new: int) -> Tensor:
    """Reads the whole text again for every token."""
    text = prompt
    for _ in range(n_new):
        model.reset()
        text = torch.cat([text, model.step(text)[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    return text[:, prompt.shape[1] :]


torch.manual_seed(0)
tiny, N_PROMPT, N_NEW = TinyLM(), 32, 96
tiny_prompt = torch.randint(0, 64, (1, N_PROMPT))
ways = {
    "without a cache": lambda: generate_without_cache(tiny, tiny_prompt, N_NEW),
    "with a cache": lambda: generate(tiny, tiny_prompt, N_NEW, 16),
}
written, projected = {}, {}
print(f"{'':<16} {'projected tokens':>17} {'tokens per second':>18}")
for way, write in ways.items():
    tiny.projected, began = 0, time.perf_counter()
    written[way] = write()
    seconds, projected[way] = time.perf_counter() - began, tiny.projected
    print(f"{way:<16} {tiny.projected:17,} {N_NEW / seconds:18,.0f}")
print("the same tokens:", torch.equal(*written.values()))
print(f"the cache of this text: {cache_bytes(1, 2, 4, 32, N_PROMPT + N_NEW - 1, 4):,} bytes")

# %% nbgrader={"grade": false, "grade_id": "milestone-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

steps = torch.arange(N_NEW)
without_cache = (N_PROMPT + steps).cumsum(0)
with_cache = N_PROMPT + steps
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(steps + 1, without_cache, "--", color="black", label="without a cache")
axes.plot(steps + 1, with_cache, "-", color="black", label="with a cache")
axes.set(xlabel="new tokens", ylabel="tokens projected so far (log)", yscale="log")
axes.set_title(f"A prompt of {N_PROMPT} tokens")
axes.legend()
plt.show()
print("In words: tokens projected so far, dashed without a cache, solid with one.")
for new in (1, N_NEW // 2, N_NEW):
    print(f"  after {new:3} new tokens: {without_cache[new - 1]:6,} without, {with_cache[new - 1]:4} with")
print("counted on your model:", ", ".join(f"{count:,} {way}" for way, count in projected.items()))

# %% [markdown] nbgrader={"grade": false, "grade_id": "kv_cache-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: a written question (4 points)
#
# Answer in about ten lines. A person marks your answer.
#
# 1. Why may the keys and values of earlier tokens be kept, and what would break if attention were not causal? Why are
#    queries not kept? (1 point)
# 2. A classmate reads the prompt at once, then decodes one token at a time with
#    `F.scaled_dot_product_attention(q, k, v, is_causal=True)`. The prompt's outputs are right. What does the first
#    decoded token see, and why? (1 point)
# 3. Write down how many tokens are projected for a prompt of p and n new tokens, with a cache and without. Does
#    decoding a token with a cache cost the same at every position? (1 point)
# 4. Take a model with 32 layers, 8 key-value heads of width 128 and half precision. How long may a text be before its
#    cache fills 16 GiB? Name one way to make the cache smaller, and compare your milestone's two ratios, of projected
#    tokens and of tokens per second: why need they not be equal? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "kv_cache-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. With a causal mask, a token's vector in every layer depends on itself and earlier tokens only. Nothing that is
#    written later can change it, so its key and value are final. Without the mask each new token would change the
#    vectors of all earlier ones in the next layer, and their keys with them. A query is used once, when its own token
#    is read, so there is nothing to keep it for.
# 2. The first key only. `is_causal` aligns its triangle at the top left: query row 0 sees key 0. For the prompt there
#    are as many queries as keys, and both alignments are the same. The right mask for one new token hides nothing.
# 3. With: p + n − 1. Without: np + n(n−1)/2. Decoding is not constant: the projections are, but the new query still
#    meets every key that is held, so attention grows with the length.
# 4. 2 · 32 · 8 · 128 · 2 = 131 072 bytes a token, so 131 072 tokens. Fewer key-value heads, fewer bits per number, a
#    window that drops old tokens, or a compressed (latent) cache. The ratio of counts here is 7632 to 127, about 60;
#    that of speed is smaller: each step has fixed costs (calls, reading the weights), and many tokens in one product
#    are cheaper than one after the other; attention over the cached keys remains.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: final because later tokens cannot influence them (half); queries used once (half). "It saves time": none.
# 2. 1 point: sees key 0 only (half), because the mask is aligned top left (half).
# 3. 1 point: both counts (half; accept p + n with a cache, and sums), attention still grows with length (half).
# 4. 1 point: 131 072 tokens, or 128 Ki (half); one way to shrink it, and one reason why the ratios differ (half for
#    both). Their speeds depend on their machine; mark the reading.
# ### END MARK SCHEME
