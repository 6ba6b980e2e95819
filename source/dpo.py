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
# # Direct preference optimisation (DPO)
#
# Finetuning on instructions gives a model a voice: it answers. It does not give it judgment, because it never hears
# that one answer is better than another. People find it hard to mark an answer out of ten, but easy to say which of
# two they prefer. So the data are **pairs**: a prompt, a *chosen* response $y_w$ and a *rejected* response $y_l$.
#
# The classic way trains a reward model on such pairs, then a policy that seeks reward $r$ on a leash: it must not
# stray far from the **reference** $\pi_\text{ref}$, a frozen copy of the model it started as. The leash, a KL penalty
# with the weight $\beta$, has an exact best policy, $\pi(y|x) \propto \pi_\text{ref}(y|x)\,e^{r(x,y)/\beta}$. Solve it
# for the reward:
#
# $$r(x, y) = \beta \log\frac{\pi(y|x)}{\pi_\text{ref}(y|x)} + \beta \log Z(x)$$
#
# A pair compares two responses to the *same* prompt, so the unknown $Z(x)$ cancels. What is left is **DPO** (Rafailov
# et al., 2023): the policy is its own reward model, and a plain loss replaces reinforcement learning:
#
# $$L = -\log \sigma(\beta h), \qquad h = \log\frac{\pi(y_w|x)}{\pi_\text{ref}(y_w|x)} - \log\frac{\pi(y_l|x)}{\pi_\text{ref}(y_l|x)}$$
#
# The number $h$ is the **margin**: how much more the policy has moved towards the chosen response than towards the
# other.
#
# | exercise | points |
# |---|---|
# | 1. `sequence_logprobs` | 8 |
# | 2. `dpo_loss` | 9 |
# | 3. `implicit_rewards` and `preference_accuracy` | 4 |
# | 4. `dpo_step` | 6 |
# | 5. a written question | 4 |
#
# Exercise 4 is checked with correct functions in the place of yours, so an earlier mistake costs nothing there. Any
# computer will do. Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown] nbgrader={"grade": false, "grade_id": "sequence_logprobs-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `sequence_logprobs` (8 points)
#
# How probable does a model find a response? The probability of a text is the product of its tokens' probabilities, so
# its logarithm is a sum. Only tokens of the response count; those of the prompt and the padding do not.
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `logits` | `(batch, seq, vocab)` | any float | what the model said at each position |
# | `labels` | `(batch, seq)` | int64 | the tokens that the model read: prompt, response, padding |
# | `mask` | `(batch, seq)` | bool | True where the label is a token of the response |
# | result | `(batch,)` | float32 | $\sum_t \log p(\text{label}_t)$ over kept labels |
#
# Conventions:
#
# - **This function shifts; the caller does not.** `logits[:, t]` predicts `labels[:, t + 1]`. The first label is never
#   predicted, whatever its mask says, and the last logits predict nothing. The mask belongs to the labels.
# - The result is the **sum**, not the mean: DPO compares probabilities of whole responses (some variants divide by the
#   length; ours does not).
# - Half precision is computed in float32 and the result stays float32: a sum over hundreds of tokens leaves the range
#   of float16.
#
# Edge cases: a response without tokens gives 0, also when `seq` is 1; `batch` may be 1. Where the mask is False a label
# may be anything, for example −100, which is no index; and a label that is masked may have a logit of −∞. Logits of 10⁴
# give exact sums. The arguments stay as they are, and gradients reach `logits`.
#
# <details><summary>Hint</summary>`x.gather(-1, index.unsqueeze(-1)).squeeze(-1)` picks one entry of the last axis per
# position. `masked_fill` makes an index harmless before, and a log-probability 0 after. Note that 0 · (−∞) is
# nan.</details>


# %% nbgrader={"grade": false, "grade_id": "sequence_logprobs", "locked": false, "schema_version": 3, "solution": true}
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """logits: (batch, seq, vocab), labels, mask: (batch, seq) -> (batch,), the log-probability of each response."""
    ### BEGIN SOLUTION
    kept = mask[:, 1:]
    targets = labels[:, 1:].masked_fill(~kept, 0)
    logprobs = logits[:, :-1].float().log_softmax(dim=-1)
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return per_token.masked_fill(~kept, 0.0).sum(dim=-1)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "sequence_logprobs-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** Two tokens, and a model that always gives token 0 the probability ¼ and token 1 the probability ¾.
# The first text keeps its last two labels, 0 and 1: ¼ · ¾ = 3/16. The second keeps one label, 1; the third keeps none.

