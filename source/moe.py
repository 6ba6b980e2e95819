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
# # Mixture of experts
#
# A larger feed-forward layer knows more, but every token pays for all of it. A **mixture of experts** (MoE) splits the
# layer into $n$ smaller networks, the experts, and lets a **router** send each token to only $k$ of them. Think of a
# hospital: it employs many specialists, and each patient sees two. The hospital grows with every specialist hired, the
# price of a visit does not. Mixtral 8x7B holds 47 billion parameters; a token uses 13 billion.
#
# $$g = \mathrm{softmax}\big(\text{the } k \text{ largest of } W x\big), \qquad y = \sum_{e \,\in\, \text{chosen}} g_e\, E_e(x)$$
#
# Here $W$ is the router, one row for each expert, $E_e$ is expert $e$, and $g_e$ is its gate.
#
# Two things can go wrong, and you will see both: an implementation that runs every expert on every token saves nothing;
# and a router left alone sends everybody to the same few specialists, because those who are asked learn fastest.
#
# | exercise | points |
# |---|---|
# | 1. `route`: the gates | 6 |
# | 2. `run_experts`: each expert on its own tokens | 6 |
# | 3. `moe_module`: the module `MoE` | 6 |
# | 4. `losses`: `balance_loss` and `router_z_loss` | 7 |
# | 5. `limit_capacity`: full experts drop tokens | 4 |
# | 6. `hybrid`: dense and MoE blocks in one model | 5 |
# | 7. a written question | 4 |
#
# Each exercise is checked with right versions of the earlier ones, so a mistake is charged once. No two logits of a
# token are equal in the checks, so it does not matter how you break ties. Any computer will do. Before you submit:
# *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import torch
from torch import Tensor, nn

# %% [markdown] nbgrader={"grade": false, "grade_id": "route-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `route` (6 points)
#
# | name | shape | meaning |
# |---|---|---|
# | `logits` | `(tokens, n_experts)` | what the router thinks of each expert for each token, any float dtype |
# | `k` | number, 1 ≤ k ≤ n_experts | experts per token |
# | result | `(tokens, n_experts)` | the gates, in the dtype of `logits` |
#
# Each token keeps its k largest logits; its gates are the **softmax over those k**, and 0 for all other experts, so
# every row sums to 1. Taking the softmax over all experts first, then the k largest, then dividing by their sum gives
# the same numbers. (Libraries often keep the k gates and the k expert numbers instead of a row with zeros.)
#
# Conventions: Mixtral's gates as described here; Switch keeps the probabilities as they are, without dividing by the
# sum. Half precision is computed in float32 and cast back.
#
# Edge cases: `k = 1` gives a single 1; logits of 10 000 give finite gates; a logit of −∞ is an expert that may not be
# used, and is not while k others are there; gradients reach `logits` through the gates.
#
# <details><summary>Hint</summary>`values, chosen = logits.topk(k, dim=-1)`, and
# `torch.zeros_like(logits).scatter(-1, chosen, something)` puts numbers at those places.</details>


