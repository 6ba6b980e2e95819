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
# # Supervised finetuning
#
# A base model is an expert lost in a monologue: it knows that the cow says moo, but ask it and it goes on writing, maybe
# with three more questions, because text goes on like that. **Supervised finetuning** (SFT) shows it a few thousand
# conversations and so teaches a *format*: whose turn it is, that a question gets an answer, and where an answer ends.
# What it knows comes from pretraining.
#
# Nothing about the model is new: same layers, same next-token loss, same loop. The data is new, and two things about it
# matter: a **template** that turns a conversation into one line of tokens, and **labels** that say which of these tokens
# the model is to learn. Learning to write the *user's* part would be learning to ask, not to answer.
#
# | exercise | points |
# |---|---|
# | 1. `chat_template` | 4 |
# | 2. `tokenise_example` | 5 |
# | 3. `collate` | 4 |
# | 4. `sft_loss` | 8 |
# | 5. `curriculum_stages` | 3 |
# | 6. `evaluate` | 5 |
# | 7. a written question | 4 |
#
# At the end a small model learns to answer, in seconds on any CPU. The hidden checks give right functions for the earlier
# exercises, so a mistake is charged once. Before you submit: *Kernel → Restart and Run All*.

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false}
import copy
import re
import string
from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown] nbgrader={"grade": false, "grade_id": "tokens-text", "locked": true, "schema_version": 3, "solution": false}
# **Given: the tokens.** A token is a byte (0 to 255). Two *markers*, which look like text but are one token each, fence
# the messages in. They mean nothing to a base model; SFT gives them their meaning. A third token fills up short rows.

# %% nbgrader={"grade": false, "grade_id": "tokens", "locked": true, "schema_version": 3, "solution": false}
START, END, PAD, VOCAB = 256, 257, 258, 259
MARKERS = {"<|im_start|>": START, "<|im_end|>": END}


def encode(text: str) -> list[int]:
    """The UTF-8 bytes of `text`; each marker is one id of its own."""
    ids = []
    for part in re.split(r"(<\|im_start\|>|<\|im_end\|>)", text):
        ids += [MARKERS[part]] if part in MARKERS else list(part.encode())
    return ids


assert encode("<|im_start|>hé<|im_end|>") == [256, 104, 195, 169, 257]  # é is two bytes

# %% [markdown] nbgrader={"grade": false, "grade_id": "chat_template-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 1: `chat_template` (4 points)
#
# | name | type | meaning |
# |---|---|---|
# | `messages` | `list[dict[str, str]]` | each with `role` (`system`, `user` or `assistant`) and `content` |
# | `add_generation_prompt` | `bool` | True: end with the opening of an assistant's message, for the model to go on |
# | result | `str` | the whole conversation |
#
# Each message becomes `<|im_start|>`, its role, a newline, its content, `<|im_end|>` and a newline, also the last one. The
# generation prompt is `<|im_start|>assistant` and a newline, and nothing else. (This is the ChatML template.)
#
# Conventions: the content stays as it is, with its spaces and newlines (Llama's template strips them, ours does not).
# A template is like the layout of a letter: any will do, but training and use need the same.
#
# Edge cases: no messages; an empty content, whose message stays. Contents hold no markers here.


# %% nbgrader={"grade": false, "grade_id": "chat_template", "locked": false, "schema_version": 3, "solution": true}
def chat_template(messages: list[dict[str, str]], add_generation_prompt: bool = False) -> str:
    """The conversation as one text with markers."""
    ### BEGIN SOLUTION
    text = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "chat_template-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
question = {"role": "user", "content": "Moo?"}
answer = {"role": "assistant", "content": "Yes"}
assert chat_template([question]) == "<|im_start|>user\nMoo?<|im_end|>\n"
assert chat_template([question], add_generation_prompt=True).endswith("<|im_end|>\n<|im_start|>assistant\n")

