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
# # Group relative policy optimisation (GRPO)
#
# So far every loss knew the right answer. Here nobody does: the model writes, something **scores** what it wrote, and
# the model must learn from the score alone. That changes the shape of the training loop: *generate, score, update*.
#
# Is a score of 7 good? Only compared with what else could have been written. PPO trains a second network, the value
# head, to guess the usual score. **GRPO** (Shao et al., 2024) asks the policy itself: it draws a whole *group* of
# responses to one prompt and marks on a curve, like a teacher who has no answer key and compares the class:
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r) + \varepsilon}$$
#
# Tokens of responses above their group's mean become more probable, the others less. Two leashes keep a step honest.
# The **clip**: a batch drawn by the policy before the update (the *old* policy) says little about a policy that has
# moved far, so a token's probability ratio gains nothing beyond $1 \pm$ clip. The **KL penalty**: the policy must not
# stray far from the frozen *reference*, or it finds odd texts that score well and mean nothing (*reward hacking*).
#
# $$L = \operatorname*{mean}_\text{tokens}\Big[-\min\big(\rho A,\ \mathrm{clamp}(\rho, 1-c, 1+c)\,A\big) + \beta\, k_3\Big],
# \qquad \rho = \frac{\pi(\text{token})}{\pi_\text{old}(\text{token})}$$
#
# | exercise | points |
# |---|---|
# | 1. `group_advantages` | 6 |
# | 2. `clipped_surrogate` | 7 |
# | 3. `kl_estimate` and `masked_mean` | 7 |
# | 4. `grpo_update` | 6 |
# | 5. beside it, PPO: `penalised_rewards`, `gae`, `value_loss` | 9 |
# | 6. a written question | 4 |
#
# Exercise 4 is checked with correct functions in the place of yours, so an earlier mistake costs nothing there. Any
# computer will do. Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown] nbgrader={"grade": false, "grade_id": "group_advantages-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `group_advantages` (6 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `rewards` | `(prompts, group)` | float32 | row i: the scores of all responses to prompt i |
# | `eps` | number | | keeps the division away from zero |
# | result | `(prompts, group)` | float32 | advantages |
#
# Conventions: each **row** has a mean and a standard deviation of its own, for an easy prompt must not make a hard one
# look bad; the standard deviation divides by $n-1$, torch's default, and `eps` is **added to it**, as in TRL (others
# divide by $n$; "Dr. GRPO" does not divide at all).
#
# Edge cases: equal rewards give zeros: nothing to learn from this prompt. A group of **one** gives zeros too, not nan.
# `rewards` stays as it is.


# %% nbgrader={"grade": false, "grade_id": "group_advantages", "locked": false, "schema_version": 3, "solution": true}
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    """(prompts, group) -> (prompts, group): how much better each response is than its group."""
    ### BEGIN SOLUTION
    if rewards.shape[-1] == 1:
        return torch.zeros_like(rewards)
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.std(dim=-1, keepdim=True) + eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "group_advantages-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
torch.testing.assert_close(
    group_advantages(torch.tensor([[1.0, 2.0, 3.0], [40.0, 20.0, 30.0]]), eps=1e-12),
    torch.tensor([[-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]]),
)
torch.testing.assert_close(group_advantages(torch.tensor([[5.0, 5.0, 5.0, 5.0]])), torch.zeros(1, 4))
torch.testing.assert_close(group_advantages(torch.tensor([[7.0], [8.0]])), torch.zeros(2, 1))

