"""All stages of the pipeline in order, and those of pretraining, finetuning, comparison, quantisation and serving.

A stage is a function from a run to its milestones. It reads the results of earlier
stages from the run's folder and writes its own there. The pipeline seeds torch before each stage, so a stage that is
repeated gives the same results.
"""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Callable

from reference_impl.adaptation.quantization import model_bytes, quantize_linear_layers
from reference_impl.finetuning.chat import extend_vocabulary
from reference_impl.finetuning.finetune import (
    MAX_ANSWER_TOKENS,
    answer_questions,
    finetune,
    measure_accuracy,
    supervised_loss,
)
from reference_impl.finetuning.sft import collate
from reference_impl.pipeline import ablations
from reference_impl.pipeline.adaptation_stages import run_classification, run_lora, run_reasoning
from reference_impl.pipeline.alignment_stages import run_dpo, run_grpo, run_ppo, run_reward_model
from reference_impl.pipeline.milestones import Milestone, make_milestone
from reference_impl.pipeline.run import Run
from reference_impl.serving.server import Server
from reference_impl.training.data import documents
from reference_impl.training.losses import mean_loss
from reference_impl.training.pretrain import pretrain, split

__all__ = ["STAGES", "Stage"]


def run_pretraining(run: Run) -> list[Milestone]:
    """Train a tokenizer and a language model on raw text."""
    _, _, metrics = pretrain(run.preset.pretraining, run.device, run.folder / "pretraining", seed=run.seed)
    model, _ = run.load("pretraining")
    (run.folder / "pretraining" / "snippet.txt").write_text(metrics["snippet"] + "\n")
    untrained = metrics["validation_at_start"]
    return [
        make_milestone("pretraining", "starts at ln V", None, abs(untrained - metrics["loss_of_guessing"])),
        make_milestone("pretraining", "learns from 100 KB", untrained, metrics["validation"]),
        make_milestone("pretraining", "writes real words", None, metrics["known_words"]),
        *ablations.measure_cache(model, run.preset.cached_tokens),
    ]


def run_toy_set(run: Run) -> list[Milestone]:
    """Overfit four short passages: the first test of any model."""
    _, chat = run.load("pretraining")
    folder = run.folder / "toy_set"
    return [ablations.measure_overfitting(chat.tokens, documents()[0], run.device, folder=folder, seed=run.seed)]


def run_modern_parts(run: Run) -> list[Milestone]:
    """Compare each modern part with the part that it replaces."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    sizes, folder = run.preset.comparison, run.folder / "modern_parts"
    return ablations.compare_parts(sizes, chat.tokens, trained_on, held_out, run.device, folder, run.seed)


def run_experts(run: Run) -> list[Milestone]:
    """Compare a mixture of experts with a dense model."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    sizes, folder = run.preset.comparison, run.folder / "experts"
    return [ablations.compare_experts(sizes, chat.tokens, trained_on, held_out, run.device, folder, run.seed)]


def run_sft(run: Run) -> list[Milestone]:
    """Finetune the pretrained model to answer questions."""
    # Dropout helps on a text that is read twenty times. Here it hides the very words that an answer has to copy.
    model, chat = run.load("pretraining", dropout=0.0)
    model = extend_vocabulary(model, chat.vocab_size)
    held_out = run.held_out_questions()
    before = measure_accuracy(model, chat, held_out)
    conversations = [one.messages for one in run.training_questions()]
    folder = run.folder / "sft" / "run"
    finetune(model, chat, conversations, run.preset.sft, run.preset.batch_size, folder, run.resume, seed=run.seed)
    after = measure_accuracy(model, chat, held_out)
    run.save("sft", model, chat)
    return [
        make_milestone("sft", f"follows instructions: {task}", before[task], share) for task, share in after.items()
    ]


def run_int8(run: Run) -> list[Milestone]:
    """Quantise the linear layers to one byte per weight."""
    model, chat = run.load("grpo")
    quantised = quantize_linear_layers(copy.deepcopy(model))
    examples = [chat.example(one.messages) for one in run.held_out_questions()]
    batch = {name: part.to(run.device) for name, part in collate(examples, chat.pad).items()}
    losses = [mean_loss(one, supervised_loss, [batch]) for one in (model, quantised)]
    megabytes = [model_bytes(one) / 1e6 for one in (model, quantised)]
    return [
        make_milestone("int8", "costs little loss", *losses),
        make_milestone("int8", "saves memory", *megabytes),
    ]


def run_serving(run: Run) -> list[Milestone]:
    """Serve the aligned, quantised model over HTTP and compare its answers with those of the model itself."""
    model, chat = run.load("grpo")
    quantize_linear_layers(model)
    questions = [one.question for one in run.held_out_questions()[:5]]
    # One question at a time, as in the server: in a batch, rounding could decide a near tie differently.
    expected = [answer_questions(model, chat, [question])[0] for question in questions]
    with Server(model, chat) as server:
        served = [_request_answer(server.url, question) for question in questions]
    folder = run.folder / "serving"
    folder.mkdir(exist_ok=True)
    (folder / "answers.json").write_text(json.dumps(dict(zip(questions, served, strict=True)), indent=1))
    share = sum(one == other for one, other in zip(expected, served, strict=True)) / len(questions)
    return [make_milestone("serving", "answers over HTTP", None, share)]


Stage = Callable[[Run], list[Milestone]]
STAGES: dict[str, Stage] = {
    "pretraining": run_pretraining,
    "toy_set": run_toy_set,
    "modern_parts": run_modern_parts,
    "experts": run_experts,
    "classification": run_classification,
    "sft": run_sft,
    "reward_model": run_reward_model,
    "dpo": run_dpo,
    "grpo": run_grpo,
    "ppo": run_ppo,
    "lora": run_lora,
    "reasoning": run_reasoning,
    "int8": run_int8,
    "serving": run_serving,
}
"""name, which is that of its folder -> stage, in order"""


def _request_answer(url: str, question: str) -> str:
    body = json.dumps({"question": question, "max_new_tokens": MAX_ANSWER_TOKENS}).encode()
    request = urllib.request.Request(f"{url}/generate", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(json.load(response)["text"])
