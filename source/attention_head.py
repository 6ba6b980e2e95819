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
# # Assignment 1: One attention head
#
# An embedding gives the word *bank* one vector, whether it stands by a river or by a teller. **Attention** lets each
# token mix in what the tokens around it say. It is a weighted average in which **the input decides the weights**: they
# are computed anew for every text, unlike the fixed weights of a filter.
#
# Think of a job fair. Each token carries three cards, made from its vector $x_i$ by three learned matrices:
# a **query** $q_i$ (what I am looking for), a **key** $k_i$ (what I offer, so that others find me) and a **value**
# $v_i$ (what I hand over to whoever finds me). Query and key differ because looking for a noun is not being a noun.
#
# $$w_{ij} = \operatorname*{softmax}_j\left(\frac{q_i \cdot k_j}{\sqrt{d_\text{head}}}\right),
# \qquad \text{out}_i = \sum_j w_{ij}\, v_j$$
#
# Row $i$ of $w$ belongs to the token that looks, column $j$ to the token that is looked at. Each token gets an output
# of its own: $n$ tokens in, $n$ vectors out, and never one summary of the text.
#
# You work one example on paper, then write two functions, a module, and a version for texts of different lengths.
# Everything runs on a CPU in seconds. The hidden checks compare numbers only: write it in any style you like.
# Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import math

import torch
from torch import Tensor, nn

# %% [markdown] nbgrader={"grade": false, "grade_id": "by_hand-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise `by_hand` (4 points): three tokens on paper
#
# Three tokens, $d_\text{head} = 4$, so that $\sqrt{d_\text{head}} = 2$. Queries are given in units of
# $\ln 2 \approx 0.693$, which makes every result a simple fraction, because $e^{n \ln 2} = 2^n$.
#
# | token | query / ln 2 | key | value |
# |---|---|---|---|
# | 0 | (1, 1, −1, 1) | (1, 1, 0, 0) | (4, 0) |
# | 1 | (2, 0, 2, 2) | (0, 1, 1, 0) | (0, 4) |
# | 2 | (−1, 1, 1, −1) | (0, 0, 1, 1) | (4, 8) |
#
# Token 0, to start you off: its dot products with the three keys are (2, 0, 0) · ln 2, divided by 2 they are
# (1, 0, 0) · ln 2, their exponentials are 2, 1, 1, and divided by their sum these are the weights ½, ¼, ¼.
#
# Fill in three tensors of dtype `float32`:
#
# | name | shape | meaning |
# |---|---|---|
# | `hand_weights` | `(3, 3)` | row i: how much token i looks at tokens 0, 1, 2 |
# | `hand_causal_weights` | `(3, 3)` | the same when token i may look only at tokens 0..i: the later scores are taken out *before* the softmax, so each row still sums to 1 |
# | `hand_output` | `(3, 2)` | row i: the output of token i, made with `hand_causal_weights` |
#
# Each tensor is marked as what follows from the one before it, so a slip is charged once.

# %% nbgrader={"grade": false, "grade_id": "by_hand", "locked": false, "schema_version": 3, "solution": true}
# hand_weights = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [...], [...]])
### BEGIN SOLUTION
hand_weights = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2], [1 / 4, 1 / 2, 1 / 4]])
hand_causal_weights = torch.tensor([[1.0, 0.0, 0.0], [1 / 2, 1 / 2, 0.0], [1 / 4, 1 / 2, 1 / 4]])
hand_output = torch.tensor([[4.0, 0.0], [2.0, 2.0], [2.0, 4.0]])
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "by_hand-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
for hand_tensor, hand_shape in [(hand_weights, (3, 3)), (hand_causal_weights, (3, 3)), (hand_output, (3, 2))]:
    assert hand_tensor.shape == hand_shape, f"expected shape {hand_shape}, got {tuple(hand_tensor.shape)}"
    assert hand_tensor.dtype == torch.float32, "write at least one number with a point, as in 1.0"
torch.testing.assert_close(hand_weights.sum(dim=1), torch.ones(3))
torch.testing.assert_close(hand_causal_weights.sum(dim=1), torch.ones(3))