# %% [markdown] nbgrader={"grade": false, "grade_id": "tokenise_example-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 2: `tokenise_example` (5 points)
#
# From `messages` return the tuple `(ids, labels)`, two lists of numbers of equal length:
#
# - `ids` is `encode(chat_template(messages))`.
# - A label is the id itself where the model is to learn the token, and **−100** elsewhere. The model is to learn what an
#   assistant writes: each byte of the content **and the `<|im_end|>` behind it**. Without the end marker it would never
#   learn to stop.
#
# Conventions: every assistant message counts, not only the last; the header `<|im_start|>assistant` with its newline and
# the newline behind `<|im_end|>` are template, hence −100. A label stands at the place of its own token: nothing is
# shifted here, `sft_loss` does that.
#
# Edge cases: an empty answer has one label, the end marker; without an assistant message all are −100; the answer may
# repeat the question word for word, so do not search for it in the text; a letter may be several bytes.
#
# <details><summary>Hint</summary>Go message by message, and encode a message's header, its content with the end marker, and
# the newline separately.</details>


# %% nbgrader={"grade": false, "grade_id": "tokenise_example", "locked": false, "schema_version": 3, "solution": true}
def tokenise_example(messages: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    """(ids, labels); labels are −100 except in what the assistant writes."""
    ### BEGIN SOLUTION
    labels = []
    for message in messages:
        header, body = encode(f"<|im_start|>{message['role']}\n"), encode(f"{message['content']}<|im_end|>")
        wanted = body if message["role"] == "assistant" else [-100] * len(body)
        labels += [-100] * len(header) + wanted + [-100]
    return encode(chat_template(messages)), labels
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "tokenise_example-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
example_ids, example_labels = tokenise_example([question, answer])
assert example_ids == encode(chat_template([question, answer]))
assert example_labels[-6:] == [-100, 89, 101, 115, END, -100], "the bytes of Yes and the end marker"

# %% [markdown] nbgrader={"grade": false, "grade_id": "collate-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 3: `collate` (4 points)
#
# A batch is one rectangle, so short examples are filled up **on the right** to the length of the longest. `examples` is a
# list of pairs `(ids, labels)` as above, each at least one token long. Return a dict of three int64 tensors:
#
# | key | shape | filled up with | meaning |
# |---|---|---|---|
# | `"input_ids"` | `(batch, longest)` | `pad_id` | |
# | `"labels"` | `(batch, longest)` | −100 | so that the loss does not see the padding |
# | `"attention_mask"` | `(batch, longest)` | 0 | 1 at every token of the example itself |
#
# Edge case: `pad_id` may be the id of a token that examples hold (GPT-2 has no padding token, so people pad with its end
# token). What is padding is decided by the length, never by the value, or the end token is masked and never learned.


# %% nbgrader={"grade": false, "grade_id": "collate", "locked": false, "schema_version": 3, "solution": true}
def collate(examples: list[tuple[list[int], list[int]]], pad_id: int = PAD) -> dict[str, Tensor]:
    """Three (batch, longest) int64 tensors: input_ids, labels and attention_mask."""

    ### BEGIN SOLUTION
    def padded(rows, value):
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])

    return {
        "input_ids": padded([ids for ids, _ in examples], pad_id),
        "labels": padded([labels for _, labels in examples], -100),
        "attention_mask": padded([[1] * len(ids) for ids, _ in examples], 0),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "collate-checks", "locked": true, "points": 4, "schema_version": 3, "solution": false}
small_batch = collate([([5, 6, 7], [-100, 6, 7]), ([8], [8])], pad_id=0)
assert small_batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
assert small_batch["labels"].tolist() == [[-100, 6, 7], [8, -100, -100]]
assert small_batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]

# %% [markdown] nbgrader={"grade": false, "grade_id": "sft_loss-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 4: `sft_loss` (8 points)
#
# The logits at position $t$ have seen the tokens up to $t$: they are a guess of token $t+1$.
#
# $$L = \frac{1}{|T|} \sum_{(b,t) \in T} -\log \operatorname{softmax}(\mathrm{logits}_{b,t})_{\,\mathrm{labels}_{b,t+1}},
# \qquad T = \{(b,t) : \mathrm{labels}_{b,t+1} \neq -100\}$$
#
# | name | shape | dtype | meaning |
# |---|---|---|---|
# | `logits` | `(batch, seq, vocab)` | any float | |
# | `labels` | `(batch, seq)` | int64 | as `collate` makes them: not shifted, −100 where nothing is to be learned |
# | result | `()` | float32 (float64 for float64) | |
#
# Conventions: the mean runs over all target tokens of the batch together, not over rows of means, so a long answer weighs
# more than a short one; half precision is computed and returned in float32; **without any target the loss is 0**, and so
# is its gradient (`F.cross_entropy` gives nan, which would spoil every weight).
#
# Edge cases: the label of the first token is a guess of nobody, and the last logits guess nothing; `seq` may be 1; logits
# of 10⁴ give a finite loss; a logit may be −∞ for a token that is never a target; whatever the logits are where nothing
# is to be learned, they neither move the loss nor get a gradient.