# %% [markdown] nbgrader={"grade": false, "grade_id": "clipped_surrogate-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `clipped_surrogate` (7 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `logprobs` | `(responses, seq)` | any float | $\log\pi$ of the drawn tokens, under the policy that learns |
# | `old_logprobs` | `(responses, seq)` | any float | the same under the policy that drew them |
# | `advantages` | `(responses,)` | float32 | one per response; all of its tokens share it |
# | `clip` | number | | $c$ |
# | result | `(responses, seq)` | float32 | a loss for each token: $-\min(\rho A, \mathrm{clamp}(\rho, 1-c, 1+c)\,A)$ |
#
# The minimum makes the clip one-sided. A good token ($A>0$) earns nothing beyond $1+c$, and a bad one ($A<0$) nothing
# below $1-c$; but a good token that has become *less* probable keeps its full gradient, so mistakes are still undone.
#
# Conventions: no gradient flows into `old_logprobs` or `advantages`: the old policy is history. Half precision is
# computed in float32 and the result is float32. If the two log-probabilities differ in shape, or `advantages` is not
# `(responses,)`, raise a `ValueError`: `(responses, 1)` would broadcast to three axes without a word.
#
# Edge case: `responses` may equal `seq`; then a missing axis broadcasts without a word, too, along the wrong one.
#
# <details><summary>Hint</summary>`advantages.unsqueeze(-1)` has shape `(responses, 1)`.</details>


# %% nbgrader={"grade": false, "grade_id": "clipped_surrogate", "locked": false, "schema_version": 3, "solution": true}
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    """(responses, seq), (responses, seq), (responses,) -> (responses, seq), the policy loss of each token."""
    ### BEGIN SOLUTION
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs.shape[:1]:
        raise ValueError(f"shapes do not fit: {logprobs.shape}, {old_logprobs.shape}, {advantages.shape}")
    ratio = torch.exp(logprobs.float() - old_logprobs.float().detach())
    advantage = advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "clipped_surrogate-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** Ratios of ½, 1 and 2 with an advantage of +1 and of −1: which of the six are clipped?

# %% nbgrader={"grade": true, "grade_id": "clipped_surrogate-checks", "locked": true, "points": 7, "schema_version": 3, "solution": false}
three_ratios = torch.tensor([[0.5, 1.0, 2.0], [0.5, 1.0, 2.0]]).log() - 1
torch.testing.assert_close(
    clipped_surrogate(three_ratios, torch.full((2, 3), -1.0), torch.tensor([1.0, -1.0]), clip=0.25),
    torch.tensor([[-0.5, -1.0, -1.25], [0.75, 1.0, 2.0]]),
)

# %% [markdown] nbgrader={"grade": false, "grade_id": "kl_and_mean-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `kl_estimate` and `masked_mean` (7 points)
#
# | function | arguments | result |
# |---|---|---|
# | `kl_estimate(logprobs, reference_logprobs)` | both `(responses, seq)`, float32 | the same shape: $k_3$ |
# | `masked_mean(values, mask)` | `(responses, seq)`: float32, and bool (True = kept) | `()` float32 |
#
# How far has the policy strayed? The KL divergence is a sum over the whole vocabulary; from one drawn token only its
# two log-probabilities are known. With $d = \log\pi_\text{ref} - \log\pi$, Schulman's estimator $k_3 = e^d - d - 1$ is
# never negative, and its mean over tokens *drawn from the policy* is exactly $\mathrm{KL}(\pi\,\|\,\pi_\text{ref})$.
# The simple $k_1 = -d$ has the same mean but either sign.
#
# Conventions: no gradient flows into `reference_logprobs`. `masked_mean` is the mean over **all kept tokens of the
# batch**, each counting the same, as in DAPO and TRL's "bnpo" (the paper averages each response first, so that a token
# of a short response counts more; "Dr. GRPO" divides by a constant).
#
# Edge cases: if nothing is kept the mean is 0, not nan; what stands where the mask is False may be infinite or nan and
# has no effect, on the result or on a gradient. Gradients reach `logprobs` and `values`.


