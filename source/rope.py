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
# # Rotary positions (RoPE)
#
# Attention sees a bag of words: without positions, *dog bites man* is *man bites dog*. Adding a vector for each position
# to the embedding works, but mixes *where* into *what*. **RoPE** (Su et al., 2021), which Llama uses, adds nothing. It
# **rotates** queries and keys by an angle that grows with the position. The angle between two rotated vectors then
# tells **how far apart** they are, and not where they stand.
#
# Think of a clock. From the hands at the start and at the end of a walk you read how long it took, whatever the time
# of day. One fast hand is precise and soon comes round again; a slow hand shows the hours. So RoPE cuts each vector
# into pairs of features, a hand each, and turns them at different speeds:
#
# $$\theta_i = \text{base}^{-2i/d_\text{head}}, \qquad
# \begin{pmatrix} x_i' \\ x_{i+d/2}' \end{pmatrix} =
# \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix}
# \begin{pmatrix} x_i \\ x_{i+d/2} \end{pmatrix}$$
#
# Here $m$ is the position, $d = d_\text{head}$ is even and $i$ runs from 0 to $d/2 - 1$.
# **Our convention is half-split, as in Llama's Hugging Face code: feature $i$ is paired with feature $i + d/2$** (the
# paper pairs neighbours, $2i$ with $2i+1$; weights trained for one do not fit the other). No parameter is learned.
#
# | exercise | points |
# |---|---|
# | 1. `rope_frequencies` | 3 |
# | 2. `rotate` | 4 |
# | 3. `apply_rope` | 6 |
# | 4. `score_matrix` | 3 |
# | 5. `rope_scores` | 4 |
# | 6. a written question | 4 |
#
# Every exercise is checked with correct earlier functions in the place of yours, so a mistake is charged once.
# Before you submit: *Kernel → Restart and Run All*. Any computer will do.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import math

import torch
from torch import Tensor

# %% [markdown] nbgrader={"grade": false, "grade_id": "rope_frequencies-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `rope_frequencies` (3 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `d_head` | | `int` | features of a head |
# | `base` | | number | 10000 in the paper, 500000 in Llama 3 |
# | result | `(d_head/2,)` | float32 | $\theta_0, \theta_1, …$ in radians per position, on the CPU |
#
# The first pair turns by one radian per position; the last one takes almost $2\pi\cdot$`base` positions to come round.
#
# Edge cases: `d_head` may be 2; an odd `d_head` raises a `ValueError`.
#
# <details><summary>Hint</summary>`torch.arange(0, d_head, 2)` counts 0, 2, 4, …</details>


# %% nbgrader={"grade": false, "grade_id": "rope_frequencies", "locked": false, "schema_version": 3, "solution": true}
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    """(d_head/2,): how far each pair of features turns from one position to the next, in radians."""
    ### BEGIN SOLUTION
    if d_head % 2:
        raise ValueError(f"RoPE rotates pairs of features, so d_head must be even, not {d_head}")
    return base ** -(torch.arange(0, d_head, 2) / d_head)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "rope_frequencies-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