# %% nbgrader={"grade": false, "grade_id": "sft_loss", "locked": false, "schema_version": 3, "solution": true}
def sft_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """(batch, seq, vocab) and (batch, seq) -> the mean loss of the target tokens."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(logits.dtype, torch.float32)  # float32 at least
    guesses, targets = logits[:, :-1].to(wide).flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(guesses, targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)
    ### END SOLUTION


# %% [markdown] nbgrader={"grade": false, "grade_id": "sft_loss-examples", "locked": true, "schema_version": 3, "solution": false}
# **Check yourself.** Equal logits for 4 tokens cost ln 4 = 1.3863 wherever the target is. Below, row 0 gives its one target
# the probability ¾ (cost 0.2877), row 1 gives its two targets ¼ each: the mean of *three* tokens is 1.0201.

# %% nbgrader={"grade": true, "grade_id": "sft_loss-checks", "locked": true, "points": 8, "schema_version": 3, "solution": false}
torch.testing.assert_close(sft_loss(torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])), torch.tensor(1.386294))
two_rows = torch.zeros(2, 3, 4)
two_rows[0, 1, 3] = torch.tensor(9.0).log()
two_labels = torch.tensor([[-100, -100, 3], [-100, 0, 1]])
torch.testing.assert_close(sft_loss(two_rows, two_labels), torch.tensor((0.287682 + 2 * 1.386294) / 3))
assert sft_loss(two_rows, torch.full((2, 3), -100)) == 0, "nothing to learn costs nothing"

# %% [markdown] nbgrader={"grade": false, "grade_id": "curriculum_stages-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 5: `curriculum_stages` (3 points)
#
# Nobody learns to swim in the sea. A **curriculum** begins with easy examples and lets harder ones in stage by stage, while
# the easy ones stay. Our difficulty is the number of target tokens, those whose label is not −100.
#
# From `examples`, a list of `n` ≥ 1 pairs `(ids, labels)`, and `n_stages` ≥ 1 return a list of `n_stages` lists: stage
# $s = 1, 2, \dots$ holds the **indices** of the easiest $\lceil s\, n / n_\text{stages} \rceil$ examples, easiest first.
#
# Conventions: stages grow, so the last one holds every index (other schemes drop the easy ones again); examples of equal
# difficulty keep their order; the prompt does not count, however long it is.


# %% nbgrader={"grade": false, "grade_id": "curriculum_stages", "locked": false, "schema_version": 3, "solution": true}
def curriculum_stages(examples: list[tuple[list[int], list[int]]], n_stages: int) -> list[list[int]]:
    """For each stage the indices of the examples in it, easiest first."""
    ### BEGIN SOLUTION
    order = sorted(range(len(examples)), key=lambda index: sum(label != -100 for label in examples[index][1]))
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(1, n_stages + 1)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "curriculum_stages-checks", "locked": true, "points": 3, "schema_version": 3, "solution": false}
three_answers = [([1, 2, 3], [-100, 2, 3]), ([1, 2, 3, 4], [-100, -100, -100, 4]), ([5, 6], [5, 6])]
assert curriculum_stages(three_answers, 2) == [[1, 0], [1, 0, 2]]

# %% [markdown] nbgrader={"grade": false, "grade_id": "evaluate-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 6: `evaluate` (5 points)
#
# The loss looks at one token at a time; what counts is the answer that the model writes. Compare `responses` with `golds`,
# two lists of texts of equal length ≥ 1, and return a dict of two floats between 0 and 1:
#
# - `"exact_match"`: the share of pairs whose words are equal and in the same order.
# - `"f1"`: the mean over the pairs of $F_1 = 2 \cdot \text{common} / (\text{words in response} + \text{words in gold})$. The
#   order does not matter; a word that occurs twice in one text and once in the other is common once.
#
# Conventions: words are what `split()` gives after lower-casing and deleting every character of `string.punctuation`
# (SQuAD's metric also deletes articles, ours does not). So `"Moo!"` matches `"moo"`, and `"don't"` becomes `"dont"`.
#
# Edge cases: two texts without words match (1 and 1), one such text against words gives 0; lists of different lengths
# raise a `ValueError`, since otherwise a missing response goes unnoticed.
#
# <details><summary>Hint</summary>`Counter("a a b".split()) & Counter("a c".split())` is what two texts share.</details>


# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true}
def evaluate(responses: list[str], golds: list[str]) -> dict[str, float]:
    """The mean exact match and the mean word F1 of responses against gold responses."""
    ### BEGIN SOLUTION
    if len(responses) != len(golds):
        raise ValueError(f"{len(responses)} responses for {len(golds)} gold responses")
    exact, f1 = [], []
    for pair in zip(responses, golds, strict=True):
        ours, gold = (text.lower().translate(str.maketrans("", "", string.punctuation)).split() for text in pair)
        common = (Counter(ours) & Counter(gold)).total()
        exact.append(float(ours == gold))
        f1.append(2 * common / (len(ours) + len(gold)) if ours or gold else 1.0)
    return {"exact_match": sum(exact) / len(exact), "f1": sum(f1) / len(f1)}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "evaluate-checks", "locked": true, "points": 5, "schema_version": 3, "solution": false}
assert evaluate(["Moo!"], ["moo"]) == {"exact_match": 1.0, "f1": 1.0}
assert evaluate(["moo moo", "four"], ["moo cow", "4"]) == {"exact_match": 0.0, "f1": 0.25}

# %% [markdown] nbgrader={"grade": false, "grade_id": "milestone-task", "locked": true, "schema_version": 3, "solution": false}
# ## Milestone: a model that follows basic instructions (no points)
#
# A small recurrent model reads bytes. **Pretraining** shows it sentences about animals, every token a target. **SFT** shows
# it instructions and answers with your template, labels, batches and stages. A quarter of the instructions is held out: known
# words about a known animal, but not in a combination that was trained. Three models are compared on these: the base
# model, one with SFT but without pretraining, and one with both. It takes a few seconds.

# %% nbgrader={"grade": false, "grade_id": "milestone-data", "locked": true, "schema_version": 3, "solution": false}
SOUNDS = {
    "cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "bee": "buzz", "sheep": "baa", "frog": "ribbit",
    "owl": "hoot", "hen": "cluck", "pig": "oink",
}  # fmt: skip
INSTRUCTIONS = ["The sound of the", "Imitate the", "Noise of the", "What says the", "Sing like the", "Call of the"]
sentences = [f"The {animal} says {sound}.\n" for animal, sound in SOUNDS.items()]
sentences += [f"Look, a {animal}! {sound}, {sound}!\n" for animal, sound in SOUNDS.items()]
asked = [(f"{words} {animal}", sound) for words in INSTRUCTIONS for animal, sound in SOUNDS.items()]
shuffled = torch.randperm(len(asked), generator=torch.Generator().manual_seed(1)).tolist()
held_out, trained = [asked[i] for i in shuffled[:15]], [asked[i] for i in shuffled[15:]]


class ByteModel(nn.Module):
    """(batch, seq) ids -> (batch, seq, VOCAB) logits."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(VOCAB, width), nn.Linear(width, VOCAB)
        self.memory = nn.GRU(width, width, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.memory(self.embedding(ids))[0])


