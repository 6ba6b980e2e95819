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
# # Reward models
#
# SFT gives a model a voice; alignment gives it judgment. For that someone must say which of two answers is better, a
# million times over. A **reward model** does: it reads a prompt and a response and returns one number. Think of an
# experienced editor, whose judgment was learned from comparisons and not from rules, and who has blind spots.
#
# People are bad at grades ("is this a 7 or an 8?") and good at comparisons ("this one"). So the data are pairs, and the
# model of Bradley and Terry (1952) turns scores into the probability that one response beats the other:
#
# $$P(\text{chosen beats rejected}) = \sigma(r_\text{chosen} - r_\text{rejected}), \qquad \sigma(x) = \frac{1}{1 + e^{-x}}$$
#
# As in chess ratings, only differences mean anything; a score has no zero of its own. You make pairs, put a scalar head on
# a language model, write two losses, check that the model is sane, and give its scores a common scale.
#
# | exercise | points |
# |---|---|
# | 1. `preference_pairs` | 3 |
# | 2. `RewardHead` | 6 |
# | 3. `bradley_terry_loss` | 7 |
# | 4. `margin_ranking_loss` | 4 |
# | 5. `sanity_checks` | 4 |
# | 6. `normalise_scores` | 4 |
# | 7. a written question | 4 |
#
# No exercise needs another one. At the end a small model learns to rank, in seconds on any CPU. Before you submit:
# *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown] nbgrader={"grade": false, "grade_id": "preference_pairs-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `preference_pairs` (3 points)
#
# Someone rated several responses to one prompt. Make every comparison out of it that there is.
#
# | name | type | meaning |
# |---|---|---|
# | `prompt` | `list[int]` | tokens |
# | `responses` | `list[list[int]]` | tokens of each response, which may be empty |
# | `ratings` | `list[float]` | one for each response; **higher is better** |
# | result | `list[tuple[list[int], list[int]]]` | pairs `(chosen, rejected)`, each the prompt followed by the response |
#
# Conventions: every two responses with different ratings make one pair, so K of them make up to K(K − 1)/2; equal ratings
# make none, because they would teach noise. Order: by the index of the chosen response, then of the rejected one.
#
# Edge cases: ratings in any order, also negative; one response alone, or none.


# %% nbgrader={"grade": false, "grade_id": "preference_pairs", "locked": false, "schema_version": 3, "solution": true}
def preference_pairs(
    prompt: list[int], responses: list[list[int]], ratings: list[float]
) -> list[tuple[list[int], list[int]]]:
    """(chosen, rejected) for every two responses with different ratings."""
    ### BEGIN SOLUTION
    texts = [prompt + response for response in responses]
    rated = list(zip(texts, ratings, strict=True))
    return [(chosen, rejected) for chosen, high in rated for rejected, low in rated if high > low]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "preference_pairs-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
assert preference_pairs([1], [[5], [6, 6]], [0.0, 2.5]) == [([1, 6, 6], [1, 5])]
assert preference_pairs([1], [[5], [6], [7]], [2.0, 1.0, 1.0]) == [([1, 5], [1, 6]), ([1, 5], [1, 7])]

# %% [markdown] nbgrader={"grade": false, "grade_id": "reward_head-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: the module `RewardHead` (6 points)
#
# A causal model's token has seen all before it and nothing behind it: only the **last** one has seen the whole text. The
# reward head is one linear layer on that token's hidden state, in the place of the layer that predicts tokens.
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `hidden` | `(batch, seq, d_model)` | any float | what the transformer returns |
# | `attention_mask` | `(batch, seq)` | int64 or bool | 1 (True) at real tokens, then 0 (False): padding is on the right |
# | result | `(batch,)` | that of the weight | one score for each row |
#
# `RewardHead(d_model)` owns `score`, an `nn.Linear` from `d_model` to 1 without bias, started as PyTorch starts it, and
# nothing else. No bias, because it would cancel in every comparison and never learn.
#
# Conventions: the score is any number, not squashed; hidden states in half precision are cast to the dtype of the weight
# first (in bfloat16, 5.01 and 5.02 are the same number, and the comparison a tie).
#
# Edge cases: rows of one token, rows without padding; whatever the padding holds must not matter.
#
# <details><summary>Hint</summary>`hidden[torch.arange(batch), positions]` takes one position from each row.</details>