# %% nbgrader={"grade": false, "grade_id": "kl_and_mean", "locked": false, "schema_version": 3, "solution": true}
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """(responses, seq), (responses, seq) -> (responses, seq), the k3 estimate of KL(policy ‖ reference)."""
    ### BEGIN SOLUTION
    difference = reference_logprobs.detach() - logprobs
    return torch.exp(difference) - difference - 1
    ### END SOLUTION


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(responses, seq), (responses, seq) -> (), the mean over all kept tokens of the batch."""
    ### BEGIN SOLUTION
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "kl_and_mean-checks", "locked": true, "points": 7, "schema_version": 3, "solution": false}
a_quarter, half_double_same = torch.full((1, 3), 0.25).log(), torch.tensor([[0.125, 0.5, 0.25]]).log()
three_estimates = kl_estimate(a_quarter, half_double_same)
torch.testing.assert_close(three_estimates, torch.tensor([[0.193147, 0.306853, 0.0]]), atol=1e-6, rtol=0)
some_values = torch.tensor([[1.0, 2.0, 3.0], [10.0, float("nan"), float("inf")]])
some_mask = torch.tensor([[True, True, True], [True, False, False]])
torch.testing.assert_close(masked_mean(some_values, some_mask), torch.tensor(4.0))
torch.testing.assert_close(masked_mean(some_values, torch.zeros(2, 3).bool()), torch.tensor(0.0))

# %% [markdown] nbgrader={"grade": false, "grade_id": "grpo_update-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: one full update, `grpo_update` (6 points)
#
# | name | shape | meaning |
# |---|---|---|
# | `policy`, `reference` | | models: tokens `(batch, seq)` → logits `(batch, seq, vocab)` |
# | `tokens` | `(prompts · group, seq)` | prompt and response; all responses to prompt 0 first, then those to prompt 1 … |
# | `mask` | `(prompts · group, seq)` | True for tokens of the response, never for the first |
# | `rewards` | `(prompts, group)` | row i, column j: the score of text i · group + j |
# | `optimizer` | | holds the parameters of `policy` |
# | `epochs`, `clip`, `beta` | numbers | steps on this batch; clip; weight of the KL estimate |
# | result | list of `epochs` floats | the loss before each step |
#
# The given `token_logprobs(model, tokens)` scores every token but the first, so its result goes with `mask[:, 1:]`.
# Each of the `epochs` steps lowers `masked_mean(surrogate + beta · kl)` on the whole batch.
#
# Conventions: the **old** policy is the policy as it is when the call begins, in every epoch; in the first epoch all
# ratios are 1. Old policy and reference get no gradient and `reference` does not change. Gradients that an earlier step
# left behind do not count.


# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false}
class Bigram(nn.Module):
    """tokens: (batch, seq) -> logits: (batch, seq, vocab), looked up by the current token alone."""

    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(vocab, vocab))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


def sgd(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Plain gradient descent: a step subtracts lr times the gradient."""
    return torch.optim.SGD(model.parameters(), lr=lr)


def token_logprobs(model: nn.Module, tokens: Tensor) -> Tensor:
    """tokens: (batch, seq) -> (batch, seq − 1), the log-probability of every token but the first."""
    logprobs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return logprobs.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)


# %% nbgrader={"grade": false, "grade_id": "grpo_update", "locked": false, "schema_version": 3, "solution": true}
def grpo_update(
    policy: nn.Module,
    reference: nn.Module,
    tokens: Tensor,
    mask: Tensor,
    rewards: Tensor,
    optimizer: torch.optim.Optimizer,
    epochs: int = 2,
    clip: float = 0.2,
    beta: float = 0.04,
) -> list[float]:
    """Take `epochs` steps on a batch that `policy` drew; returns the loss before each."""
    ### BEGIN SOLUTION
    kept = mask[:, 1:]
    advantages = group_advantages(rewards).flatten()
    with torch.no_grad():
        old_logprobs = token_logprobs(policy, tokens)
        reference_logprobs = token_logprobs(reference, tokens)
    losses = []
    for _ in range(epochs):
        logprobs = token_logprobs(policy, tokens)
        surrogate = clipped_surrogate(logprobs, old_logprobs, advantages, clip)
        loss = masked_mean(surrogate + beta * kl_estimate(logprobs, reference_logprobs), kept)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "grpo_update-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** One prompt, token 0; the responses 1 and 2 score 1 and 0. Both advantages are $\pm 1/\sqrt 2$,