# %% nbgrader={"grade": false, "grade_id": "route", "locked": false, "schema_version": 3, "solution": true}
def route(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> gates: (tokens, n_experts), k of each row above 0"""
    ### BEGIN SOLUTION
    values, chosen = logits.float().topk(k, dim=-1)
    gates = torch.zeros_like(logits, dtype=torch.float32).scatter(-1, chosen, values.softmax(dim=-1))
    return gates.to(logits.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "route-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
# The two largest are ln 3 and ln 1: three parts to one, whatever the others are.
log = torch.tensor([[3.0, 0.5, 1.0, 0.1]]).log()
torch.testing.assert_close(route(log, 2), torch.tensor([[0.75, 0.0, 0.25, 0.0]]))
torch.testing.assert_close(route(log, 1), torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
torch.testing.assert_close(route(log, 4), log.exp() / 4.6)

# %% [markdown] nbgrader={"grade": false, "grade_id": "run_experts-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `run_experts` (6 points)
#
# | name | shape | meaning |
# |---|---|---|
# | `x` | `(tokens, d_model)` | the tokens |
# | `gates` | `(tokens, n_experts)` | 0 where a token does not use an expert; rows need not sum to 1 |
# | `experts` | `n_experts` functions | each maps `(rows, d_model)` to `(rows, d_model)`, row by row |
# | result | `(tokens, d_model)` | for each token the sum of gate · expert(token) over its experts, in the dtype of `x` |
#
# **Cost.** Call each expert **at most once**, on the rows of **its own tokens only**, those whose gate for it is not 0.
# This is graded by counting rows and calls, never by a clock. An expert without tokens need not be called; if it is,
# with no rows.
#
# Edge cases: an expert may have all tokens or none; a token whose gates are all 0 gets zeros; `x` and `gates` stay as
# they are; gradients reach `x`, `gates` and the experts.
#
# <details><summary>Hint</summary>For one expert: which tokens are its own (`nonzero`), run it on those rows, multiply
# each row by its gate, and add the rows to a result of zeros (`index_add`, or `result[mine] += ...`).</details>


# %% nbgrader={"grade": false, "grade_id": "run_experts", "locked": false, "schema_version": 3, "solution": true}
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    """x: (tokens, d_model), gates: (tokens, n_experts) -> (tokens, d_model)"""
    ### BEGIN SOLUTION
    result = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        mine = gates[:, number].nonzero().squeeze(-1)
        if len(mine) > 0:
            result = result.index_add(0, mine, (gates[mine, number, None] * expert(x[mine])).to(x.dtype))
    return result
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "run_experts-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
rows_seen = []


def doubling(rows: Tensor) -> Tensor:
    rows_seen.append(len(rows))
    return 2 * rows


mixed = run_experts(
    torch.tensor([[1.0], [10.0], [100.0]]),
    torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]),
    [doubling, lambda rows: rows.square()],
)
torch.testing.assert_close(mixed, torch.tensor([[2.0], [60.0], [0.0]]))
assert rows_seen == [2], "the doubling expert has two tokens: one call with two rows"

# %% [markdown] nbgrader={"grade": false, "grade_id": "moe_module-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: the module `MoE` (6 points)
#
# **Given:** `Expert(d_model, d_hidden)`, a small feed-forward network. `MoE(d_model, d_hidden, n_experts, k)` has
#
# - `router`: `nn.Linear(d_model, n_experts, bias=False)`,
# - `experts`: an `nn.ModuleList` of `n_experts` experts, each with weights of its own; nothing else is learned.
#
# `layer(x)` with `x` of shape `(..., d_model)` returns the pair `(result, logits)`: the result has the shape of `x`;
# the logits are the router's, `(tokens, n_experts)` with all leading axes flattened in order, for the losses of
# exercise 4. Use your `route` and `run_experts`.
#
# Edge cases: any number of leading axes, also none; gradients reach `x`, and the router also **through the gates**.


# %% nbgrader={"grade": false, "grade_id": "expert", "locked": true, "schema_version": 3, "solution": false}
class Expert(nn.Module):
    """A feed-forward network with one hidden layer: (..., d_model) -> (..., d_model)."""

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias=False)
        self.down = nn.Linear(d_hidden, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(nn.functional.silu(self.up(x)))


# %% nbgrader={"grade": false, "grade_id": "moe_module", "locked": false, "schema_version": 3, "solution": true}
class MoE(nn.Module):
    """n_experts experts, of which each token uses k."""

    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.k = k
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList(Expert(d_model, d_hidden) for _ in range(n_experts))
        ### END SOLUTION

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (..., d_model) -> result: (..., d_model), logits: (tokens, n_experts)"""
        ### BEGIN SOLUTION
        tokens = x.reshape(-1, x.shape[-1])
        logits = self.router(tokens)
        return run_experts(tokens, route(logits, self.k), self.experts).reshape(x.shape), logits
        ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "moe_module-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** When all experts are the same network, it does not matter who is asked: the mixture is that
# network.

# %% nbgrader={"grade": true, "grade_id": "moe_module-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
small_moe = MoE(d_model=4, d_hidden=6, n_experts=3, k=2)
assert len(small_moe.state_dict()) == 1 + 3 * 2, "a router, and two weights for each expert"
for twin in small_moe.experts:
    twin.load_state_dict(small_moe.experts[0].state_dict())
some_tokens = torch.linspace(-1, 1, 2 * 5 * 4).reshape(2, 5, 4)
small_result, small_logits = small_moe(some_tokens)
torch.testing.assert_close(small_result, small_moe.experts[0](some_tokens))
assert small_logits.shape == (10, 3)

# %% [markdown] nbgrader={"grade": false, "grade_id": "losses-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: two losses for the router (7 points)
#
# Both take `logits` of shape `(tokens, n_experts)` and return a tensor of shape `()`, in float32 for half-precision
# logits (computed in float32 as well), otherwise in their dtype. Each is added to the loss of the task, times a small
# factor.
#
# **`balance_loss(logits, k)`** keeps the experts equally busy:
#
# $$n \sum_{e=1}^{n} f_e\, P_e, \qquad f_e = \frac{\text{how often } e \text{ is among the } k \text{ largest of a token}}{k \cdot \text{tokens}},
# \qquad P_e = \text{mean over tokens of } \mathrm{softmax}(\text{logits})_e$$
#
# Convention: $f$ is the share of all $k \cdot$ tokens choices, so it sums to 1 and the loss is **1 when all experts are
# used alike**, whatever n and k (Mixtral's value is k times ours, Switch's is ours with k = 1). The softmax in $P$ runs
# over all n experts.
#
# The count $f$ has no gradient: choosing is not differentiable. It acts as a price: an expert that is asked often has a
# large $f_e$, and the gradient through $P_e$ pushes its probability down.
#
# **`router_z_loss(logits)`** keeps the logits small, since a softmax of large numbers is harsh and rounds badly: the
# mean over tokens of $\big(\log \sum_e e^{\text{logit}_e}\big)^2$. Logits of 10 000 must give a finite loss.
#
# <details><summary>Hint</summary>`torch.bincount(chosen.flatten(), minlength=n_experts)` counts; `torch.logsumexp` does
# not overflow.</details>


# %% nbgrader={"grade": false, "grade_id": "losses", "locked": false, "schema_version": 3, "solution": true}
def balance_loss(logits: Tensor, k: int) -> Tensor:
    """logits: (tokens, n_experts) -> (), 1 when all experts are used alike"""
    ### BEGIN SOLUTION
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    n_experts = logits.shape[-1]
    chosen = logits.topk(k, dim=-1).indices
    share = torch.bincount(chosen.flatten(), minlength=n_experts) / chosen.numel()
    return n_experts * (share * logits.softmax(dim=-1).mean(dim=0)).sum()
    ### END SOLUTION


def router_z_loss(logits: Tensor) -> Tensor:
    """logits: (tokens, n_experts) -> ()"""
    ### BEGIN SOLUTION
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return logits.logsumexp(dim=-1).square().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "losses-checks", "locked": true, "points": 7, "schema_version": 3, "solution": false}
even = torch.tensor([[3.0, 1.0]]).log()
torch.testing.assert_close(balance_loss(torch.cat([even, even.flip(1)]), 1), torch.tensor(1.0))
# Both tokens choose expert 0: f = (1, 0), P = (3/4, 1/4), so 2 · 3/4. With k = 2 each is chosen by both: 2 · 1/2.
torch.testing.assert_close(balance_loss(torch.cat([even, even]), 1), torch.tensor(1.5))
torch.testing.assert_close(balance_loss(torch.cat([even, even]), 2), torch.tensor(1.0))
torch.testing.assert_close(router_z_loss(even), torch.tensor(4.0).log().square())