# %% [markdown] nbgrader={"grade": false, "grade_id": "attention_weights-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise `attention_weights` (11 points)
#
# | name | shape | meaning |
# |---|---|---|
# | `q` | `(..., seq_q, d_head)` | queries; any number of leading axes, also none |
# | `k` | `(..., seq_k, d_head)` | keys; the same leading axes as `q` |
# | `causal` | `bool` | True: query i sees the keys 0..i only, itself included |
# | result | `(..., seq_q, seq_k)` | weights, in the dtype of `q`; each row sums to 1 |
#
# - **Scale.** Divide the dot products by $\sqrt{d_\text{head}}$, the root of the last axis of `q`. A dot product of
#   `d_head` random numbers spreads like $\sqrt{d_\text{head}}$; undivided, the softmax of a wide head is one 1 and many
#   0s, and hardly any gradient comes through.
# - **Causal.** Scores of later keys become $-\infty$ before the softmax; their weight is exactly 0. When the model
#   writes text, later tokens do not exist yet: the mask makes training mirror that. `causal=True` needs
#   `seq_q == seq_k`; otherwise raise a `ValueError`. Without `causal`, the two lengths may differ.
# - **Large scores.** Scores of 10⁴ and more must give finite weights (`torch.softmax` takes care of that).
# - **Half precision.** Compute scores and softmax in float32 even when `q` and `k` are float16, and cast the weights
#   back: in float16 a dot product above 65 504 is infinite.
# - **Your own steps**, here and below. `F.scaled_dot_product_attention` and what is built on it would do the exercise
#   for you; that costs no points, but the report says so.
# - `q` and `k` stay as they are, gradients reach both, and whatever tensor you make lies on the device of `q`.
#
# All lengths are at least 1.
#
# <details><summary>Hint</summary>`k.mT` swaps the last two axes, whatever comes before them.
# `scores.masked_fill(mask, value)` fills where `mask` is True.</details>