# and in the first epoch the loss is 0: not because there is nothing to learn, but because advantages sum to zero.

# %% nbgrader={"grade": true, "grade_id": "grpo_update-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
paper_policy, paper_reference = Bigram(3), Bigram(3)
paper_losses = grpo_update(
    paper_policy,
    paper_reference,
    tokens=torch.tensor([[0, 1], [0, 2]]),
    mask=torch.tensor([[False, True], [False, True]]),
    rewards=torch.tensor([[1.0, 0.0]]),
    optimizer=sgd(paper_policy, 1.0),
    epochs=1,
)
assert len(paper_losses) == 1
assert abs(paper_losses[0]) < 1e-6, "in the first epoch the loss is 0"
moved = paper_policy.table.detach()[0]
torch.testing.assert_close(moved, torch.tensor([0.0, 0.5, -0.5]) / 2**0.5, atol=1e-4, rtol=0)

# %% [markdown] nbgrader={"grade": false, "grade_id": "ppo-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: beside it, PPO (9 points, 3 for each function)
#
# PPO uses the same clipped surrogate. It differs in the advantage, which a learned value $V_t$ makes token by token,
# and in the leash, which sits in the reward. All tensors are float32.
#
# | function | arguments | result |
# |---|---|---|
# | `penalised_rewards(scores, logprobs, reference_logprobs, mask, beta)` | `(batch,)`, then `(batch, seq)`; bool mask | `(batch, seq)` |
# | `gae(rewards, values, gamma, lam)` | `(batch, seq)` each | advantages `(batch, seq)` |
# | `value_loss(values, old_values, returns, clip)` | `(batch, seq)` each | `(batch, seq)` |
#
# - **Rewards**: each kept token costs $\beta(\log\pi - \log\pi_\text{ref})$; the *last kept* token also earns the
#   score. 0 where the mask is False. A response without kept tokens has only zeros.
# - **Advantages**: $\delta_t = r_t + \gamma V_{t+1} - V_t$ and $A_t = \delta_t + \gamma\lambda A_{t+1}$, from the end
#   backwards. Behind the last token, value and advantage are 0. Not whitened (TRL and verl whiten theirs).
# - **Value loss**: $\tfrac12\max\big((V-R)^2, (V_c-R)^2\big)$, where $V_c$ is $V$ kept within ± clip of the old value.
#
# Rewards and advantages are data: no gradient flows through them. In the value loss it reaches `values` only.