# %% [markdown] nbgrader={"grade": false, "grade_id": "limit_capacity-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: `limit_capacity` (4 points)
#
# On a cluster each expert lives on a device of its own, and tokens are sent to it in a buffer of fixed size, its
# **capacity**. Whoever comes too late is dropped: that expert adds nothing to the token, which goes on by the residual
# connection and by its other experts.
#
# `limit_capacity(gates, capacity)` takes gates `(tokens, n_experts)`, where 0 means not chosen, and a number ≥ 0. It
# returns gates of the same shape and dtype: each expert keeps the gates of the **first `capacity` tokens that chose
# it**, in the order of the rows; its other gates become 0.
#
# Conventions: first come, first served, however large the gate; the gates that are left stay as they are, so rows may
# sum to less than 1. `gates` itself stays as it is; gradients reach the gates that are kept.
#
# <details><summary>Hint</summary>A `cumsum` down a column of `gates != 0` numbers the tokens of that expert.</details>


# %% nbgrader={"grade": false, "grade_id": "limit_capacity", "locked": false, "schema_version": 3, "solution": true}
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    """gates: (tokens, n_experts) -> the same, with at most `capacity` gates per expert left"""
    ### BEGIN SOLUTION
    wanted = gates != 0
    number = wanted.cumsum(dim=0)
    return gates * (wanted & (number <= capacity))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "limit_capacity-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