# %% nbgrader={"grade": false, "grade_id": "attention_weights", "locked": false, "schema_version": 3, "solution": true}
def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k)"""
    ### BEGIN SOLUTION
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    scores = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if causal:
        if seq_q != seq_k:
            raise ValueError(f"causal attention needs as many queries as keys, got {seq_q} and {seq_k}")
        future = torch.ones(seq_q, seq_k, dtype=torch.bool, device=q.device).triu(diagonal=1)
        scores = scores.masked_fill(future, -math.inf)
    return scores.softmax(dim=-1).to(q.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_weights-checks", "locked": true, "points": 11, "schema_version": 3, "solution": false}
# The three tokens from above. Do your hands and your function agree?
paper_q = math.log(2) * torch.tensor([[1.0, 1, -1, 1], [2, 0, 2, 2], [-1, 1, 1, -1]])
paper_k = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
torch.testing.assert_close(attention_weights(paper_q, paper_k)[0], torch.tensor([0.5, 0.25, 0.25]))
torch.testing.assert_close(attention_weights(paper_q, paper_k, causal=True)[0], torch.tensor([1.0, 0.0, 0.0]))
assert attention_weights(torch.zeros(2, 5, 3), torch.zeros(2, 7, 3)).shape == (2, 5, 7)
torch.testing.assert_close(attention_weights(torch.zeros(2, 5, 3), torch.zeros(2, 7, 3)), torch.full((2, 5, 7), 1 / 7))

# %% [markdown] nbgrader={"grade": false, "grade_id": "attend-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise `attend` (3 points)
#
# | name | shape | meaning |
# |---|---|---|
# | `weights` | `(..., seq_q, seq_k)` | row i: how much query i takes of each value |
# | `v` | `(..., seq_k, d_v)` | values; the same leading axes and dtype as `weights` |
# | result | `(..., seq_q, d_v)` | row i: the sum of all values, each times its weight in row i |
#
# Take the weights as they are: their rows need not sum to 1 here (after dropout they do not). All lengths are at least
# 1; gradients reach both arguments.


# %% nbgrader={"grade": false, "grade_id": "attend", "locked": false, "schema_version": 3, "solution": true}
def attend(weights: Tensor, v: Tensor) -> Tensor:
    """weights: (..., seq_q, seq_k), v: (..., seq_k, d_v) -> (..., seq_q, d_v)"""
    ### BEGIN SOLUTION
    return weights @ v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attend-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
two_values = torch.tensor([[10.0, 0.0, 1.0], [20.0, 2.0, 0.0]])
torch.testing.assert_close(attend(torch.tensor([[1.0, 0.0]]), two_values), two_values[:1])
torch.testing.assert_close(attend(torch.tensor([[0.5, 0.5]]), two_values), torch.tensor([[15.0, 1.0, 0.5]]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "head-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise `head` (10 points): the module `AttentionHead`
#
# `AttentionHead(d_model, d_head, dropout)` maps `x` of shape `(batch, seq, d_model)` or `(seq, d_model)` to the same
# shape with `d_head` in the place of `d_model`. Queries, keys and values all come from `x`; the attention is causal.
#
# - **Parameters.** Three `nn.Linear` layers named `query`, `key` and `value`, from `d_model` to `d_head`, without bias,
#   started as PyTorch starts them; nothing else is learned. (`nn.Linear` keeps its weight as `(d_head, d_model)`.)
# - **Dropout**, a probability p with 0 ≤ p < 1, works on the *weights*, after the softmax and before the values: in
#   training each weight becomes 0 with probability p, independently, and the others are divided by 1 − p, which is what
#   `nn.Dropout(p)` does. In eval mode nothing is dropped, so two calls give the same result.
# - **Any length** ≥ 1: the module is not told one, and one module is used with several.
# - **Any device**: after `head.to(device)` and `x.to(device)` it works there.
#
# Use your `attention_weights` and `attend`. The hidden checks put right ones in their place, so an earlier mistake costs
# nothing here.


# %% nbgrader={"grade": false, "grade_id": "head", "locked": false, "schema_version": 3, "solution": true}
class AttentionHead(nn.Module):
    """Causal self-attention with one head: (..., seq, d_model) -> (..., seq, d_head)."""

    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        weights = attention_weights(self.query(x), self.key(x), causal=True)
        return attend(self.dropout(weights), self.value(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "head-checks", "locked": true, "points": 10, "schema_version": 3, "solution": false}
small_head = AttentionHead(d_model=6, d_head=4, dropout=0.5).eval()
assert {name: tuple(parameter.shape) for name, parameter in small_head.named_parameters()} == {
    "query.weight": (4, 6),
    "key.weight": (4, 6),
    "value.weight": (4, 6),
}
small_x = torch.linspace(-1, 1, 2 * 5 * 6).reshape(2, 5, 6)
assert small_head(small_x).shape == (2, 5, 4)
# The first token sees only itself, so its output is its own value.
torch.testing.assert_close(small_head(small_x)[:, 0], small_head.value(small_x)[:, 0])

# %% [markdown] nbgrader={"grade": false, "grade_id": "padding-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise `padding` (6 points): texts of different lengths
#
# A batch is one tensor, so short texts are filled up with padding tokens, in front or behind. Nobody may look at those.
# Write `padded_attention_weights(q, k, is_padding)`, not causal:
#
# | name | shape | meaning |
# |---|---|---|
# | `q` | `(batch, seq_q, d_head)` | queries, float32 |
# | `k` | `(batch, seq_k, d_head)` | keys, float32 |
# | `is_padding` | `(batch, seq_k)` | `bool`, **True where the key is padding** |
# | result | `(batch, seq_q, seq_k)` | weights, float32 |
#
# - A padding key gets weight **exactly 0** from every query; the other weights of a row sum to 1.
# - What the padding keys hold makes no difference: they may be any finite numbers, also ones whose scores are far
#   larger than those of the text.
# - The mask speaks about keys only. A query at a padding position is computed like any other; its row is never read.
# - In a text that is nothing but padding there is nothing to look at: its weights are **all 0**, not nan, and the
#   gradients of `q` and `k` are 0 there, not nan.
#
# You may call your `attention_weights`; the hidden checks put a right one in its place.
#
# <details><summary>Hint</summary>The softmax of nothing but $-\infty$ is nan. Replacing the nan afterwards mends
# the weights, but not always the gradient. What does the softmax of nothing but `torch.finfo(torch.float32).min` give?</details>


# %% nbgrader={"grade": false, "grade_id": "padding", "locked": false, "schema_version": 3, "solution": true}
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) -> (batch, seq_q, seq_k)"""
    ### BEGIN SOLUTION
    blocked = is_padding[:, None, :]  # (batch, 1, seq_k)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(blocked, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1).masked_fill(blocked, 0.0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "padding-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
torch.testing.assert_close(
    padded_attention_weights(
        torch.zeros(2, 1, 3),
        torch.zeros(2, 4, 3),
        torch.tensor([[False, False, False, False], [False, False, True, True]]),
    ),
    torch.tensor([[[0.25, 0.25, 0.25, 0.25]], [[0.5, 0.5, 0.0, 0.0]]]),
)