# %% nbgrader={"grade": false, "grade_id": "reward_head", "locked": false, "schema_version": 3, "solution": true}
class RewardHead(nn.Module):
    """(batch, seq, d_model) hidden states and their mask -> (batch,) scores."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.score = nn.Linear(d_model, 1, bias=False)
        ### END SOLUTION

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        last = attention_mask.long().sum(dim=1) - 1
        pooled = hidden[torch.arange(len(hidden), device=hidden.device), last]
        return self.score(pooled.to(self.score.weight.dtype)).squeeze(-1)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reward_head-checks", "locked": true, "points": 6, "schema_version": 3, "solution": false}
small_head = RewardHead(2)
assert [(name, tuple(p.shape)) for name, p in small_head.named_parameters()] == [("score.weight", (1, 2))]
small_head.load_state_dict({"score.weight": torch.tensor([[1.0, 10.0]])})
small_hidden = torch.tensor([[[1.0, 1.0], [2.0, 3.0], [9.0, 9.0]], [[4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]])
small_mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
torch.testing.assert_close(small_head(small_hidden, small_mask), torch.tensor([32.0, 98.0]))

# %% [markdown] nbgrader={"grade": false, "grade_id": "bradley_terry_loss-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `bradley_terry_loss` (7 points)
#
# $$L = -\frac{1}{n} \sum_{i=1}^{n} \log \sigma(\text{chosen}_i - \text{rejected}_i - \text{margin}_i)$$
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `chosen`, `rejected` | `(n,)` | any float | scores of the two responses of each pair |
# | `margin` | number or `(n,)` | float | by how much chosen should lead; 0 is the plain model |
# | result | `()` | float32 (float64 for float64) | the mean over the pairs |
#
# Conventions: the margin is **subtracted**, as in Llama 2, so a margin demands a larger lead; half precision is computed
# and returned in float32, because in float16 the difference itself may overflow.
#
# Edge cases: a common shift of all scores changes nothing; equal scores cost ln 2 = 0.6931; scores 10⁴ apart the wrong way
# round cost 10⁴ and still have a gradient. There σ is 0 and log(σ) is −∞, so do not take the logarithm of a sigmoid.
#
# <details><summary>Hint</summary>Look for a function of torch that computes log σ in one go.</details>


# %% nbgrader={"grade": false, "grade_id": "bradley_terry_loss", "locked": false, "schema_version": 3, "solution": true}
def bradley_terry_loss(chosen: Tensor, rejected: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """(n,) and (n,) scores -> the mean negative log-likelihood that each chosen response wins."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(chosen.dtype, torch.float32)  # float32 at least
    return -F.logsigmoid(chosen.to(wide) - rejected.to(wide) - margin).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bradley_terry_loss-checks", "locked": true, "points": 7, "schema_version": 3, "solution": false}
torch.testing.assert_close(bradley_terry_loss(torch.ones(2), torch.ones(2)), torch.tensor(0.693147))
lead = torch.tensor([3.0]).log()  # σ(ln 3) = 3/4
torch.testing.assert_close(bradley_terry_loss(lead, torch.zeros(1)), torch.tensor(0.287682))
torch.testing.assert_close(bradley_terry_loss(lead, torch.zeros(1), 2 * lead), torch.tensor(1.386294))
torch.testing.assert_close(bradley_terry_loss(torch.zeros(1), torch.tensor([1e4])), torch.tensor(1e4))

