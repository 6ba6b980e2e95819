"""The pipeline's stages that put a model to a use of its own: a classifier, a new task by LoRA, a vote, calls of tools.

None of them leaves a model for the stages after it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch

from reference_impl.chat import ChatTokenizer, Message, respond
from reference_impl.classification import Classifier, classification_loss, metrics
from reference_impl.data import Batches, documents
from reference_impl.finetuning import LONGEST_ANSWER, answers, finetune, follows
from reference_impl.instructions import score
from reference_impl.lora import add_lora, merge, parameter_counts
from reference_impl.milestones import Milestone, measured
from reference_impl.model import LanguageModel
from reference_impl.pretrain import split
from reference_impl.quotations import Passage, passages
from reference_impl.reasoning import answer_with_tools, compliance, self_consistency_vote, tool_examples
from reference_impl.run import Run
from reference_impl.sft import collate
from reference_impl.trainer import Recipe, Trainer

__all__ = ["classification", "lora", "reasoning"]

LONGEST_PASSAGE = 32  # tokens
LONGEST_CALL = 80  # tokens
VOTES = 9


def classification(run: Run) -> list[Milestone]:
    """Speech or narration? A head on the pretrained model, with the model frozen and not."""
    model, chat = run.load("pretraining")
    torch.manual_seed(run.seed)
    new = LanguageModel(model.config).to(run.device)
    learned, held_out = (passages(chapters) for chapters in split(documents()))
    head, whole = run.preset.classifier_head, run.preset.classifier

    def trained(body: LanguageModel, frozen: bool, recipe: Recipe, what: str) -> tuple[float, float]:
        """The accuracy before and after."""
        torch.manual_seed(run.seed)
        classifier = Classifier(copy.deepcopy(body), body.config.d_model, 2, frozen).to(run.device)
        before = _accuracy(classifier, held_out, chat)
        batches = Batches(learned, run.preset.batch_size, partial(_labelled, chat=chat), seed=run.seed)
        folder = run.folder / "classification" / what
        trainer = Trainer(classifier, classification_loss, batches, recipe, folder=folder, description=what)
        trainer.resume()
        trainer.run()
        return before, _accuracy(classifier, held_out, chat)

    _, without = trained(new, True, head, "head on a new model")
    before, frozen = trained(model, True, head, "head")
    _, full = trained(model, False, whole, "whole classifier")
    return [
        measured("classification", "a head tells speech from narration", before, frozen),
        measured("classification", "pretraining is what it reads", without, frozen),
        measured("classification", "training the whole does better", frozen, full),
    ]


def lora(run: Run) -> list[Milestone]:
    """A task that the model was never taught, with few parameters."""
    model, chat = run.load("grpo")
    asked = run.held_out(["shout"])
    before = follows(model, chat, asked)["all"]
    add_lora(model, ["query", "key", "value", "out"], run.preset.lora_rank)
    trainable, everything = parameter_counts(model)
    taught = [one.messages for one in run.questions(["shout"])]
    folder = run.folder / "lora" / "run"
    finetune(model, chat, taught, run.preset.lora, run.preset.batch_size, folder, run.resume, "LoRA", run.seed)
    after = follows(model, chat, asked)["all"]
    ids = collate([chat.example(one.messages) for one in asked], chat.pad)["input_ids"].to(run.device)
    with torch.no_grad():
        apart = model(ids)
        merge(model)
        change = (model(ids) - apart).abs().max().item()
    return [
        measured("LoRA", "learns a new task", before, after),
        measured("LoRA", "trains few parameters", 1.0, trainable / everything),
        measured("LoRA", "merges into the model", None, change),
    ]


def reasoning(run: Run) -> list[Milestone]:
    """More work for one answer: a vote of many, and a call of a tool for what is too hard by heart."""
    return [_vote(run), *_tools(run)]


def _vote(run: Run) -> Milestone:
    """Draws are right more or less often; the commonest of them is right more often than one."""
    policy, chat = run.load("sft")
    asked = run.held_out()
    prompts = [chat.prompt(one.question) for one in asked for _ in range(VOTES)]
    generator = run.generator()
    drawn = respond(policy, chat, prompts, LONGEST_ANSWER, temperature=1.0, generator=generator)
    # A response that does not end is no answer, and has no vote.
    texts = [chat.decode(ids).strip() if ids[-1] == chat.end else None for ids in drawn]
    singles, voted = [], []
    for number, one in enumerate(asked):
        votes = texts[number * VOTES : (number + 1) * VOTES]
        singles += [text == one.answer for text in votes]
        voted.append(self_consistency_vote(votes) == one.answer)
    single, winner = sum(singles) / len(singles), sum(voted) / len(voted)
    return measured("reasoning", f"a vote of {VOTES} beats one draw", single, winner)


def _tools(run: Run) -> list[Milestone]:
    """Arithmetic on two numbers: answers learned by heart beside calls of a calculator, as many steps for each."""
    model, chat = run.load("sft")
    # One digit each: few enough questions that some can be kept back, and their answers are not among those learned.
    drawn = tool_examples(200, seed=1, largest=9)
    asked = list({messages[0]["content"]: messages for messages in drawn}.values())[: run.preset.n_tool_questions]
    kept_back = {messages[0]["content"] for messages in asked}
    conversations = [
        messages
        for messages in tool_examples(run.preset.n_training, seed=2 * run.seed, largest=9)
        if messages[0]["content"] not in kept_back
    ]
    by_heart = [[messages[0], messages[-1]] for messages in conversations]
    alone, calling = copy.deepcopy(model), model
    for learner, taught, what in ((alone, by_heart, "sums by heart"), (calling, conversations, "calls of tools")):
        folder = run.folder / "reasoning" / what
        batch_size = run.preset.tool_batch_size
        finetune(learner, chat, taught, run.preset.tools, batch_size, folder, run.resume, what, run.seed)
    guesses = answers(alone, chat, [messages[0]["content"] for messages in asked])
    talks = [answer_with_tools(partial(_say, calling, chat), messages[0]["content"], max_calls=1) for messages in asked]
    right = [messages[-1]["content"] for messages in asked]
    guessed = sum(score(guess, answer) == 1 for guess, answer in zip(guesses, right, strict=True)) / len(asked)
    found = sum(talk[-1]["content"] == answer for talk, answer in zip(talks, right, strict=True)) / len(asked)
    calls = compliance([talk[1]["content"] for talk in talks])["executable_call"]
    return [
        measured("reasoning", "calls tools in their format", None, calls),
        measured("reasoning", "a tool answers what the model cannot", guessed, found),
    ]


def _say(model: LanguageModel, chat: ChatTokenizer, messages: Sequence[Message]) -> str:
    """The likeliest next text of the assistant."""
    (response,) = respond(model, chat, [chat.prompt_after(messages)], LONGEST_CALL)
    return chat.decode(response)


def _labelled(batch: Sequence[Passage], chat: ChatTokenizer) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, (batch, seq), and `classes`, (batch,): 1 for speech."""
    ids = [chat.tokens.encode_ordinary(passage.text)[:LONGEST_PASSAGE] for passage in batch]
    padded = collate([(row, row) for row in ids], chat.pad)
    return padded | {"classes": torch.tensor([int(passage.spoken) for passage in batch])}


@torch.no_grad()
def _accuracy(classifier: Classifier, asked: Sequence[Passage], chat: ChatTokenizer) -> float:
    batch = {name: part.to(next(classifier.parameters()).device) for name, part in _labelled(asked, chat).items()}
    predicted = classifier.eval()(batch["input_ids"], batch["attention_mask"]).argmax(dim=-1)
    return metrics(predicted, batch["classes"], 2)["accuracy"]