# %% nbgrader={"grade": true, "grade_id": "sequence_logprobs-checks", "locked": true, "points": 8, "schema_version": 3, "solution": false}
quarter_logits = torch.tensor([1.0, 3.0]).log().expand(3, 3, 2)
torch.testing.assert_close(
    sequence_logprobs(
        quarter_logits,
        torch.tensor([[1, 0, 1], [0, 1, -100], [0, -100, -100]]),
        torch.tensor([[False, True, True], [False, True, False], [False, False, False]]),
    ),
    torch.tensor([math.log(3 / 16), math.log(3 / 4), 0.0]),
)
half_result = sequence_logprobs(quarter_logits.half(), torch.zeros(3, 3).long(), torch.ones(3, 3).bool())
assert half_result.dtype == torch.float32, "half precision is summed in float32"

# %% [markdown] nbgrader={"grade": false, "grade_id": "dpo_loss-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `dpo_loss` (9 points)
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `policy_chosen`, `policy_rejected` | `(batch,)` | float32 | log-probabilities under the policy |
# | `reference_chosen`, `reference_rejected` | `(batch,)` | float32 | the same under the reference |
# | `beta` | number | | stiffness of the leash |
# | `label_smoothing` | number from 0 to ½ | | share $\varepsilon$ of pairs that you suspect are labelled the wrong way round |
# | result | `()` | float32 | the mean over the pairs |
#
# $$L = -(1-\varepsilon)\log\sigma(\beta h) - \varepsilon\log\sigma(-\beta h)$$
#
# Conventions:
#
# - Smoothing is that of conservative DPO, as above; TRL's "robust" variant also divides by $1-2\varepsilon$, ours does
#   not.
# - The reference is a constant: no gradient flows into its log-probabilities, even if they require one.
# - The four tensors have one shape. If they do not, raise a `ValueError`: `(batch, 1)` against `(batch,)` would
#   broadcast to `(batch, batch)`, a plausible number that compares every chosen with every rejected response.
#
# Edge cases: log-probabilities of −10⁴ and differences as large, in either direction, give finite exact losses and
# gradients; `batch` is at least 1.
#
# <details><summary>Hint</summary>`torch.sigmoid(x).log()` breaks down below x = −88. `F.logsigmoid` is exact.</details>


