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
# # SwiGLU
#
# In a transformer block **attention reads, the MLP writes**: attention brings information from other tokens, and the
# MLP works on each token alone and adds its result to the token's vector. It holds about two thirds of a block's
# parameters. GPT-2's MLP widens the vector four times, applies GELU and comes back:
#
# $$\mathrm{MLP}(x) = W_\text{down}\; \mathrm{gelu}(W_\text{up}\, x)$$
#
# **SwiGLU** (Shazeer, 2020), which Llama uses, computes two wide vectors and multiplies them:
#
# $$\mathrm{SwiGLU}(x) = W_\text{down}\,\big(\mathrm{silu}(W_\text{gate}\, x) \odot W_\text{up}\, x\big), \qquad
# \mathrm{silu}(z) = z\,\sigma(z) = \frac{z}{1 + e^{-z}}$$
#
# Think of a mixing desk. `up` is the sound of each channel, `gate` its fader; and the input itself moves the faders. A
# fader that is down silences its channel, whatever sound comes. Without the gate every channel is always on.
#
# | exercise | points |
# |---|---|
# | 1. `silu` | 4 |
# | 2. `GeluMLP` | 3 |
# | 3. `SwiGLU` | 5 |
# | 4. `swiglu_width` and `mlp_parameters` | 4 |
# | 5. `swiglu_backward` | 4 |
# | 6. a written question | 4 |
#
# Every exercise is checked with correct earlier functions in the place of yours, so a mistake is charged once.
# Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import math

import torch
from torch import Tensor, nn

# %% [markdown] nbgrader={"grade": false, "grade_id": "silu-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `silu` (4 points)
#
# SiLU (also called Swish) lets large numbers through, stops very negative ones, and is smooth in between.
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `x` | any, also none | any float | finite numbers, however large |
# | result | that of `x` | that of `x` | $x\,\sigma(x)$ for each entry |
#
# Conventions: no factor stands inside the sigmoid (beta = 1); half precision is computed in float32 and cast back.
# Write the formula yourself: `F.silu` costs no points, but the report says so.
# Edge cases: at $-10^4$ the result is 0 and its gradient is 0, at $10^4$ they are $10^4$ and 1, and never nan. Both
# $e^{-x}$ and $e^x$ overflow somewhere: infinity divided by infinity is nan, and so is 0 times infinity, which autograd
# may meet even if the value is fine. `x` stays as it was.
#
# <details><summary>Hint</summary>`torch.sigmoid` takes care of the overflow, forwards and backwards.</details>