crowded = torch.tensor([[0.75, 0.25, 0.0], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0]])
torch.testing.assert_close(
    limit_capacity(crowded, 1), torch.tensor([[0.75, 0.25, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
)
torch.testing.assert_close(limit_capacity(crowded, 3), crowded)

# %% [markdown] nbgrader={"grade": false, "grade_id": "hybrid-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: a hybrid of dense and MoE blocks (5 points)
#
# Many models make only every second or fourth feed-forward block an MoE and leave the others dense.
#
# **`hybrid_forward(x, blocks)`**: for each block in turn, `x` becomes `x + block(x)`. A dense block returns a tensor,
# an MoE block the pair `(result, logits)`. Return the last `x` and the **list** of the logits of all MoE blocks, in
# order, for the losses; it may be empty, and so may `blocks`.
#
# **`hybrid_parameters(d_model, d_hidden, n_layers, every, n_experts, k)`** returns two `int`s: how many parameters such
# a model of `n_layers` blocks holds, and how many of them one token uses. Counting blocks from 1, those whose number is
# a multiple of `every` are `MoE`s, the others an `Expert` each. A token uses the whole router and k experts.


# %% nbgrader={"grade": false, "grade_id": "hybrid", "locked": false, "schema_version": 3, "solution": true}
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    """x: (..., d_model) -> (..., d_model), and the logits of all MoE blocks"""
    ### BEGIN SOLUTION
    all_logits = []
    for block in blocks:
        found = block(x)
        if isinstance(found, tuple):
            found, logits = found
            all_logits.append(logits)
        x = x + found
    return x, all_logits
    ### END SOLUTION


def hybrid_parameters(
    d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int
) -> tuple[int, int]:
    """(parameters held, parameters that one token uses)"""
    ### BEGIN SOLUTION
    expert, router = 2 * d_model * d_hidden, d_model * n_experts
    n_moe = n_layers // every
    dense = (n_layers - n_moe) * expert
    return dense + n_moe * (n_experts * expert + router), dense + n_moe * (k * expert + router)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "hybrid-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
one_logit = torch.tensor([[7.0]])
stacked, found_logits = hybrid_forward(torch.tensor([[1.0]]), [lambda x: 2 * x, lambda x: (10 * x, one_logit)])
assert stacked.item() == 33.0, "1 + 2 · 1 = 3, then 3 + 10 · 3"
assert [logits.item() for logits in found_logits] == [7.0]
# One dense block of 2 · 3 · 4 weights, and one MoE with five experts of that size and a router of 3 · 5.
assert hybrid_parameters(d_model=3, d_hidden=4, n_layers=2, every=2, n_experts=5, k=2) == (24 + 120 + 15, 24 + 48 + 15)

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: who is asked, and what is gained (no points)
#
# Eight kinds of tokens, each with a rule of its own, and eight experts of which each token uses two. Three layers learn
# the rules with the same data: a dense one that costs a token as much as two experts, the MoE without balance loss, and
# the MoE with it. Before training the router knows nothing and prefers a few experts for everybody. The picture shows
# the share of all choices that falls on the busiest expert; 1/8 would be even. It takes a few seconds.

# %% nbgrader={"grade": false, "grade_id": "milestone-training", "locked": true, "schema_version": 3, "solution": false}
KINDS, WIDTH, HIDDEN, TOP, STEPS = 8, 16, 16, 2, 120
world = torch.Generator().manual_seed(1)
centres = torch.randn(KINDS, WIDTH, generator=world) + 3.0
rules = torch.randn(KINDS, WIDTH, WIDTH, generator=world) / WIDTH**0.5


def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    kind = torch.randint(0, KINDS, (count,), generator=generator)
    x = centres[kind] + 0.5 * torch.randn(count, WIDTH, generator=generator)
    return x, torch.einsum("nd,ndo->no", x, rules[kind])


def train(layer: nn.Module, balance: float) -> tuple[float, list[Tensor]]:
    """The error on new data, and at every step the share of choices that fell on each expert."""
    generator, shares = torch.Generator().manual_seed(2), []
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(STEPS):
        x, target = sample(128, generator)
        found = layer(x)
        result, logits = found if isinstance(found, tuple) else (found, None)
        loss = (result - target).square().mean()
        if logits is not None:
            shares.append((route(logits.detach(), TOP) != 0).float().mean(dim=0) / TOP)
            loss = loss + balance * balance_loss(logits, TOP)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, target = sample(2000, generator)
    with torch.no_grad():
        found = layer(x)
    return ((found[0] if isinstance(found, tuple) else found) - target).square().mean().item(), shares


runs = {}
for name, balance in (("dense, equal cost", None), ("MoE, no balance loss", 0.0), ("MoE, balance loss", 0.1)):
    torch.manual_seed(0)
    layer = Expert(WIDTH, TOP * HIDDEN) if balance is None else MoE(WIDTH, HIDDEN, KINDS, TOP)
    runs[name] = train(layer, balance or 0.0)
    print(f"{name:<22} error on new data {runs[name][0]:.3f}")
for name, (_, shares) in runs.items():
    if shares:
        print(f"{name}: shares of the choices at the end", " ".join(f"{share:.2f}" for share in shares[-1].tolist()))


for name, scores in (("all alike", torch.randn(128, KINDS)), ("collapsed", torch.randn(128, KINDS) + torch.arange(8))):
    gates = route(scores, TOP)
    left = limit_capacity(gates, capacity=40)  # 1.25 times the 32 choices that an even share would be
    print(f"router {name}: {(gates != 0).sum() - (left != 0).sum()} of 256 choices dropped at capacity 40")

# %% nbgrader={"grade": false, "grade_id": "milestone-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
print("In words: the share of the busiest expert over the steps; and how many experts get less than 1 choice in 100.")
for (name, (_, shares)), style in zip(list(runs.items())[1:], ("--", "-"), strict=True):
    busiest = [share.max().item() for share in shares]
    axes.plot(busiest, style, color="black", label=name)
    steps = (0, STEPS // 2, STEPS - 1)
    idle = [int((share < 0.01).sum()) for share in shares]
    print(f"  {name}: " + ", then ".join(f"{busiest[step]:.2f} with {idle[step]} idle" for step in steps))
axes.axhline(1 / KINDS, linestyle=":", color="black", label="all alike")
axes.set(xlabel="step", ylabel="share of the busiest expert", ylim=(0, 0.75), title="Two of eight experts per token")
axes.legend(loc="upper right")
plt.show()

# %% [markdown] nbgrader={"grade": false, "grade_id": "moe-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 7: a written question (4 points)
#
# Answer in about ten lines. A person marks your answer.
#
# 1. A model's MoE layers have 8 experts with k = 2. Compare it with a dense model that does the same work per token:
#    which of parameters, memory and operations per token grow, by roughly how much, and who feels it? (1 point)
# 2. Why does a router without a balance loss tend to use few experts? Use your picture. Which factor of the balance
#    loss carries the gradient, and what does the other do? (1 point)
# 3. Let k = 1. What is the gate that `route` gives, whatever the logits? What gradient does the router then get from
#    the task, and what does Switch do about it? (1 point)
# 4. Experts live on different devices. What must travel between them at every MoE layer, why does each get a fixed
#    capacity, and what happens to a dropped token? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "moe-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. The MoE layers hold four times the parameters of a dense layer of equal cost, and all of them must lie in memory,
#    because another token may need them. Operations per token stay (plus a small router). The owner of the machine
#    feels the memory; the time per token hardly changes.
# 2. Experts that are chosen get gradients and improve, so the router prefers them even more; the others never learn. In
#    the picture, without the loss, four of eight experts stay idle to the end and the busiest has 0.4 of the choices;
#    with it none is idle. P carries the gradient; f is a count that says whose probability is pushed down, and how
#    hard.
# 3. The softmax over one logit is 1, always. The result does not depend on the logits as long as the choice stays, so
#    the gradient is 0 and the router learns nothing from the task. Switch multiplies by the probability from the
#    softmax over all experts, which is not renormalised.
# 4. The vectors of the tokens go to their experts' devices and back (all-to-all, twice per layer). Buffers of fixed
#    size keep messages and work equal for all, so nobody waits for the busiest. A dropped token gets nothing from that
#    expert: its other experts and the residual connection carry it on.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: parameters and memory about fourfold (half), operations per token about equal (half).
# 2. 1 point: the loop of being chosen and learning, with a reading of their picture (half); P has the gradient, f is a
#    constant weight (half).
# 3. 1 point: gate 1 and gradient 0 (half); the raw probability as gate (half). "Add noise" alone: no point.
# 4. 1 point: tokens' vectors travel there and back (half); fixed buffers, and the token goes on without that expert
#    (half).
# ### END MARK SCHEME
