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
# # RMSNorm
#
# A deep network keeps its activations at a steady scale, or training diverges. Llama-style models do it with
# **RMSNorm** (Zhang and Sennrich, 2019): divide each vector by its root mean square, then scale each feature.
#
# $$\mathrm{RMSNorm}(x)_i = \frac{x_i}{\sqrt{\frac{1}{n}\sum_{j=1}^{n} x_j^2 + \varepsilon}}\; w_i$$
#
# Here $n$ is `d_model`, the length of the last axis. You write the function, the module, LayerNorm for comparison and
# the gradient by hand; then you watch them at work in a deep network. Any computer will do.
#
# | exercise | points |
# |---|---|
# | 1. `rms_norm` | 6 |
# | 2. `RMSNorm` | 3 |
# | 3. `layer_norm` | 3 |
# | 4. `rms_norm_backward` | 5 |
# | 5. a written question | 4 |
#
# Exercises 2 and 4 are checked with a correct `rms_norm` in the place of yours, so a mistake in exercise 1 costs
# nothing there. Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import torch
from torch import Tensor, nn

# %% [markdown] nbgrader={"grade": false, "grade_id": "rms_norm-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `rms_norm` (6 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `x` | `(..., d_model)` | any float | activations, with any number of leading axes, also none |
# | `weight` | `(d_model,)` | any float | one scale per feature |
# | `eps` | number | | keeps the root away from zero |
# | result | `(..., d_model)` | that of `x` | |
#
# Conventions:
#
# - The mean runs over the last axis only and divides by `d_model`.
# - `eps` is added to the mean square, inside the root.
# - If `x` is float16 or bfloat16, compute in float32 and cast the result back to the dtype of `x`, whatever the dtype
#   of `weight`. In float16 the square of 300 is already infinite.
# - Write the steps yourself, here and in exercise 3. torch has both norms ready-made; that costs no points, but the
#   report says so.
#
# Edge cases: a vector of zeros gives zeros; `d_model` may be 1; `x` may be non-contiguous, for example transposed; `x`
# and `weight` stay as they were; autograd must find its way through every step.
#
# <details><summary>Hint</summary>`mean(dim=-1, keepdim=True)` keeps an axis of length 1 to broadcast over.</details>


# %% nbgrader={"grade": false, "grade_id": "rms_norm", "locked": false, "schema_version": 3, "solution": true}
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """Divide each vector of `x` by its root mean square, then scale each feature by `weight`."""
    ### BEGIN SOLUTION
    wide = x.float()
    mean_square = wide.square().mean(dim=-1, keepdim=True)
    return (wide * torch.rsqrt(mean_square + eps) * weight).to(x.dtype)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "rms_norm-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** The vector (3, 4) has the mean square 12.5, so its root mean square is about 3.5355. The hidden
# checks also try other shapes, tiny and large inputs, half precision and gradients.

# %% nbgrader={"grade": true, "grade_id": "rms_norm-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
three_four = torch.tensor([3.0, 4.0])
torch.testing.assert_close(rms_norm(three_four, torch.ones(2), 0.0), torch.tensor([0.848528, 1.131371]))
torch.testing.assert_close(
    rms_norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([1.0, 2.0]), 3.5),
    torch.tensor([[0.75, 2.0], [0.0, 0.0]]),
)
assert rms_norm(three_four.bfloat16(), torch.ones(2), 1e-6).dtype == torch.bfloat16, "keep the dtype of x"

# %% [markdown] nbgrader={"grade": false, "grade_id": "rms_norm_module-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: the module `RMSNorm` (3 points)
#
# `RMSNorm(d_model, eps)` is an `nn.Module` whose only parameter is `weight`: shape `(d_model,)`, all ones at the start,
# learnable. Called on `x` of shape `(..., d_model)`, it returns `rms_norm(x, weight, eps)` with its own weight and the
# eps it was built with: same shape and dtype as `x`.
#
# Edge cases: `d_model` may be 1; two modules with different `eps` live side by side.