# %% nbgrader={"grade": false, "grade_id": "silu", "locked": false, "schema_version": 3, "solution": true}
def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x) for each entry of `x`."""
    ### BEGIN SOLUTION
    wide = x.float()
    return (wide * torch.sigmoid(wide)).to(x.dtype)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "silu-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** $\sigma(\ln 3) = \frac{3}{4}$, so silu(ln 3) is ¾ ln 3, and silu(−ln 3) is −¼ ln 3.

# %% nbgrader={"grade": true, "grade_id": "silu-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
log_three = math.log(3)
torch.testing.assert_close(
    silu(torch.tensor([0.0, log_three, -log_three])), torch.tensor([0.0, 0.75 * log_three, -0.25 * log_three])
)
assert silu(torch.tensor([-1e4, 1e4])).tolist() == [0.0, 1e4], "extreme inputs must not give nan"
assert silu(torch.ones(2).bfloat16()).dtype == torch.bfloat16, "keep the dtype of x"

# %% [markdown] nbgrader={"grade": false, "grade_id": "gelu_mlp-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `GeluMLP`, to compare with (3 points)
#
# `GeluMLP(d_model, d_ff)` is an `nn.Module`. Called on `x` it returns $W_\text{down}\,\mathrm{gelu}(W_\text{up}\,x)$.
#
# | name | shape | meaning |
# |---|---|---|
# | `up.weight` | `(d_ff, d_model)` | parameter of the layer `up` |
# | `down.weight` | `(d_model, d_ff)` | parameter of the layer `down` |
# | `x`, result | `(..., d_model)` | any number of leading axes, also none |
#
# Conventions: GELU is the exact one, $x\,\Phi(x)$ with the error function, torch's default (GPT-2 used an approximation
# by tanh, which differs by up to 0.0005). There are no biases here (GPT-2 has them), so that counts are easy to compare.
# The layers start as `nn.Linear` starts them.


# %% nbgrader={"grade": false, "grade_id": "gelu_mlp", "locked": false, "schema_version": 3, "solution": true}
class GeluMLP(nn.Module):
    """x: (..., d_model) -> down(gelu(up(x))): (..., d_model)"""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return self.down(nn.functional.gelu(self.up(x)))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gelu_mlp-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
gelu_block = GeluMLP(1, 2)
gelu_block.load_state_dict({"up.weight": torch.tensor([[1.0], [-1.0]]), "down.weight": torch.tensor([[1.0, 10.0]])})
# gelu(1) = 0.841345 and gelu(-1) = -0.158655
torch.testing.assert_close(gelu_block(torch.tensor([1.0])), torch.tensor([0.841345 - 1.586553]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "swiglu-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `SwiGLU` (5 points)
#
# `SwiGLU(d_model, d_ff)` is an `nn.Module`. It uses the width `d_ff` as it is given.
#
# | name | shape | in Llama's code | in the paper |
# |---|---|---|---|
# | `gate.weight` | `(d_ff, d_model)` | `gate_proj` | $W$ |
# | `up.weight` | `(d_ff, d_model)` | `up_proj` | $V$ |
# | `down.weight` | `(d_model, d_ff)` | `down_proj` | $W_2$ |
# | `x`, result | `(..., d_model)` | | |
#
# Conventions: `down(silu(gate(x)) * up(x))`: silu acts on the gate alone, and the two are multiplied entry by entry;
# no biases; the residual connection is not part of it. The layers start as `nn.Linear` starts them.
# Edge cases: any number of leading axes, also none; after `layer.bfloat16()`, with bfloat16 `x`, it returns bfloat16.


# %% nbgrader={"grade": false, "grade_id": "swiglu", "locked": false, "schema_version": 3, "solution": true}
class SwiGLU(nn.Module):
    """x: (..., d_model) -> down(silu(gate(x)) * up(x)): (..., d_model)"""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return self.down(silu(self.gate(x)) * self.up(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "swiglu-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
block = SwiGLU(1, 2)
assert {name for name, _ in block.named_parameters()} == {"gate.weight", "up.weight", "down.weight"}
gate_weight, up_weight = torch.tensor([[log_three], [-log_three]]), torch.tensor([[2.0], [4.0]])
block.load_state_dict({"gate.weight": gate_weight, "up.weight": up_weight, "down.weight": torch.tensor([[1.0, 1.0]])})
# channel 0: ¾ ln 3 · 2, channel 1: -¼ ln 3 · 4
torch.testing.assert_close(block(torch.tensor([[1.0]])), torch.tensor([[0.5 * log_three]]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "swiglu_width-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: how wide? `swiglu_width` and `mlp_parameters` (4 points)
#
# SwiGLU has three matrices where the GELU MLP has two. For as many parameters it must be narrower: from
# $3\,d\,d_\text{ff} = 2\,d \cdot 4d$ follows $d_\text{ff} = \frac{8}{3} d$, with $d$ = `d_model`. Graphics processors
# like multiples of 64 or 256, so the width is rounded **up** to the next multiple.
#
# - `swiglu_width(d_model, multiple_of)` is the smallest multiple of `multiple_of` that is at least 8·`d_model`/3.
# - `mlp_parameters(d_model, multiple_of)` is the pair of two numbers: how many parameters a `GeluMLP` of width
#   4·`d_model` has, and how many a `SwiGLU` of width `swiglu_width(d_model, multiple_of)`.
#
# | name | type | |
# |---|---|---|
# | `d_model` | `int` | at least 1 |
# | `multiple_of` | `int` | a multiple of 8 |
# | results | `int`; a tuple of two `int` | `nn.Linear` takes no floats |
#
# <details><summary>Hint</summary>`a // b` rounds down and `-(-a // b)` rounds up, exactly, in integers.</details>


# %% nbgrader={"grade": false, "grade_id": "swiglu_width", "locked": false, "schema_version": 3, "solution": true}
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    """The smallest multiple of `multiple_of` that is at least 8 · d_model / 3."""
    ### BEGIN SOLUTION
    return -(-8 * d_model // (3 * multiple_of)) * multiple_of
    ### END SOLUTION


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    """The parameters of a GELU MLP of width 4 · d_model, and of the SwiGLU that takes its place."""
    ### BEGIN SOLUTION
    return 2 * d_model * 4 * d_model, 3 * d_model * swiglu_width(d_model, multiple_of)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "swiglu_width-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
assert swiglu_width(4096, 256) == 11008, "the width of Llama 7B"
assert swiglu_width(24, 64) == 64, "8 · 24 / 3 is 64 already"
assert mlp_parameters(24, 8) == (4608, 4608), "equal where nothing is rounded"

# %% [markdown] nbgrader={"grade": false, "grade_id": "swiglu_backward-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: the gradient by hand, `swiglu_backward` (4 points)
#
# For `hidden = silu(gate) * up`, training sends back `grad_hidden`. Return the tuple `(grad_gate, grad_up)`. Derive it
# on paper; write it with plain tensor operations, without `.backward()` or `torch.autograd`.
#
# | name | shape | dtype |
# |---|---|---|
# | `grad_hidden`, `gate`, `up` | any, the same for all | the same float dtype |
# | `grad_gate`, `grad_up` | the same | the same |
#
# `gate` and `up` are what comes out of the layers of these names. Half precision is computed in float32. Edge cases:
# entries of $\pm 10^4$ give finite gradients.
#
# <details><summary>Hint</summary>The product rule twice: once for silu(gate) · up, once for z · σ(z).
# σ' = σ (1 − σ).</details>


# %% nbgrader={"grade": false, "grade_id": "swiglu_backward", "locked": false, "schema_version": 3, "solution": true}
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of silu(gate) * up in `gate` and in `up`."""
    ### BEGIN SOLUTION
    upstream, wide = grad_hidden.float(), gate.float()
    sigmoid = torch.sigmoid(wide)
    slope = sigmoid + wide * sigmoid * (1 - sigmoid)
    return (upstream * up * slope).to(gate.dtype), (upstream * wide * sigmoid).to(up.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "swiglu_backward-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
some_gate = torch.tensor([0.0, 1.0, -2.0], requires_grad=True)
some_up = torch.tensor([2.0, -1.0, 0.5], requires_grad=True)
upstream = torch.tensor([1.0, 0.5, -1.0])
by_autograd = torch.autograd.grad(silu(some_gate) * some_up, (some_gate, some_up), upstream)
torch.testing.assert_close(swiglu_backward(upstream, some_gate.detach(), some_up.detach()), by_autograd)

# %% [markdown] nbgrader={"grade": false, "grade_id": "experiment-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: before and after, at equal parameters (no points)
#
# Your `GeluMLP` and your `SwiGLU` learn three functions of 12 features: *products* $x_0 x_1 + x_2 x_3$, *waves*
# $\sin 2x_0 + \sin 2x_1$ and *corners* $|x_0| + |x_1|$. Both have 1152 parameters, see the same data and take the
# same steps. The table gives the error on new data, as a share of the variance (1 is no better than a constant), for
# three seeds. Which one wins? Change the learning rate or the steps in cells of your own: does it still?

# %% nbgrader={"grade": false, "grade_id": "experiment-training", "locked": true, "schema_version": 3, "solution": false}
torch.set_num_threads(1)  # matrices this small are faster on one core
WIDTH, STEPS, SEEDS = 12, 150, (0, 1, 2)
TASKS = {
    "products": lambda x: x[:, :1] * x[:, 1:2] + x[:, 2:3] * x[:, 3:4],
    "waves": lambda x: torch.sin(2 * x[:, :1]) + torch.sin(2 * x[:, 1:2]),
    "corners": lambda x: x[:, :1].abs() + x[:, 1:2].abs(),
}
RIVALS = {"GELU": lambda: GeluMLP(WIDTH, 4 * WIDTH), "SwiGLU": lambda: SwiGLU(WIDTH, swiglu_width(WIDTH, 8))}


def errors(kind: str, task: str, seed: int, learning_rate: float = 0.01) -> list[float]:
    """The error on new data at every tenth step."""
    torch.manual_seed(seed)
    mlp, out = RIVALS[kind](), nn.Linear(WIDTH, 1)
    optimizer = torch.optim.Adam([*mlp.parameters(), *out.parameters()], lr=learning_rate)
    data = torch.Generator().manual_seed(seed)  # of its own, so that both kinds see the same numbers
    test = torch.randn(1000, WIDTH, generator=data)
    curve = []
    for step in range(STEPS):
        x = torch.randn(256, WIDTH, generator=data)
        loss = (out(x + mlp(x)) - TASKS[task](x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            with torch.no_grad():
                missed = (out(test + mlp(test)) - TASKS[task](test)).square().mean()
            curve.append((missed / TASKS[task](test).var()).item())
    return curve


print("parameters:", {kind: sum(p.numel() for p in RIVALS[kind]().parameters()) for kind in RIVALS})
curves = {(task, kind): [errors(kind, task, seed) for seed in SEEDS] for task in TASKS for kind in RIVALS}
print(f"{'task':<10}{'GELU, three seeds':>24}{'SwiGLU, three seeds':>24}   lower error")
for task in TASKS:
    last = {kind: [curve[-1] for curve in curves[task, kind]] for kind in RIVALS}
    row = "".join(f"{'  '.join(f'{error:.3f}' for error in last[kind]):>24}" for kind in last)
    ahead = sum(swiglu < gelu for gelu, swiglu in zip(last["GELU"], last["SwiGLU"], strict=True))
    print(f"{task:<10}{row}   SwiGLU in {ahead} of {len(SEEDS)} seeds")

# %% nbgrader={"grade": false, "grade_id": "experiment-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
for panel, task in zip(panels, TASKS, strict=True):
    for kind, style in (("GELU", "--"), ("SwiGLU", "-")):
        panel.plot(range(10, STEPS + 1, 10), curves[task, kind][0], style, color="black", label=kind)
    panel.set(xlabel="step", ylabel="error on new data", title=task, yscale="log")
panels[0].legend()
plt.show()
print("In words: error over steps for seed 0, one panel for each task, dashed for GELU, solid for SwiGLU.")
for (task, kind), (curve, *_) in curves.items():
    print(
        f"  {task}, {kind}: " + ", ".join(f"{curve[at]:.3f}" for at in (0, 4, 9, 14)) + " after 10, 50, 100, 150 steps"
    )

# %% [markdown] nbgrader={"grade": false, "grade_id": "swiglu-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: a written question (4 points)
#
# Answer in about ten lines; formulas in plain text are fine. A person marks your answer.
#
# 1. A friend replaces a GELU MLP by a SwiGLU with the same `d_ff` = 4·`d_model`, sees a lower loss and praises SwiGLU.
#    By how much did the parameters grow, and what would be a fair comparison? (1 point)
# 2. One entry of `gate` is −20. What are that channel's contribution to the output, `grad_up` and `grad_gate`, about,
#    and what does that mean for learning? (1 point)
# 3. Leave silu out of SwiGLU, and GELU out of the other. What kind of function of `x` does each become? (1 point)
# 4. Which of the two wins in your run of the milestone? Give its numbers, and say one thing that it cannot show.
#    (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "swiglu-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. From 2 · d · 4d = 8d² to 3 · d · 4d = 12d², by half. A fair comparison gives both the same number of parameters
#    (or of operations): d_ff = 8/3 d for SwiGLU, with the same data and steps, each with a learning rate tuned for it.
# 2. silu(−20) = −20 · 2e-9 = −4e-8: the channel is silent. grad_up, which is grad_hidden times silu(gate), and
#    grad_gate, in which silu' is as tiny, are about zero. For this input neither learns; other inputs can open it.
# 3. Without GELU: down(up(x)) is linear in x; two matrices in a row are one. Without silu: down(gate(x) · up(x)) is a
#    quadratic function of x, products of features: not linear, even without an activation.
# 4. With the given seeds SwiGLU has the lower error on products and waves, GELU on corners, in three of three seeds
#    each. So the winner depends on the task. Tiny functions, one width, one learning rate and no biases say nothing
#    certain about language models, where SwiGLU's gain was measured, and is small.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: by half, or 12d² against 8d² (half), and equal parameters or equal cost (half).
# 2. 1 point: contribution and both gradients near zero (half), and no learning there for this input (half).
# 3. 1 point: linear (half); quadratic, bilinear or "products of features" (half).
# 4. 1 point: winners read from their own run with numbers (half), and an honest limit (half). Their numbers may differ
#    from ours when their functions do; mark the reading, not the code.
# ### END MARK SCHEME
