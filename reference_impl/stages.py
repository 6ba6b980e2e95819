"""The stages of the pipeline in their order: what each takes up from those before, does, leaves behind and measures.

A stage is a function from a run to its milestones. It reads earlier results from the run's folder and writes its own
there, so it can be run again by itself; it seeds torch's generator first, so it comes out the same when it is.
"""

from __future__ import annotations

import copy
import json
import urllib.request

from reference_impl import comparisons
from reference_impl.adaptation_stages import classification, lora, reasoning
from reference_impl.alignment_stages import dpo, grpo, ppo, reward_model
from reference_impl.chat import extend_vocabulary
from reference_impl.data import documents
from reference_impl.finetuning import LONGEST_ANSWER, answers, finetune, follows, supervised_loss
from reference_impl.losses import mean_loss
from reference_impl.milestones import Milestone, measured
from reference_impl.pretrain import pretrain, split
from reference_impl.quantization import model_bytes, quantize_linear_layers
from reference_impl.run import Run
from reference_impl.server import Server
from reference_impl.sft import collate

__all__ = ["STAGES"]


def pretraining(run: Run) -> list[Milestone]:
    """Raw text to a tokenizer and a model that continues it."""
    _, _, found = pretrain(run.preset.pretraining, run.device, run.folder / "pretraining", seed=run.seed)
    model, _ = run.load("pretraining")
    (run.folder / "pretraining" / "snippet.txt").write_text(found["snippet"] + "\n")
    untrained = found["validation_at_start"]
    return [
        measured("pretraining", "starts at ln V", None, abs(untrained - found["loss_of_guessing"])),
        measured("pretraining", "learns from 100 KB", untrained, found["validation"]),
        measured("pretraining", "writes real words", None, found["known_words"]),
        *comparisons.cache_gains(model, run.preset.cached_tokens),
    ]


def toy_set(run: Run) -> list[Milestone]:
    """The first thing to ask of any model: can it learn four passages by heart?"""
    _, chat = run.load("pretraining")
    return [comparisons.overfits(chat.tokens, documents()[0], run.device, folder=run.folder / "toy_set", seed=run.seed)]


def modern_parts(run: Run) -> list[Milestone]:
    """Each modern part beside what it replaces."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    sizes, folder = run.preset.comparison, run.folder / "modern_parts"
    return comparisons.part_gains(sizes, chat.tokens, trained_on, held_out, run.device, folder, run.seed)


def experts(run: Run) -> list[Milestone]:
    """A mixture of experts beside a dense model."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    sizes, folder = run.preset.comparison, run.folder / "experts"
    return [comparisons.expert_gain(sizes, chat.tokens, trained_on, held_out, run.device, folder, run.seed)]


def sft(run: Run) -> list[Milestone]:
    """From a model that continues text to one that answers."""
    # Dropout is for a text that is read twenty times. Here it hides the very words that an answer has to copy.
    model, chat = run.load("pretraining", dropout=0.0)
    model = extend_vocabulary(model, chat.vocab_size)
    asked = run.held_out()
    before = follows(model, chat, asked)
    taught = [one.messages for one in run.questions()]
    folder = run.folder / "sft" / "run"
    finetune(model, chat, taught, run.preset.sft, run.preset.batch_size, folder, run.resume, seed=run.seed)
    after = follows(model, chat, asked)
    run.save("sft", model, chat)
    return [measured("sft", f"follows instructions: {task}", before[task], share) for task, share in after.items()]


def int8(run: Run) -> list[Milestone]:
    """A quarter of the bytes for each weight of a linear layer."""
    model, chat = run.load("grpo")
    small = quantize_linear_layers(copy.deepcopy(model))
    examples = [chat.example(one.messages) for one in run.held_out()]
    batch = {name: part.to(run.device) for name, part in collate(examples, chat.pad).items()}
    losses = [mean_loss(one, supervised_loss, [batch]) for one in (model, small)]
    sizes = [model_bytes(one) / 1e6 for one in (model, small)]
    return [
        measured("int8", "costs little loss", *losses),
        measured("int8", "saves memory", *sizes),
    ]


def serving(run: Run) -> list[Milestone]:
    """The aligned model, quantised, answers over a real connection what it answers here."""
    model, chat = run.load("grpo")
    quantize_linear_layers(model)
    questions = [one.question for one in run.held_out()[:5]]
    # One at a time, as the server does: a batch rounds its sums differently, which can decide a near tie differently.
    here = [answers(model, chat, [question])[0] for question in questions]
    with Server(model, chat) as server:
        there = [_ask(server.url, question) for question in questions]
    (run.folder / "serving").mkdir(exist_ok=True)
    (run.folder / "serving" / "answers.json").write_text(json.dumps(dict(zip(questions, there, strict=True)), indent=1))
    same = sum(one == other for one, other in zip(here, there, strict=True)) / len(questions)
    return [measured("serving", "answers over HTTP", None, same)]


STAGES = (
    pretraining, toy_set, modern_parts, experts, classification, sft, reward_model, dpo, grpo, ppo, lora, reasoning,
    int8, serving,
)  # fmt: skip


def _ask(url: str, question: str) -> str:
    body = json.dumps({"question": question, "max_new_tokens": LONGEST_ANSWER}).encode()
    request = urllib.request.Request(f"{url}/generate", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(json.load(response)["text"])
