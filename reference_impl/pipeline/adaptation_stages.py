"""The pipeline's stages that adapt a model to a task: classification, LoRA on a new task, majority votes, tool calls.

No later stage uses their models.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch

from reference_impl.adaptation.classification import Classifier, classification_loss, metrics
from reference_impl.adaptation.lora import add_lora, merge, parameter_counts
from reference_impl.adaptation.quotations import Passage, passages
from reference_impl.adaptation.reasoning import answer_with_tools, compliance, self_consistency_vote, tool_examples
from reference_impl.finetuning.chat import ChatTokenizer, Message, respond
from reference_impl.finetuning.finetune import MAX_ANSWER_TOKENS, answer_questions, finetune, measure_accuracy
from reference_impl.finetuning.instructions import score
from reference_impl.finetuning.sft import collate
from reference_impl.model.language_model import LanguageModel
from reference_impl.pipeline.milestones import Milestone, make_milestone
from reference_impl.pipeline.run import Run
from reference_impl.training.data import Batches, documents
from reference_impl.training.pretrain import split
from reference_impl.training.trainer import TrainConfig, Trainer

__all__ = ["run_classification", "run_lora", "run_reasoning"]

MAX_PASSAGE_TOKENS = 32
MAX_CALL_TOKENS = 80
VOTES = 9


def run_classification(run: Run) -> list[Milestone]:
    """Classify passages as speech or narration, with the pretrained model frozen and with all of it trained."""
    model, chat = run.load("pretraining")
    torch.manual_seed(run.seed)
    untrained = LanguageModel(model.config).to(run.device)
    training, held_out = (passages(chapters) for chapters in split(documents()))
    head, whole = run.preset.classifier_head, run.preset.classifier

    def train(body: LanguageModel, frozen: bool, config: TrainConfig, name: str) -> tuple[float, float]:
        """The accuracy before and after."""
        torch.manual_seed(run.seed)
        classifier = Classifier(copy.deepcopy(body), body.config.d_model, 2, frozen).to(run.device)
        before = _measure_classifier(classifier, held_out, chat)
        batches = Batches(training, run.preset.batch_size, partial(_collate_passages, chat=chat), seed=run.seed)
        folder = run.folder / "classification" / name
        trainer = Trainer(classifier, classification_loss, batches, config, folder=folder, description=name)
        trainer.resume()
        trainer.run()
        return before, _measure_classifier(classifier, held_out, chat)

    _, without_pretraining = train(untrained, True, head, "head on an untrained model")
    before, frozen = train(model, True, head, "head")
    _, full = train(model, False, whole, "whole classifier")
    return [
        make_milestone("classification", "a head tells speech from narration", before, frozen),
        make_milestone("classification", "the head relies on pretraining", without_pretraining, frozen),
        make_milestone("classification", "full finetuning is better", frozen, full),
    ]


def run_lora(run: Run) -> list[Milestone]:
    """Teach the model a new task by training a few parameters."""
    model, chat = run.load("grpo")
    held_out = run.held_out_questions(["shout"])
    before = measure_accuracy(model, chat, held_out)["all"]
    add_lora(model, ["query", "key", "value", "out"], run.preset.lora_rank)
    trainable, total = parameter_counts(model)
    conversations = [one.messages for one in run.training_questions(["shout"])]
    folder = run.folder / "lora" / "run"
    finetune(model, chat, conversations, run.preset.lora, run.preset.batch_size, folder, run.resume, "LoRA", run.seed)
    after = measure_accuracy(model, chat, held_out)["all"]
    ids = collate([chat.example(one.messages) for one in held_out], chat.pad)["input_ids"].to(run.device)
    with torch.no_grad():
        logits = model(ids)
        merge(model)
        change = (model(ids) - logits).abs().max().item()
    return [
        make_milestone("LoRA", "learns a new task", before, after),
        make_milestone("LoRA", "trains few parameters", 1.0, trainable / total),
        make_milestone("LoRA", "merges into the model", None, change),
    ]


def run_reasoning(run: Run) -> list[Milestone]:
    """Spend more computation on an answer: a majority vote over samples, and calls of a calculator."""
    return [_measure_vote(run), *_measure_tools(run)]


def _measure_vote(run: Run) -> Milestone:
    """Compares the accuracy of a majority vote over samples with that of single samples."""
    policy, chat = run.load("sft")
    questions = run.held_out_questions()
    prompts = [chat.prompt(one.question) for one in questions for _ in range(VOTES)]
    responses = respond(policy, chat, prompts, MAX_ANSWER_TOKENS, temperature=1.0, generator=run.new_generator())
    # A response that does not end is no answer, so it has no vote.
    texts = [chat.decode(ids).strip() if ids[-1] == chat.end else None for ids in responses]
    singles, voted = [], []
    for index, one in enumerate(questions):
        votes = texts[index * VOTES : (index + 1) * VOTES]
        singles += [text == one.answer for text in votes]
        voted.append(self_consistency_vote(votes) == one.answer)
    statement = f"a vote of {VOTES} beats one sample"
    return make_milestone("reasoning", statement, sum(singles) / len(singles), sum(voted) / len(voted))


def _measure_tools(run: Run) -> list[Milestone]:
    """Compares answers to arithmetic questions with and without calls of a calculator, after equally long training."""
    model, chat = run.load("sft")
    # With one digit per number there are few different questions, so the held-out ones are removed from training.
    examples = tool_examples(200, seed=1, largest=9)
    held_out = list({messages[0]["content"]: messages for messages in examples}.values())[: run.preset.n_tool_questions]
    questions = [messages[0]["content"] for messages in held_out]
    conversations = [
        messages
        for messages in tool_examples(run.preset.n_training, seed=2 * run.seed, largest=9)
        if messages[0]["content"] not in questions
    ]
    without_calls = [[messages[0], messages[-1]] for messages in conversations]
    direct, calling = copy.deepcopy(model), model
    for learner, taught, name in ((direct, without_calls, "direct answers"), (calling, conversations, "tool calls")):
        folder, batch_size = run.folder / "reasoning" / name, run.preset.tool_batch_size
        finetune(learner, chat, taught, run.preset.tools, batch_size, folder, run.resume, name, run.seed)
    answers = answer_questions(direct, chat, questions)
    dialogues = [answer_with_tools(partial(_next_message, calling, chat), one, max_calls=1) for one in questions]
    expected = [messages[-1]["content"] for messages in held_out]
    direct_accuracy = sum(score(got, right) == 1 for got, right in zip(answers, expected, strict=True)) / len(expected)
    called = [dialogue[-1]["content"] == right for dialogue, right in zip(dialogues, expected, strict=True)]
    executable = compliance([dialogue[1]["content"] for dialogue in dialogues])["executable_call"]
    return [
        make_milestone("reasoning", "calls tools in the right format", None, executable),
        make_milestone("reasoning", "a tool answers what the model cannot", direct_accuracy, sum(called) / len(called)),
    ]


def _next_message(model: LanguageModel, chat: ChatTokenizer, messages: Sequence[Message]) -> str:
    """The assistant's next message, by greedy decoding."""
    (response,) = respond(model, chat, [chat.prompt_after(messages)], MAX_CALL_TOKENS)
    return chat.decode(response)


def _collate_passages(batch: Sequence[Passage], chat: ChatTokenizer) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, (batch, seq), and `classes`, (batch,): 1 for speech."""
    ids = [chat.tokens.encode_ordinary(passage.text)[:MAX_PASSAGE_TOKENS] for passage in batch]
    inputs = collate([(row, row) for row in ids], chat.pad)
    return inputs | {"classes": torch.tensor([int(passage.spoken) for passage in batch])}


@torch.no_grad()
def _measure_classifier(classifier: Classifier, held_out: Sequence[Passage], chat: ChatTokenizer) -> float:
    """The accuracy on the passages."""
    device = next(classifier.parameters()).device
    batch = {name: part.to(device) for name, part in _collate_passages(held_out, chat).items()}
    predicted = classifier.eval()(batch["input_ids"], batch["attention_mask"]).argmax(dim=-1)
    return metrics(predicted, batch["classes"], 2)["accuracy"]