# %% [markdown] nbgrader={"grade": false, "grade_id": "margin_ranking_loss-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: `margin_ranking_loss` (4 points)
#
# The older way to learn a ranking is a hinge: push a pair apart until chosen leads by `margin`, then leave it alone.
#
# $$L = \frac{1}{n} \sum_{i=1}^{n} \max\bigl(0,\; \text{margin} - (\text{chosen}_i - \text{rejected}_i)\bigr)$$
#
# Shapes and dtypes are those of exercise 3, but `margin` is a number ≥ 0. The mean runs over all pairs, also over those
# that cost nothing. With margin 0, equal scores cost nothing: a model that rates everything alike would be content.


# %% nbgrader={"grade": false, "grade_id": "margin_ranking_loss", "locked": false, "schema_version": 3, "solution": true}
def margin_ranking_loss(chosen: Tensor, rejected: Tensor, margin: float = 1.0) -> Tensor:
    """(n,) and (n,) scores -> the mean of what each chosen response lacks to lead by `margin`."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(chosen.dtype, torch.float32)
    return (margin - (chosen.to(wide) - rejected.to(wide))).clamp(min=0).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "margin_ranking_loss-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
leads = torch.tensor([3.0, 0.25, -1.0])
torch.testing.assert_close(margin_ranking_loss(leads, torch.zeros(3), 1.0), torch.tensor((0 + 0.75 + 2) / 3))

# %% [markdown] nbgrader={"grade": false, "grade_id": "sanity_checks-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: `sanity_checks` (4 points)
#
# A policy trained against a reward model finds every blind spot of it. Look before you trust. The best-known blind spot is
# length: raters like long answers, so a model may learn to count words.
#
# From `chosen` and `rejected` (scores, float32) and `chosen_lengths` and `rejected_lengths` (tokens, int64), all of shape
# `(n,)` with n ≥ 1, return a dict of three floats:
#
# - `"accuracy"`: the share of pairs in which chosen scores higher. A **tie counts half** (TRL counts it as wrong), so that
#   a model that rates everything alike gets 0.5.
# - `"mean_margin"`: the mean of chosen − rejected.
# - `"longer_wins"`: among the pairs of unequal length, the share in which the longer response scores higher, whichever was
#   chosen; a tie of scores counts half, and without any such pair the share is 0.5.


# %% nbgrader={"grade": false, "grade_id": "sanity_checks", "locked": false, "schema_version": 3, "solution": true}
def sanity_checks(
    chosen: Tensor, rejected: Tensor, chosen_lengths: Tensor, rejected_lengths: Tensor
) -> dict[str, float]:
    """How often the model agrees with the raters, by how much, and how often it prefers the longer response."""
    ### BEGIN SOLUTION
    difference = chosen - rejected
    longer = (chosen_lengths - rejected_lengths).sign()
    of_longer = (difference.sign() * longer)[longer != 0]
    return {
        "accuracy": (difference.sign() + 1).mean().item() / 2,
        "mean_margin": difference.mean().item(),
        "longer_wins": (of_longer + 1).mean().item() / 2 if len(of_longer) else 0.5,
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sanity_checks-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
small_scores = torch.tensor([2.0, 1.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
small_lengths = torch.tensor([5, 5, 5, 5]), torch.tensor([3, 9, 7, 5])
# One win, one tie, one defeat, one win; among the first three, longer wins, ties and wins.
found = sanity_checks(*small_scores, *small_lengths)
assert found["accuracy"] == 0.625
assert found["mean_margin"] == 0.25
assert abs(found["longer_wins"] - 2.5 / 3) < 1e-6

# %% [markdown] nbgrader={"grade": false, "grade_id": "normalise_scores-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: `normalise_scores` (4 points)
#
# Two reward models may rank alike and yet differ in zero and unit. Before scores steer a policy, or two models are
# averaged, measure them on a fixed set of reference responses and take out its mean and standard deviation:
#
# $$\text{result}_i = \frac{\text{scores}_i - \mu}{s + \varepsilon}, \qquad \mu = \operatorname{mean}(\text{reference}),
# \qquad s = \sqrt{\operatorname{mean}\bigl((\text{reference} - \mu)^2\bigr)}$$
#
# `scores` `(n,)`, `reference` `(m,)` with m ≥ 1, any float; the result `(n,)` is float32 (float64 for float64).
#
# Conventions: the statistics are those of `reference`, never of the batch, or every batch would look equally good; the
# variance divides by m; `eps` is added to the standard deviation, outside the root; half precision is computed in float32.
#
# Edge cases: a reference without spread (one score, or equal ones) gives finite numbers; scores around 3000 with a spread
# of 1 keep it, so subtract the mean before you square.


# %% nbgrader={"grade": false, "grade_id": "normalise_scores", "locked": false, "schema_version": 3, "solution": true}
def normalise_scores(scores: Tensor, reference: Tensor, eps: float = 1e-6) -> Tensor:
    """Scores in units of the reference's standard deviation, counted from its mean."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(scores.dtype, torch.float32)
    reference = reference.to(wide)
    return (scores.to(wide) - reference.mean()) / (reference.std(correction=0) + eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "normalise_scores-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
torch.testing.assert_close(
    normalise_scores(torch.tensor([3.0, 9.0]), torch.tensor([1.0, 5.0]), 1.0), torch.tensor([0.0, 2.0])
)

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: a model that scores helpfulness (no points)
#
# Each response is put together from phrases, and every phrase has a helpfulness that the model is not told. It only sees
# which of two responses was preferred. A small recurrent model with your head learns from 60 prompts with four responses
# each, once with either loss, and is tried on pairs from 20 other prompts. It takes a few seconds.

# %% nbgrader={"grade": false, "grade_id": "milestone", "locked": true, "schema_version": 3, "solution": false}
PHRASES = {
    "the cow says moo": 2, "it has four legs": 2, "please": 1, "thank you": 1, "well": 0,
    "let me see": 0, "um": -1, "no idea": -2, "who cares": -3,
}  # fmt: skip
WORDS = ["<pad>", "animal", "?", *sorted({word for phrase in PHRASES for word in phrase.split()})]
PROMPT = [WORDS.index("animal"), WORDS.index("?")]
torch.set_num_threads(1)  # a model this small only loses time on more
generator = torch.Generator().manual_seed(0)


def some_response() -> tuple[list[int], float]:
    """Tokens of one to four phrases, and the sum of their helpfulness."""
    count = int(torch.randint(1, 5, (), generator=generator))
    picked = [list(PHRASES)[i] for i in torch.randint(len(PHRASES), (count,), generator=generator).tolist()]
    tokens = [WORDS.index(word) for phrase in picked for word in phrase.split()]
    return tokens, float(sum(PHRASES[phrase] for phrase in picked))


def some_pairs(prompts: int) -> list[tuple[list[int], list[int]]]:
    groups = [zip(*[some_response() for _ in range(4)], strict=True) for _ in range(prompts)]
    return [pair for responses, ratings in groups for pair in preference_pairs(PROMPT, list(responses), list(ratings))]


class RewardModel(nn.Module):
    """Reads tokens from left to right, then scores."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embedding, self.memory = nn.Embedding(len(WORDS), width), nn.GRU(width, width, batch_first=True)
        self.head = RewardHead(width)

    def forward(self, texts: list[list[int]]) -> Tensor:
        ids = nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
        mask = (torch.arange(ids.shape[1]) < torch.tensor([[len(text)] for text in texts])).long()
        return self.head(self.memory(self.embedding(ids))[0], mask)

    def both(self, pairs: list) -> tuple[Tensor, Tensor]:
        """Scores of the chosen and of the rejected texts, from one batch."""
        return self([chosen for chosen, _ in pairs] + [rejected for _, rejected in pairs]).chunk(2)


def report(name: str, model: RewardModel) -> None:
    with torch.no_grad():
        lengths = [torch.tensor([len(pair[side]) for pair in held_out]) for side in (0, 1)]
        found = sanity_checks(*model.both(held_out), *lengths)
    print(f"{name:<24}" + "".join(f"{found[key]:14.3f}" for key in ("accuracy", "mean_margin", "longer_wins")))


trained, held_out = some_pairs(60), some_pairs(20)
print(f"{len(trained)} pairs to learn from; on {len(held_out)} others:   accuracy   mean_margin   longer_wins")
for name, loss_function in {"margin ranking": margin_ranking_loss, "Bradley-Terry": bradley_terry_loss}.items():
    torch.manual_seed(0)
    model = RewardModel()
    report(f"{name}, before", model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(80):
        picked = torch.randperm(len(trained), generator=generator)[:32].tolist()
        loss = loss_function(*model.both([trained[i] for i in picked]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    report(f"{name}, after", model)

# %% nbgrader={"grade": false, "grade_id": "milestone-picture", "locked": true, "schema_version": 3, "solution": false}
import matplotlib.pyplot as plt

fresh = [some_response() for _ in range(150)]
with torch.no_grad():
    scores = model([PROMPT + tokens for tokens, _ in fresh])
units = normalise_scores(scores, scores)
hidden_ratings = torch.tensor([rating for _, rating in fresh])
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(hidden_ratings, units, "o", color="black", markerfacecolor="none")
axes.set(
    xlabel="helpfulness that the model never saw", ylabel="normalised score", title="New responses (Bradley-Terry)"
)
plt.show()
print("In words: mean normalised score of new responses by their hidden helpfulness")
for rating in hidden_ratings.unique().tolist():
    of_rating = units[hidden_ratings == rating]
    print(f"  {rating:5.0f}: {of_rating.mean().item():6.2f}  ({len(of_rating)} responses)")

# %% [markdown] nbgrader={"grade": false, "grade_id": "reward_model-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 7: a written question (4 points)
#
# Answer in about ten lines. A person marks your answer.
#
# 1. Add 5 to every score that a reward model gives. What happens to the Bradley-Terry loss and to its gradients, and what
#    does that say about "this response has the reward 3.2"? (1 point)
# 2. Show that the gradient of −log σ(x) in x is −(1 − σ(x)), and say which pairs of a batch therefore move the model most.
#    How does the hinge of exercise 4 differ? (1 point)
# 3. A reward model has an accuracy of 0.72, and longer_wins is 0.95. What do you suspect, and which data would you collect
#    to find out? (1 point)
# 4. Read accuracy before and after training from your milestone, and name one reason why a policy trained hard against
#    this model would still not write helpful answers. (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "reward_model-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. Nothing happens to either: only differences enter. So a single number says nothing by itself; it has a meaning only
#    against another response's score, or against a fixed reference (exercise 6).
# 2. d/dx log σ(x) = σ'(x)/σ(x) = σ(x)(1 − σ(x))/σ(x) = 1 − σ(x). Pairs that are the wrong way round, or close, move the
#    model most; pairs that are far apart the right way round hardly count, but never stop. The hinge pulls every pair below
#    the margin equally hard and ignores all others.
# 3. It scores by length. Collect (or pick) pairs of equal length, or pairs whose shorter response is the better one, and
#    look at the accuracy there; with a plain length score as a baseline.
# 4. For example about 0.5 before, above 0.9 after. The model is good on responses like those it has seen; a policy moves
#    away from them and finds texts that score high and are not helpful, such as the best phrase over and over.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. Half a point: loss and gradients unchanged. Half a point: no absolute meaning.
# 2. Half a point for the derivative with a step between; half for the pairs that count and the difference to the hinge.
# 3. Half a point for length, half for data that separate length from quality. "More data" alone: nothing.
# 4. Half a point for two numbers of their own run read correctly; half for overoptimisation or leaving the distribution.
# ### END MARK SCHEME