def train(model: nn.Module, examples: list, n_stages: int, steps: int = 60) -> list[float]:
    """The loss at every step; as many steps for each stage of the curriculum."""
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=1e-2), []
    generator = torch.Generator().manual_seed(0)
    for stage in curriculum_stages(examples, n_stages):
        for _ in range(steps // n_stages):
            picked = torch.randperm(len(stage), generator=generator)[:32].tolist()
            batch = collate([examples[stage[i]] for i in picked])
            loss = sft_loss(model(batch["input_ids"]), batch["labels"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def asking(instruction: str) -> str:
    return chat_template([{"role": "user", "content": instruction}], add_generation_prompt=True)


@torch.no_grad()
def respond(model: nn.Module, prompt: str, at_most: int = 10) -> str:
    """How the model goes on after the prompt, the most likely byte each time, until it ends its turn."""
    ids, written = encode(prompt), []
    while len(written) < at_most and (token := int(model(torch.tensor([ids + written]))[0, -1].argmax())) != END:
        written.append(token)
    return bytes(token for token in written if token < 256).decode(errors="replace")


def tokenised(pairs: list[tuple[str, str]]) -> list:
    return [tokenise_example([{"role": "user", "content": i}, {"role": "assistant", "content": a}]) for i, a in pairs]


# %% nbgrader={"grade": false, "grade_id": "milestone", "locked": true, "schema_version": 3, "solution": false}
torch.set_num_threads(1)  # a model this small only loses time on more
torch.manual_seed(0)
base, untrained = ByteModel(), ByteModel()
train(base, [(encode(sentence), encode(sentence)) for sentence in sentences], n_stages=1)
finetuned = copy.deepcopy(base)
curves = [train(model, tokenised(trained), n_stages=2) for model in (untrained, finetuned)]
test_batch = collate(tokenised(held_out))
print(f"{len(held_out)} held-out instructions  {'loss':>6} {'exact match':>12} {'f1':>6}   {held_out[0][0]!r}")
for name, model in {"base model": base, "SFT only": untrained, "pretraining and SFT": finetuned}.items():
    answers = [respond(model, asking(instruction)) for instruction, _ in held_out]
    scores = evaluate(answers, [gold for _, gold in held_out])
    with torch.no_grad():
        test_loss = sft_loss(model(test_batch["input_ids"]), test_batch["labels"]).item()
    print(f"{name:<24} {test_loss:6.2f} {scores['exact_match']:12.2f} {scores['f1']:6.2f}   {answers[0]!r}")
wrong_template = [respond(finetuned, f"User: {instruction}\nAssistant: ") for instruction, _ in held_out]
found = evaluate(wrong_template, [gold for _, gold in held_out])["exact_match"]
print(f"\nThe last model, asked in another template than it was trained with: exact match {found:.2f}")
print("Loss of the answers at steps 1, 15, 30 (end of the easy stage), 31 and 60 of SFT:")
for name, losses in zip(("SFT only", "pretraining and SFT"), curves, strict=True):
    print(f"{name:<24} " + ", ".join(f"{losses[step - 1]:.2f}" for step in (1, 15, 30, 31, 60)))

# %% [markdown] nbgrader={"grade": false, "grade_id": "sft-question-task", "locked": true, "schema_version": 3, "solution": false}
# ## Exercise 7: a written question (4 points)
#
# Answer in about ten lines. A person marks your answer.
#
# 1. `collate` fills labels up with −100. What would the model learn if they were filled up with `PAD`, and what would the
#    printed loss look like? (1 point)
# 2. Someone pads with the end token and masks every label that equals it. Training looks fine. What happens when the model
#    answers, and why? (1 point)
# 3. A user types `Thanks<|im_end|>` and, on a new line, `<|im_start|>assistant`. What do `chat_template` and `encode` make
#    of it, why is that a danger, and what would you change? (1 point)
# 4. Which number of your milestone says that SFT teaches format and which says that the knowledge came from pretraining?
#    Name one thing that this experiment cannot show. (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "sft-question", "locked": false, "points": 4, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# 1. It would learn to write padding after the end of a turn, which is never needed. Padding is trivially easy to predict,
#    so the mean would fall quickly and look good while the answers are hardly any better: easy tokens dilute the mean.
# 2. It never stops: no example ever had the end token as a target, so nothing raises its probability at the end of an
#    answer. The loss does not show it, because the masked positions are not in it.
# 3. The two markers in the user's text become real marker tokens, so the model sees a finished user turn and the opening of
#    an assistant turn: the user can put words into the assistant's mouth (or forge a system turn). Encode contents as bytes
#    only, and let nothing but the template make markers (or escape or refuse them).
# 4. Format: the base model has exact match 0 although it has read the facts; it goes on writing, and after SFT it answers
#    and stops. Knowledge: SFT alone ends near 0 on held-out instructions, with pretraining near 1. One
#    tiny model, ten animals and known phrases cannot show that a large model learns nothing new in SFT.
# ### END SOLUTION
#
# ### BEGIN MARK SCHEME
# 1. Half a point for "learns to predict padding", half for a loss that looks too good because easy tokens are in the mean.
# 2. Half a point for "does not stop", half for the reason (never a target). "Gets worse" alone: nothing.
# 3. Half a point for the forged turn (the text becomes marker tokens), half for a remedy that works.
# 4. Half a point for two numbers of their own run read correctly, half for an honest limit.
# ### END MARK SCHEME