# %% nbgrader={"grade": false, "grade_id": "dpo_loss", "locked": false, "schema_version": 3, "solution": true}
def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Four log-probabilities of shape (batch,) -> the mean DPO loss, a tensor without axes."""
    ### BEGIN SOLUTION
    shapes = {part.shape for part in (policy_chosen, policy_rejected, reference_chosen, reference_rejected)}
    if len(shapes) > 1:
        raise ValueError(f"the four log-probabilities must have one shape, not {sorted(map(tuple, shapes))}")
    chosen = policy_chosen - reference_chosen.detach()
    rejected = policy_rejected - reference_rejected.detach()
    scaled = beta * (chosen - rejected)
    losses = -(1 - label_smoothing) * F.logsigmoid(scaled) - label_smoothing * F.logsigmoid(-scaled)
    return losses.mean()
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "dpo_loss-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** With β = ½ and margins of 2 ln 3, σ(β h) is ¾; a margin of 0 gives σ = ½.

# %% nbgrader={"grade": true, "grade_id": "dpo_loss-checks", "locked": true, "points": 9, "schema_version": 3, "solution": false}
log3, start = math.log(3), torch.tensor([-5.0, -7.0])
torch.testing.assert_close(dpo_loss(start, start - 1, start, start - 1), torch.tensor(math.log(2)))
toward_chosen = dpo_loss(start + log3, start - log3, start, start, beta=0.5)
torch.testing.assert_close(toward_chosen, torch.tensor(math.log(4 / 3)))
smoothed = dpo_loss(start + log3, start - log3, start, start, beta=0.5, label_smoothing=0.25)
torch.testing.assert_close(smoothed, torch.tensor(0.75 * math.log(4 / 3) + 0.25 * math.log(4)))

# %% [markdown] nbgrader={"grade": false, "grade_id": "implicit_rewards-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `implicit_rewards` and `preference_accuracy` (4 points)
#
# Two numbers to watch while you train. The policy is its own reward model:
# $\hat r = \beta\,(\log\pi - \log\pi_\text{ref})$, up to a term that depends on the prompt only.
#
# | function | arguments | result |
# |---|---|---|
# | `implicit_rewards(policy_logprobs, reference_logprobs, beta)` | two `(batch,)` float32, a number | `(batch,)` float32 |
# | `preference_accuracy(chosen_rewards, rejected_rewards)` | two `(batch,)` float32 | `()` float32 |
#
# Conventions: rewards are for reading, so no gradient flows through them; the accuracy is the share (0 to 1) of pairs
# in which the chosen reward is **strictly** larger, so a tie counts as wrong. A policy that still equals its reference
# has only ties, and an accuracy of 0.


# %% nbgrader={"grade": false, "grade_id": "implicit_rewards", "locked": false, "schema_version": 3, "solution": true}
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    """(batch,), (batch,) -> (batch,), the rewards that the policy has come to stand for; without gradient."""
    ### BEGIN SOLUTION
    return beta * (policy_logprobs - reference_logprobs).detach()
    ### END SOLUTION


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    """(batch,), (batch,) -> (), the share of pairs in which the chosen response has the larger reward."""
    ### BEGIN SOLUTION
    return (chosen_rewards > rejected_rewards).float().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "implicit_rewards-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
some_rewards = implicit_rewards(torch.tensor([-3.0, -8.0]), torch.tensor([-5.0, -5.0]), beta=0.5)
torch.testing.assert_close(some_rewards, torch.tensor([1.0, -1.5]))
four_chosen, four_rejected = torch.tensor([1.0, 2.0, 0.0, 0.5]), torch.tensor([0.0, 3.0, 0.0, -1.0])
torch.testing.assert_close(preference_accuracy(four_chosen, four_rejected), torch.tensor(0.5))

# %% [markdown] nbgrader={"grade": false, "grade_id": "dpo_step-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: a training step, `dpo_step` (6 points)
#
# | name | meaning |
# |---|---|
# | `policy`, `reference` | models: tokens `(batch, seq)` → logits `(batch, seq, vocab)` |
# | `batch` | dict of `chosen` and `rejected`, int64 tokens, and `chosen_mask` and `rejected_mask`, bool; chosen and rejected texts may differ in length |
# | `optimizer` | holds the parameters of `policy` |
# | `beta` | number |
# | result | the loss before the update, a Python float |
#
# Compute the four log-probabilities and the loss, and let the optimizer take **one** step. Conventions: gradients that
# an earlier step left behind do not count; `reference` does not change and gets no gradient. It may be the very same
# module as `policy`: its log-probabilities are constants all the same, so the policy learns.
#
# `Bigram` below is a model small enough to check on paper: row i of its table holds the logits after token i.


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


# %% nbgrader={"grade": false, "grade_id": "dpo_step", "locked": false, "schema_version": 3, "solution": true}
def dpo_step(
    policy: nn.Module,
    reference: nn.Module,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    beta: float = 0.1,
) -> float:
    """Update `policy` once on a batch of pairs; returns the loss before the update."""
    ### BEGIN SOLUTION
    chosen = batch["chosen"], batch["chosen_mask"]
    rejected = batch["rejected"], batch["rejected_mask"]
    policy_chosen, policy_rejected = (sequence_logprobs(policy(text), text, mask) for text, mask in (chosen, rejected))
    with torch.no_grad():
        reference_chosen, reference_rejected = (
            sequence_logprobs(reference(text), text, mask) for text, mask in (chosen, rejected)
        )
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "dpo_step-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** After token 0, token 1 is preferred to token 2. At the start all is equal, so the loss is log 2,
# and with β = 1 the gradient in the row of token 0 is (0, −½, ½): the logit of token 1 must rise and that of token 2
# fall.

# %% nbgrader={"grade": true, "grade_id": "dpo_step-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
paper_policy, paper_reference = Bigram(3), Bigram(3)
paper_pair = {
    "chosen": torch.tensor([[0, 1]]),
    "chosen_mask": torch.tensor([[False, True]]),
    "rejected": torch.tensor([[0, 2, 0]]),
    "rejected_mask": torch.tensor([[False, True, False]]),
}
paper_loss = dpo_step(paper_policy, paper_reference, paper_pair, sgd(paper_policy, 1.0), beta=1.0)
assert abs(paper_loss - math.log(2)) < 1e-6, "at policy = reference the loss is log 2"
torch.testing.assert_close(paper_policy.table.detach()[0], torch.tensor([0.0, 0.5, -0.5]))
torch.testing.assert_close(paper_reference.table.detach(), torch.zeros(3, 3))

# %% [markdown] nbgrader={"grade": false, "grade_id": "dpo-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: a written question (4 points)
#
# Run the milestone below first. Answer in about ten lines; formulas in plain text are fine. A person marks your answer.
#
# 1. The derivation needs the reward up to log Z(x), which nobody can compute. Why does the loss not need it? (1 point)
# 2. The gradient of −log σ(β h) in h is −β σ(−β h). What does it do with pairs that the policy already ranks correctly
#    by a wide margin, with pairs it ranks wrongly, and why is that sensible? (1 point)
# 3. Can the loss fall although the chosen response becomes *less* probable? Say how, and what your run shows. (1 point)
# 4. What does a small β allow the policy to do, and what does your table show about it? Name one thing that a toy run
#    like this cannot show. (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "dpo-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. Both responses of a pair answer the same prompt x, so both rewards contain the same β log Z(x). The Bradley–Terry
#    model looks at the difference of the rewards only, and there it cancels.
# 2. σ(−β h) is near 0 where the pair is ranked correctly by far, so such a pair is left alone; it is near 1 where the
#    pair is ranked wrongly by far, so learning goes where the mistakes are. Without this weight the margin of easy
#    pairs would be driven up for ever, and the model with it away from its reference.
# 3. Yes: the loss sees only the difference h. If the rejected response loses more log-probability than the chosen one,
#    h grows although both fall. In my run, β = 0.2, held-out topics, the chosen response rose by 0.73 and the rejected
#    one fell by 17: nearly the whole margin comes from pushing one answer down, not from lifting the other.
# 4. It lets the policy move far: after 40 steps the margin is 19.6 for β = 0.05 and 9.4 for β = 1, because with a
#    large β the loss is already small when the margin is. One toy with two fixed answers cannot show whether free text
#    gets better.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. 1 point: both responses of a pair answer the same prompt, so log Z(x) is the same in both rewards and cancels in
#    their difference. Half a point for "it cancels" without saying why.
# 2. 1 point: the weight σ(−β h) is near 0 for pairs ranked correctly by far and near 1 for wrong ones (half), so
#    learning goes where the mistakes are and does not push settled pairs without end (half).
# 3. 1 point: yes, only the difference counts; the rejected one falls faster (half); a number of their own run, read
#    correctly, also if theirs shows a rise (half).
# 4. 1 point: a small β lets the policy move far from the reference, with numbers of their table (half); an honest limit
#    (half): quality of text, other prompts, people's real preferences, other seeds.
# ### END MARK SCHEME

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: a model learns to be kind (no points)
#
# A small recurrent model has read two answers to every request, a kind one and a rude one, equally often. Pairs say
# that kind is preferred. Your functions train it on four topics; two more are held out. It takes a few seconds.

# %% nbgrader={"grade": false, "grade_id": "milestone-data", "locked": true, "schema_version": 3, "solution": false}
TOPICS = ["cats", "dogs", "rain", "bread", "music", "maths"]
KIND, RUDE = "with pleasure : here is what i know .", "find out yourself ."
WORDS = ["<pad>", *dict.fromkeys(f"tell me about {' '.join(TOPICS)} {KIND} {RUDE}".split())]


def encoded(topics: list[str], response: str) -> tuple[Tensor, Tensor]:
    """The tokens of "tell me about <topic> <response>" and the mask of the response; (topics, seq) each."""
    texts = [f"tell me about {topic} {response}".split() for topic in topics]
    tokens = torch.tensor([[WORDS.index(word) for word in text] for text in texts])
    return tokens, (torch.arange(tokens.shape[1]) >= 4).expand(tokens.shape)


def pairs(topics: list[str]) -> dict[str, Tensor]:
    (chosen, chosen_mask), (rejected, rejected_mask) = encoded(topics, KIND), encoded(topics, RUDE)
    return {"chosen": chosen, "chosen_mask": chosen_mask, "rejected": rejected, "rejected_mask": rejected_mask}


class Reader(nn.Module):
    """A recurrent language model: tokens (batch, seq) -> logits (batch, seq, vocab)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(WORDS), width)
        self.read = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, len(WORDS))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.read(self.embed(tokens))[0])