# %% nbgrader={"grade": false, "grade_id": "rms_norm_module", "locked": false, "schema_version": 3, "solution": true}
class RMSNorm(nn.Module):
    """`rms_norm` with a learnable weight of shape (d_model,)."""

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return rms_norm(x, self.weight, self.eps)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "rms_norm_module-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
layer = RMSNorm(2, eps=3.5)
assert [name for name, _ in layer.named_parameters()] == ["weight"], "weight is the only parameter"
torch.testing.assert_close(layer(torch.tensor([[3.0, 4.0]])), torch.tensor([[0.75, 1.0]]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "layer_norm-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `layer_norm`, for comparison (3 points)
#
# LayerNorm, which GPT-2 uses, also subtracts the mean and adds a learnable bias:
#
# $$\mathrm{LayerNorm}(x)_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}\; w_i + b_i, \qquad
# \mu = \frac{1}{n}\sum_j x_j, \qquad \sigma^2 = \frac{1}{n}\sum_j (x_j - \mu)^2$$
#
# | name | shape | dtype |
# |---|---|---|
# | `x`, result | `(..., d_model)` | any float; the result has that of `x` |
# | `weight`, `bias` | `(d_model,)` | any float |
# | `eps` | number | |
#
# Conventions: the statistics run over the last axis; the variance divides by $n$, not by $n-1$; `eps` is added to the
# variance, inside the root; half precision is computed in float32.
#
# Edge cases: a constant vector, and so every vector with `d_model` = 1, gives `bias`; adding 100 to every entry of `x`
# must not spoil the variance, so subtract the mean before you square.


# %% nbgrader={"grade": false, "grade_id": "layer_norm", "locked": false, "schema_version": 3, "solution": true}
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Centre each vector of `x`, divide it by its standard deviation, then scale and shift each feature."""
    ### BEGIN SOLUTION
    wide = x.float()
    centred = wide - wide.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "layer_norm-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
torch.testing.assert_close(
    layer_norm(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.5]), 3.0),
    torch.tensor([-0.5, 1.5]),
)
torch.testing.assert_close(layer_norm(torch.tensor([7.0]), torch.ones(1), torch.zeros(1)), torch.zeros(1))

# %% [markdown] nbgrader={"grade": false, "grade_id": "rms_norm_backward-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: the gradient by hand, `rms_norm_backward` (5 points)
#
# Training sends back `grad_output`, the gradient of the loss in the result of `rms_norm`. Return the tuple
# `(grad_x, grad_weight)`, the gradients of the loss in `x` and in `weight`. Derive them on paper; write them with plain
# tensor operations, without `.backward()`, `torch.autograd` or a built-in norm.
#
# | name | shape | dtype |
# |---|---|---|
# | `grad_output`, `x` | `(..., d_model)` | the same float dtype |
# | `weight` | `(d_model,)` | any float |
# | `grad_x` | `(..., d_model)` | that of `x` |
# | `grad_weight` | `(d_model,)` | that of `weight` |
#
# Conventions: `x` reaches the result twice, directly and through the root, and both ways count; `weight` serves every
# vector, so its gradient is a sum over all leading axes; half precision is computed in float32.
#
# Edge cases: no leading axes at all; vectors of zeros, where both gradients are finite.
#
# <details><summary>Hint</summary>With $r = 1/\sqrt{\mathrm{mean}(x^2)+\varepsilon}$, first show
# $\partial r / \partial x_j = -r^3 x_j / n$.</details>


# %% nbgrader={"grade": false, "grade_id": "rms_norm_backward", "locked": false, "schema_version": 3, "solution": true}
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """The gradients of `rms_norm` in `x` and in `weight`, given the gradient in its result."""
    ### BEGIN SOLUTION
    wide, upstream = x.float(), grad_output.float()
    inverse = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    scaled = upstream * weight
    through_the_root = inverse**3 * wide * (scaled * wide).mean(dim=-1, keepdim=True)
    grad_weight = (upstream * wide * inverse).reshape(-1, x.shape[-1]).sum(dim=0)
    return (inverse * scaled - through_the_root).to(x.dtype), grad_weight.to(weight.dtype)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "rms_norm_backward-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** Autograd is the judge of a gradient written by hand: compare with it on any input you like.

# %% nbgrader={"grade": true, "grade_id": "rms_norm_backward-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
some_x = torch.tensor([[3.0, 4.0], [1.0, -2.0], [0.0, 0.0]], requires_grad=True)
some_weight = torch.tensor([1.0, 2.0], requires_grad=True)
upstream = torch.tensor([[1.0, 0.5], [-1.0, 2.0], [0.5, 0.5]])
by_autograd = torch.autograd.grad(rms_norm(some_x, some_weight, 0.5), (some_x, some_weight), upstream)
by_hand = rms_norm_backward(upstream, some_x.detach(), some_weight.detach(), 0.5)
torch.testing.assert_close(by_hand, by_autograd)

# %% [markdown] nbgrader={"grade": false, "grade_id": "experiment-task", "locked": true, "schema_version": 3, "solution": false}
# ## The two norms at work (no points)
#
# Replace LayerNorm by RMSNorm and compare. The first cell adds a constant to `x`. The second builds a network of 16
# residual blocks, `x + block(norm(x))`, three times with equal starting values: without a norm, with your `layer_norm`,
# with your `rms_norm`. It prints the size of the first block's gradient and the loss while the network trains, and
# draws the loss; `nan` means that training diverged. Change the depth, the learning rate or the steps as you like, in
# cells of your own. It takes a few seconds at most.

# %% nbgrader={"grade": false, "grade_id": "experiment-shift", "locked": true, "schema_version": 3, "solution": false}
vector = torch.tensor([1.0, -2.0, 0.5, 3.0])
one, zero = torch.ones(4), torch.zeros(4)
print("shift   RMSNorm                          LayerNorm")
for shift in (0.0, 1.0, 10.0):
    by_rms, by_layer = rms_norm(vector + shift, one, 1e-6), layer_norm(vector + shift, one, zero, 1e-6)
    print(f"{shift:5.0f}   {[f'{v:.2f}' for v in by_rms.tolist()]}  {[f'{v:.2f}' for v in by_layer.tolist()]}")

# %% nbgrader={"grade": false, "grade_id": "experiment-training", "locked": true, "schema_version": 3, "solution": false}
WIDTH, DEPTH, STEPS = 16, 16, 24
NORMS = {
    "none": lambda x, weight, bias: x,
    "LayerNorm": lambda x, weight, bias: layer_norm(x, weight, bias, 1e-5),
    "RMSNorm": lambda x, weight, bias: rms_norm(x, weight, 1e-5),
}


class DeepNet(nn.Module):
    """Residual blocks with one kind of norm before each, and one before the read-out."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm = NORMS[norm]
        self.weights = nn.ParameterList(torch.ones(WIDTH) for _ in range(DEPTH + 1))
        self.biases = nn.ParameterList(torch.zeros(WIDTH) for _ in range(DEPTH + 1))
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH))
        self.out = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block, weight, bias in zip(self.blocks, self.weights[:-1], self.biases[:-1], strict=True):
            x = x + torch.relu(block(self.norm(x, weight, bias)))
        return self.out(self.norm(x, self.weights[-1], self.biases[-1]))