# %% [markdown] nbgrader={"grade": false, "grade_id": "attention_head-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## In your own words (4 points, marked by a person)
#
# A classmate says: *"In training the whole text lies before us. The causal mask throws good information away; without it
# the loss falls much faster. And dividing by √d_head only changes the scale, so I leave both out."*
#
# Answer in about eight sentences. One point each for saying
#
# 1. what the model would learn to do without the mask, and so why its loss falls;
# 2. what goes wrong when that model then writes text;
# 3. why one output per token, each with its own mask row, lets one pass over a text train on every position at once;
# 4. what large undivided scores do to the softmax and to its gradient, and why the width of the head matters.

# %% [markdown] nbgrader={"grade": true, "grade_id": "attention_head-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# **Model answer.** Without the mask, position i sees token i + 1, which is exactly what it is asked to predict. It learns to copy it from
# there; the loss falls because the answer is given away, not because the model knows more about language.
# When it writes text, the next token does not exist yet. There is nothing to copy, and it never learned anything else,
# so it writes badly: training and use differ. The mask makes training mirror use.
# Each token has an output of its own, computed from the tokens up to it. So a text of n tokens is n prediction tasks,
# all solved in one parallel pass, and none sees its own answer.
# A dot product of d_head random terms grows like the root of d_head. For a wide head the undivided scores are far apart, the
# softmax is nearly 0 and 1, its derivative w(1 − w) is nearly 0 everywhere, and query and key stop learning.
#
# **How to mark.** One point for each criterion; the words are free, a formula does as well as a sentence.
#
# 1. Names the leak: the next token, the target itself, is visible and can be copied. "It overfits" alone: no point.
# 2. Says that at generation the later tokens do not exist, so that training and use differ. "It performs worse" alone: no
#    point.
# 3. Says that every position is a prediction of its own (n tokens, n outputs), and that the mask lets all be trained in
#    parallel without seeing their answers. Half a point if only the parallel pass is named.
# 4. Half a point for saturation (softmax near one-hot, gradient near 0), half for the growth with d_head. "To normalise"
#    or "for stability" alone: no point.
# ### END SOLUTION

# %% [markdown] nbgrader={"grade": false, "grade_id": "picture-task", "locked": true, "schema_version": 3, "solution": false}
# ## Picture: what a head looks at
#
# Nothing to write here. This head is set by hand: pronouns look for nouns, verbs look for whoever acts, and the other
# words look for nothing special, so they spread their attention evenly over what came before. Training finds such
# patterns by itself. Each row is one token looking back; the upper right is empty because the future is masked.
# The same numbers are printed as text below the picture.

# %% nbgrader={"grade": false, "grade_id": "picture", "locked": true, "schema_version": 3, "solution": false}
words = ["the", "cat", "sat", "and", "it", "purred"]
kinds = ["other", "noun", "verb", "other", "pronoun", "verb"]
features = torch.stack([torch.tensor([float(kind == name) for name in ("noun", "pronoun", "verb")]) for kind in kinds])

picture_head = AttentionHead(d_model=3, d_head=2, dropout=0.0).eval()
with torch.no_grad():
    # columns: noun, pronoun, verb; rows: the two things a query can look for
    picture_head.query.weight.copy_(torch.tensor([[0.0, 5.0, 4.0], [0.0, 0.0, 6.0]]))
    picture_head.key.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    picture_weights = attention_weights(picture_head.query(features), picture_head.key(features), causal=True)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("(matplotlib is not installed: here are the numbers only)")
else:
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.imshow(picture_weights, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(words)), words, rotation=45)
    axes.set_yticks(range(len(words)), words)
    axes.set_xlabel("token that is looked at (key)")
    axes.set_ylabel("token that looks (query)")
    for row in range(len(words)):
        for column in range(row + 1):
            weight = picture_weights[row, column].item()
            axes.text(
                column, row, f"{weight:.2f}", ha="center", va="center", color="white" if weight > 0.5 else "black"
            )
    axes.set_title("Attention weights of one head")
    plt.show()

for row, word in enumerate(words):
    seen = ", ".join(f"{words[column]} {picture_weights[row, column]:.2f}" for column in range(row + 1))
    print(f"{word:>6} looks at: {seen}")