torch.manual_seed(0)
base = Reader()
adam = torch.optim.Adam(base.parameters(), lr=0.01)
for _ in range(60):  # finetuning: both answers, every topic
    both = encoded(TOPICS, KIND), encoded(TOPICS, RUDE)
    adam.zero_grad()
    (-sum(sequence_logprobs(base(tokens), tokens, mask).sum() for tokens, mask in both)).backward()
    adam.step()

# %% nbgrader={"grade": false, "grade_id": "milestone-training", "locked": true, "schema_version": 3, "solution": false}
TRAINED, HELD_OUT, STEPS = pairs(TOPICS[:4]), pairs(TOPICS[4:]), 40


@torch.no_grad()
def report(policy: nn.Module, batch: dict[str, Tensor]) -> dict[str, float]:
    """Log-probability of the chosen and the rejected response, margin and accuracy; means over the pairs."""
    found, rewards = {}, []
    for side in ("chosen", "rejected"):
        tokens, mask = batch[side], batch[f"{side}_mask"]
        logprobs, start = (sequence_logprobs(model(tokens), tokens, mask) for model in (policy, base))
        found[side] = logprobs.mean().item()
        rewards.append(implicit_rewards(logprobs, start, beta=1.0))
    margin, accuracy = (rewards[0] - rewards[1]).mean().item(), preference_accuracy(*rewards).item()
    return found | {"margin": margin, "accuracy": accuracy}