def train(norm: str) -> tuple[list[float], list[float]]:
    """The loss and the size of the first block's gradient at every step of plain gradient descent."""
    torch.manual_seed(0)  # the same start and the same data for every norm
    inputs = torch.randn(64, WIDTH)
    targets = (inputs[:, :1] * inputs[:, 1:2]).tanh()
    net = DeepNet(norm)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    losses, sizes = [], []
    for _ in range(STEPS):
        loss = (net(inputs) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        sizes.append(net.blocks[0].get_parameter("weight").grad.norm().item())
        optimizer.step()
    return losses, sizes


curves = {norm: train(norm) for norm in NORMS}
print(f"{'norm':<10} {'gradient, first':>16} {'gradient, last':>16} {'loss, first':>12} {'loss, last':>12}")
for norm, (losses, sizes) in curves.items():
    print(f"{norm:<10} {sizes[0]:16.3g} {sizes[-1]:16.3g} {losses[0]:12.3g} {losses[-1]:12.3g}")

# %% nbgrader={"grade": false, "grade_id": "experiment-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for (norm, (losses, _)), style in zip(curves.items(), (":", "--", "-"), strict=True):
    axes.plot(losses, style, color="black", label=norm)
axes.set(xlabel="step", ylabel="loss (logarithmic)", yscale="log", title="Loss of a 16-block network")
axes.legend()
plt.show()
print("In words: loss over steps, dotted without norm, dashed with LayerNorm, solid with RMSNorm; nan is not drawn.")
for norm, (losses, _) in curves.items():
    quarters = [losses[STEPS * part // 4] for part in range(4)] + [losses[-1]]
    print(f"  {norm}: " + ", then ".join(f"{loss:.3g}" for loss in quarters))

# %% [markdown] nbgrader={"grade": false, "grade_id": "rmsnorm-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: a written question (4 points)
#
# Answer in about ten lines; formulas in plain text are fine. A person marks your answer.
#
# 1. Add the same constant to every entry of `x`. What happens to the results of LayerNorm and of RMSNorm, and why?
#    (1 point)
# 2. Let eps be 0 and multiply `x` by 10. What happens to the result of RMSNorm and to `grad_x`? (1 point)
# 3. In your formula for `grad_x`, what does the term through the root remove from the gradient, and why must it be so,
#    given your answer to 2? (1 point)
# 4. Say one thing that your run of the experiment shows about the gradients or the convergence, with its numbers, and
#    one thing that it cannot show. (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "rmsnorm-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. LayerNorm does not change: the constant moves the mean by as much as every entry, and x − mean stays. RMSNorm does
#    change: nothing is subtracted, so the root mean square grows with the constant and the result tends to a vector
#    of equal entries (times weight).
# 2. The result stays: numerator and root both grow tenfold. grad_x becomes a tenth of what it was: r is a tenth.
# 3. It removes the component along x: sum(grad_x · x) = 0. A step along x only changes the length of x, and the result
#    does not depend on the length, so the loss cannot change to first order in that direction.
# 4. For example: without a norm the first block's gradient starts at 11.4 and training diverges (nan), while with
#    LayerNorm it starts at 0.37 and with RMSNorm at 0.09, and their losses end close, at 0.32 and 0.31. One small
#    network, one seed and one learning rate cannot show which norm is better in general, nor for a language model.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: LayerNorm unchanged, RMSNorm changed, with the reason (mean subtracted or not). Half a point without it.
# 2. 1 point: result unchanged (half) and grad_x divided by 10 (half).
# 3. 1 point: removes the component along x (or: makes grad_x orthogonal to x), because the length of x does not matter.
#    Half a point for either alone. Accept pictures in words and formulas alike.
# 4. 1 point: a number from their own run read correctly (half), and an honest limit (half). Their numbers may differ
#    from ours when their functions do; mark the reading, not the code.
# ### END MARK SCHEME