torch.testing.assert_close(rope_frequencies(8), torch.tensor([1.0, 0.1, 0.01, 0.001]))
torch.testing.assert_close(rope_frequencies(4, 16.0), torch.tensor([1.0, 0.25]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "rotate-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `rotate` (4 points)
#
# Turn each pair $(x_i, x_{i+d/2})$ counter-clockwise by the angle $a_i$: the first becomes
# $x_i \cos a_i - x_{i+d/2} \sin a_i$, the second $x_{i+d/2} \cos a_i + x_i \sin a_i$.
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `x` | `(..., d_head)` | any float | any number of leading axes, also none |
# | `angles` | `(..., d_head/2)` | float32 | radians; its leading axes broadcast against those of `x` |
# | result | `(..., d_head)` | that of `x` | |
#
# Conventions: pairs are half-split; `angles` stay in float32 even if `x` is float16 or bfloat16, and only the result is
# cast back: rounded to bfloat16, the angle 1001 is 1000.
#
# Edge cases: `x` may be non-contiguous and stays as it was; gradients reach `x`.
#
# <details><summary>Hint</summary>`x.chunk(2, dim=-1)` gives both halves.</details>


# %% nbgrader={"grade": false, "grade_id": "rotate", "locked": false, "schema_version": 3, "solution": true}
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """x: (..., d_head), angles: (..., d_head/2) in radians -> (..., d_head)"""
    ### BEGIN SOLUTION
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "rotate-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** Four features are two pairs, (1, 3) and (2, 4). A quarter turn takes (1, 3) to (−3, 1).

# %% nbgrader={"grade": true, "grade_id": "rotate-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
quarter_and_none = torch.tensor([math.pi / 2, 0.0])
torch.testing.assert_close(
    rotate(torch.tensor([1.0, 2.0, 3.0, 4.0]), quarter_and_none), torch.tensor([-3.0, 2.0, 1.0, 4.0])
)
assert rotate(torch.ones(3, 4).bfloat16(), quarter_and_none).dtype == torch.bfloat16, "keep the dtype of x"

# %% [markdown] nbgrader={"grade": false, "grade_id": "apply_rope-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `apply_rope` (6 points)
#
# Rotate the vector at position $m$ by the angles $m\theta_0, m\theta_1, …$
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `x` | `(..., seq, d_head)` | any float | queries or keys; leading axes are batch and heads, or none |
# | `positions` | `(seq,)` or `(..., seq)` | int64 | where each vector stands; leading axes broadcast against those of `x` |
# | `base` | | number | as in exercise 1 |
# | result | `(..., seq, d_head)` | that of `x` | |
#
# Conventions: the first token of a text has position 0. Positions are an argument and not always 0, 1, 2, …: when a
# model writes token 57, that token comes alone, and its position is 57. Angles are computed in float32 even for
# half-precision `x`. Positions may be as large as 100 000, and `x` may lie on a GPU: move the frequencies to `x.device`.
#
# Edge cases: positions `(batch, 1, seq)` with `x` of `(batch, heads, seq, d_head)` give each row of a batch its own;
# `x` may be non-contiguous and stays as it was; gradients reach `x`.
#
# Four laws hold for every such rotation; you can try them in a cell of your own. Lengths are kept; position 0 changes
# nothing; a later part of a text, with its positions, gives the same as the slice of the whole; and the dot product of
# a rotated query and a rotated key changes with their distance only.
#
# <details><summary>Hint</summary>`positions[..., None]` has a last axis of length 1, ready to be multiplied by the
# frequencies.</details>


# %% nbgrader={"grade": false, "grade_id": "apply_rope", "locked": false, "schema_version": 3, "solution": true}
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """x: (..., seq, d_head), positions: (seq,) or (..., seq) -> (..., seq, d_head)"""
    ### BEGIN SOLUTION
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    return rotate(x, positions[..., None] * frequencies)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "apply_rope-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
one_hand = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])  # d_head = 2: the angle is the position
torch.testing.assert_close(
    apply_rope(one_hand, torch.tensor([0, 1, 3])),
    torch.tensor([[1.0, 0.0], [0.540302, 0.841471], [-0.989992, 0.141120]]),
)
text = torch.arange(24.0).reshape(6, 4)
whole = apply_rope(text, torch.arange(6))
torch.testing.assert_close(apply_rope(text[4:], torch.tensor([4, 5])), whole[4:])