def aligned(beta: float) -> tuple[nn.Module, list[dict[str, float]]]:
    """A copy of the base model after DPO, and the report on the held-out pairs at every step."""
    policy = copy.deepcopy(base)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.003)
    history = [report(policy, HELD_OUT)]
    for _ in range(STEPS):
        dpo_step(policy, base, TRAINED, optimizer, beta)
        history.append(report(policy, HELD_OUT))
    return policy, history


runs = {beta: aligned(beta) for beta in (0.05, 0.2, 1.0)}
print("log-probabilities, margin (log-ratio, before beta) and accuracy; means over pairs")
print(f"{'':<22} {'chosen':>8} {'rejected':>9} {'margin':>8} {'accuracy':>9}")
for name, batch in (("trained topics", TRAINED), ("held-out topics", HELD_OUT)):
    for label, policy in [("before", base)] + [(f"beta {beta}", policy) for beta, (policy, _) in runs.items()]:
        found = report(policy, batch)
        print(f"{name if label == 'before' else '':<16} {label:<9}" + " ".join(f"{found[key]:8.2f}" for key in found))

# %% nbgrader={"grade": false, "grade_id": "milestone-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

history = runs[0.2][1]
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for side, style in (("chosen", "-"), ("rejected", "--")):
    axes.plot([entry[side] - history[0][side] for entry in history], style, color="black", label=side)
axes.axhline(0, color="black", linewidth=0.5)
axes.set(xlabel="step", ylabel="log-probability, policy − reference", title="DPO on held-out topics, beta 0.2")
axes.legend()
plt.show()
print("In words: how far the log-probability has moved from the reference; solid chosen, dashed rejected.")
for step in (0, 5, 10, 20, STEPS):
    moved = {side: history[step][side] - history[0][side] for side in ("chosen", "rejected")}
    print(f"  step {step:2}: chosen {moved['chosen']:+.2f}, rejected {moved['rejected']:+.2f}")