# %% nbgrader={"grade": false, "grade_id": "ppo", "locked": false, "schema_version": 3, "solution": true}
def penalised_rewards(
    scores: Tensor, logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, beta: float = 0.05
) -> Tensor:
    """A reward for each token: its KL penalty, and the response's score on the last one."""
    ### BEGIN SOLUTION
    penalty = -beta * (logprobs - reference_logprobs).detach()
    kept_from_here = mask.flip(-1).cumsum(-1).flip(-1)
    on_last = mask & (kept_from_here == 1)
    return penalty.masked_fill(~mask, 0.0) + on_last * scores.detach().unsqueeze(-1)
    ### END SOLUTION


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """Generalised advantage estimation: (batch, seq), (batch, seq) -> (batch, seq)."""
    ### BEGIN SOLUTION
    values = values.detach()
    following = F.pad(values[:, 1:], (0, 1))
    deltas = rewards.detach() + gamma * following - values
    advantages, running = torch.zeros_like(deltas), torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        running = deltas[:, t] + gamma * lam * running
        advantages[:, t] = running
    return advantages
    ### END SOLUTION


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    """The clipped loss of the value head for each token, (batch, seq)."""
    ### BEGIN SOLUTION
    old_values, returns = old_values.detach(), returns.detach()
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ppo-checks", "locked": true, "points": 9, "schema_version": 3, "solution": false}
first_two = torch.tensor([[True, True, False]])
one_penalty = penalised_rewards(
    torch.tensor([2.0]), torch.tensor([[0.0, -1.0, -1.0]]), torch.full((1, 3), -2.0), first_two, beta=0.5
)
torch.testing.assert_close(one_penalty, torch.tensor([[-1.0, 1.5, 0.0]]))
one_advantage = gae(torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.5]]), gamma=1.0, lam=0.5)
torch.testing.assert_close(one_advantage, torch.tensor([[0.125, 0.25, 0.5]]))
two_losses = value_loss(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2), torch.tensor([[1.0, 1.0]]), clip=0.5)
torch.testing.assert_close(two_losses, torch.tensor([[0.125, 0.5]]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "grpo-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: a written question (4 points)
#
# Run the milestone below first. Answer in about ten lines; formulas in plain text are fine. A person marks your answer.
#
# 1. A prompt is so hard that all of its responses score 0, another so easy that all score 1. What do they contribute
#    to the update, and what does that say about choosing prompts? (1 point)
# 2. In the first epoch the loss is 0 and yet the policy learns. Why, and what should one watch instead? (1 point)
# 3. A token has A > 0 and ρ = 1.5, another has A > 0 and ρ = 0.5 (clip 0.2). What gradient does each get through the
#    surrogate, and why is that sensible? (1 point)
# 4. What does the policy without a KL penalty do to raise the reward, and what does the penalty cost? Use numbers of
#    your run, and name one thing that it cannot show. (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "grpo-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. Nothing: equal rewards give advantages of 0, so no token of theirs gets a gradient. A group teaches only if its
#    responses differ in reward, so prompts should be neither hopeless nor settled for the policy at hand.
# 2. All ratios are 1, so the loss is minus the mean advantage (plus a KL of 0), and advantages sum to zero in each
#    group. But the gradient of the ratio is that of log π: each token's is weighed with its advantage, and these do
#    not cancel. Watch the mean reward, and the KL with it; the loss says nothing.
# 3. ρ = 1.5: none, the clamped branch is the smaller one and constant; the token has gained enough on this stale batch.
#    ρ = 0.5: the unclipped branch is the smaller one, gradient −A ρ; the token is good and has become less probable, so
#    the mistake is undone.
# 4. It says thanks twice: reward 2.00 instead of 0.45, but no text is well formed and the KL per token is 1.7. With β
#    = 1 it says thanks once, as the language allows: reward 0.91, well formed 0.97, KL 0.1. The price is half the
#    reward. A toy whose reward is a word count cannot show how a learned reward model is abused, nor which β suits a
#    real one.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: nothing, all advantages are 0 (half); prompts should be neither hopeless nor settled, so that responses to
#    them differ (half).
# 2. 1 point: advantages sum to zero, so the value is 0, but its gradient weighs log-probabilities with them (half);
#    watch the mean reward, with the KL (half).
# 3. 1 point: 0 for ρ = 1.5, the full gradient (ρ A times that of log π) for ρ = 0.5 (half); no further gain from a
#    stale batch, but a mistake is undone (half).
# 4. 1 point: it hacks the reward (repeats the scored word, leaves the language), with numbers of their run for reward,
#    KL or well-formed share (half); the penalty costs reward, and an honest limit (half). Mark the reading, not the
#    code.
# ### END MARK SCHEME

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: politeness by reward, and its abuse (no points)
#
# A small recurrent model has read orders such as *open the door .* and, as often, *open the door thanks .* Now a
# reward counts the word *thanks* in what it writes. Your functions train it three times, with more and more KL
# penalty; the table shows the mean reward, the KL estimate per token, and how many texts are still well formed. It
# takes some seconds.

# %% nbgrader={"grade": false, "grade_id": "milestone-model", "locked": true, "schema_version": 3, "solution": false}
VERBS, ENDINGS = ["open", "close", "clean"], ["the door . .", "the box . .", "the door thanks .", "the box thanks ."]
WORDS = [*VERBS, "the", "door", "box", "thanks", "."]
SENTENCES = torch.tensor([[WORDS.index(word) for word in f"{verb} {end}".split()] for verb in VERBS for end in ENDINGS])


class Writer(nn.Module):
    """A recurrent language model: tokens (batch, seq) -> logits (batch, seq, vocab)."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(WORDS), width)
        self.read = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, len(WORDS))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.read(self.embed(tokens))[0])


@torch.no_grad()
def written(policy: nn.Module, group: int) -> Tensor:
    """A group of texts for every verb, drawn token by token: (verbs · group, 5)."""
    tokens = torch.arange(len(VERBS)).repeat_interleave(group).unsqueeze(-1)
    for _ in range(4):
        chances = policy(tokens)[:, -1].softmax(dim=-1)
        tokens = torch.cat([tokens, torch.multinomial(chances, 1)], dim=-1)
    return tokens


def reward_of(tokens: Tensor) -> Tensor:
    """How often a text says thanks: (texts, 5) -> (texts,)."""
    return (tokens == WORDS.index("thanks")).float().sum(dim=-1)


torch.manual_seed(0)
base = Writer()
adam = torch.optim.Adam(base.parameters(), lr=0.02)
for _ in range(80):
    adam.zero_grad()
    (-token_logprobs(base, SENTENCES).mean()).backward()
    adam.step()

# %% nbgrader={"grade": false, "grade_id": "milestone-training", "locked": true, "schema_version": 3, "solution": false}
GROUP, UPDATES = 16, 40


@torch.no_grad()
def report(policy: nn.Module) -> tuple[float, float, float]:
    """Mean reward, KL estimate per token, and the share of well-formed texts, of 300 fresh texts."""
    tokens = written(policy, 100)
    strayed = kl_estimate(token_logprobs(policy, tokens), token_logprobs(base, tokens))
    formed = (tokens.unsqueeze(1) == SENTENCES).all(dim=-1).any(dim=-1)
    return reward_of(tokens).mean().item(), masked_mean(strayed, strayed > -1).item(), formed.float().mean().item()


def trained(beta: float) -> tuple[nn.Module, list[float]]:
    """A copy of the base model after GRPO, and the mean reward of every batch."""
    torch.manual_seed(1)
    policy, history = copy.deepcopy(base), []
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    for _ in range(UPDATES):
        tokens = written(policy, GROUP)
        rewards = reward_of(tokens).view(len(VERBS), GROUP)
        mask = torch.arange(tokens.shape[1]).expand(tokens.shape) > 0
        grpo_update(policy, base, tokens, mask, rewards, optimizer, epochs=2, beta=beta)
        history.append(rewards.mean().item())
    return policy, history


runs = {beta: trained(beta) for beta in (0.0, 0.3, 1.0)}
print(f"{'':<10} {'reward':>8} {'KL':>8} {'well formed':>12}   a text")
for label, policy in [("before", base)] + [(f"beta {beta}", policy) for beta, (policy, _) in runs.items()]:
    reward, strayed, formed = report(policy)
    sample = " ".join(WORDS[token] for token in written(policy, 1)[0])
    print(f"{label:<10} {reward:8.2f} {strayed:8.3f} {formed:12.2f}   {sample}")

# %% nbgrader={"grade": false, "grade_id": "milestone-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for (beta, (_policy, history)), style in zip(runs.items(), ("-", "--", ":"), strict=True):
    axes.plot(history, style, color="black", label=f"beta {beta}")
axes.set(xlabel="update", ylabel="mean reward of the batch", title="GRPO with more and more KL penalty")
axes.legend()
plt.show()
print("In words: mean reward over updates, solid without penalty, dashed with some, dotted with much.")
for beta, (_policy, history) in runs.items():
    print(f"  beta {beta}: " + ", then ".join(f"{history[step]:.2f}" for step in (0, 10, 20, 30, UPDATES - 1)))