# %% [markdown] nbgrader={"grade": false, "grade_id": "score_matrix-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: the distance is all, `score_matrix` (3 points)
#
# Write $R_m$ for the matrix that rotates a vector at position $m$. The score of a query at $m$ and a key at $n$ is
# $(R_m q) \cdot (R_n k) = q^\top R_m^\top R_n\, k$. Show on paper that the matrix in the middle depends on the
# **distance** $m - n$ only, and return it.
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `distance` | | `int` | $m - n$: how many positions the query stands after the key; may be negative |
# | `d_head`, `base` | | | as in exercise 1 |
# | result $M$ | `(d_head, d_head)` | float32 | `q @ M @ k` is the dot product of the two rotated vectors, unscaled |
#
# Edge cases: distance 0 gives the identity; `d_head` may be 2.
#
# <details><summary>Hint</summary>Row $i$ of $M$ is `e_i @ M`, where `e_i` is a unit vector. Or put the cosines on the
# diagonal, and the sines where each half meets the other.</details>


# %% nbgrader={"grade": false, "grade_id": "score_matrix", "locked": false, "schema_version": 3, "solution": true}
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    """(d_head, d_head): the M for which q @ M @ k is the score of a query that stands `distance` after its key."""
    ### BEGIN SOLUTION
    # With the key at position 0, only the query is rotated: row i of M is the unit vector i, rotated.
    return apply_rope(torch.eye(d_head), torch.full((d_head,), distance), base)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "score_matrix-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
torch.testing.assert_close(score_matrix(0, 4), torch.eye(4))
torch.testing.assert_close(score_matrix(1, 2), torch.tensor([[0.540302, 0.841471], [-0.841471, 0.540302]]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "rope_scores-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: scores while decoding, `rope_scores` (4 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `q` | `(..., seq_q, d_head)` | any float | queries of the **last** `seq_q` tokens |
# | `k` | `(..., seq_k, d_head)` | that of `q` | keys of all tokens so far; `seq_k >= seq_q`; neither is rotated yet |
# | `base` | | number | as in exercise 1 |
# | result | `(..., seq_q, seq_k)` | that of `q` | rotated q · rotated k, divided by $\sqrt{d_\text{head}}$; no mask, no softmax |
#
# Conventions: the keys stand at positions 0, …, `seq_k` − 1, and the last query at the position of the last key. With
# `seq_q` = 1 this is one step of writing a text. In half precision compute in float32 and cast the scores back: a
# sum of products soon passes 65 504, the largest float16.


# %% nbgrader={"grade": false, "grade_id": "rope_scores", "locked": false, "schema_version": 3, "solution": true}
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k)"""
    ### BEGIN SOLUTION
    positions = torch.arange(k.shape[-2], device=k.device)
    rotated_q = apply_rope(q.float(), positions[k.shape[-2] - q.shape[-2] :], base)
    rotated_k = apply_rope(k.float(), positions, base)
    return (rotated_q @ rotated_k.mT / math.sqrt(q.shape[-1])).to(q.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "rope_scores-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
some_k = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
expected_row = torch.tensor([-0.416147, 0.540302, 1.0]) / math.sqrt(2)  # cosines of the distances 2, 1, 0
torch.testing.assert_close(rope_scores(some_k[-1:], some_k), expected_row[None])
torch.testing.assert_close(rope_scores(some_k, some_k)[-1], expected_row)

# %% [markdown] nbgrader={"grade": false, "grade_id": "experiment-task", "locked": true, "schema_version": 3, "solution": false}
# ## What the rotation does (no points)
#
# First, one query and one key, 3 positions apart, at several places in a text: once with your `apply_rope`, once with
# positions rounded to bfloat16, as happens when a model computes everything in half precision. Then the picture: the
# score of two equal vectors of ones, over their distance. It is $\frac{2}{d}\sum_i \cos(m\theta_i)$, a sum of hands that
# agree at distance 0 and go apart. Change the bases or the distances in cells of your own.

# %% nbgrader={"grade": false, "grade_id": "experiment-shift", "locked": true, "schema_version": 3, "solution": false}
generator = torch.Generator().manual_seed(0)
query, key = torch.randn(1, 64, generator=generator), torch.randn(1, 64, generator=generator)
print("query at   score, float32 positions   score, bfloat16 positions")
for place in (3, 100, 1001, 10_003, 100_001):
    here, back = torch.tensor([place]), torch.tensor([place - 3])
    exact = (apply_rope(query, here) * apply_rope(key, back)).sum()
    coarse = (apply_rope(query, here.bfloat16().long()) * apply_rope(key, back.bfloat16().long())).sum()
    print(f"{place:8}   {exact:24.4f}   {coarse:25.4f}")

# %% nbgrader={"grade": false, "grade_id": "experiment-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

DISTANCES, BASES = torch.arange(512), {100.0: "--", 10000.0: "-", 500000.0: ":"}
curves = {}
for base in BASES:
    hands = apply_rope(torch.ones(512, 64), DISTANCES, base)
    curves[base] = hands @ hands[0] / 64

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for base, style in BASES.items():
    axes.plot(DISTANCES, curves[base], style, color="black", linewidth=1, label=f"base {base:g}")
axes.set(xlabel="distance between query and key", ylabel="score", title="Score of two equal vectors, 64 features")
axes.legend()
plt.show()
print("In words: score over distance, dashed for base 100, solid for 10 000, dotted for 500 000.")
SHOWN = [0, 1, 4, 16, 64, 256, 511]
print("  distance   " + "".join(f"{distance:8}" for distance in SHOWN) + "   mean over 256 to 511")
for base, curve in curves.items():
    print(
        f"  base {base:<8g}" + "".join(f"{curve[distance]:8.2f}" for distance in SHOWN) + f"{curve[256:].mean():14.2f}"
    )

# %% [markdown] nbgrader={"grade": false, "grade_id": "rope-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: a written question (4 points)
#
# Answer in about ten lines; formulas in plain text are fine. A person marks your answer.
#
# 1. For `d_head` = 2, show that the dot product of a query rotated by $m\theta$ and a key rotated by $n\theta$ depends on
#    $m - n$, and not on $m$ and $n$ themselves. (1 point)
# 2. Queries and keys are rotated, values are not. What would go wrong, or be pointless, if values were rotated too?
#    (1 point)
# 3. bfloat16 keeps 8 significant bits. Which is the first whole position that it cannot hold, and what does your run
#    show for the query at 1001? (1 point)
# 4. What does a larger base change in the picture, and what can the picture not tell about a trained model? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "rope-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. Let q have length |q| and direction α, k have |k| and β. Rotated, their directions are α + mθ and β + nθ. The dot
#    product is |q| |k| cos of the difference, cos(α − β + (m − n)θ): only m − n is in it. (Or: R_mᵀ R_n = R_{n−m}.)
# 2. Scores compare two vectors, so the absolute rotation cancels. A value is not compared with anything: its absolute
#    rotation would stay in the output, and the same content would be handed over differently at each position.
# 3. 257: above 256, 8 bits hold only even numbers. 1001 is rounded to 1000 and 998 to 1000 as well, so the pair that is
#    3 apart is treated as if both stood at one place: the score differs from that at the other places.
# 4. The hands turn more slowly, so the score falls later and stays higher over the distances shown: far tokens are not
#    as soon treated differently from near ones. The vectors of ones are no trained queries and keys: a model can learn
#    others whose score does not fall with distance, so the picture says nothing certain about what it attends to.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: a correct derivation by angles, complex numbers, matrices or trigonometry. Half a point if one step is
#    claimed without reason.
# 2. 1 point: says that nothing cancels the absolute rotation of a value. Half a point for "values carry content, not
#    position" alone.
# 3. 1 point: 257 (half), and a score read from their run with its cause: 998 and 1001 are rounded, so their distance is
#    no longer 3 (half).
# 4. 1 point: slower decay (half), and an honest limit: equal vectors of ones, no learned weights (half).
# ### END MARK SCHEME
