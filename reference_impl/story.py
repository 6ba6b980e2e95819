"""The whole pipeline as one short script: `python -m reference_impl.story`. It takes a minute on two cores.

Read it first. Every line calls the part of the package that does the work; `pipeline/` runs the same steps with larger
models, measures what each achieves, and can be interrupted.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from reference_impl.adaptation.lora import add_lora, merge
from reference_impl.adaptation.quantization import model_bytes, quantize_linear_layers
from reference_impl.alignment.dpo_training import DPOTrainer, collate_preferences
from reference_impl.alignment.grpo_training import GRPOTrainer
from reference_impl.alignment.policy_training import RolloutConfig
from reference_impl.alignment.reward_training import RewardModel, measure_ranking, sample_pairs, train_reward_model
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.finetuning.finetune import answer_questions, finetune, measure_accuracy
from reference_impl.finetuning.instructions import instructions, score
from reference_impl.model.config import Config
from reference_impl.model.language_model import LanguageModel
from reference_impl.model.sampling import generate
from reference_impl.tokenizer import BPE
from reference_impl.training.data import Batches, documents, language_model_batches
from reference_impl.training.losses import language_model_loss
from reference_impl.training.trainer import TrainConfig, Trainer


def tell(folder: Path, steps: int = 200) -> LanguageModel:
    """From raw text to an aligned model, which answers; the server of `serving/` would do the same over HTTP."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)

    # A tokenizer and a model learn to continue a text.
    text = documents()
    tokenizer = BPE.train("".join(text), 512)
    chat = ChatTokenizer(tokenizer)
    model = LanguageModel(
        Config.modern(vocab_size=chat.vocab_size, context_length=128, d_model=64, n_layers=2, n_heads=4)
    )
    batches = language_model_batches(text, tokenizer, length=64, batch_size=16)
    history = Trainer(model, language_model_loss, batches, TrainConfig(steps, 3e-3, warmup=steps // 10)).run()
    print(f"pretraining: loss {history[0]['loss']:.2f} -> {history[-1]['loss']:.2f}")
    prompt = torch.tensor([tokenizer.encode("Alice")])
    print(f"  it writes: {tokenizer.decode(generate(model, prompt, 20, generator=generator)[0].tolist())!r}")

    # It learns to answer questions: only the answers are targets.
    tasks = ("first", "repeat")
    questions, held_out = instructions(1000, tasks=tasks), instructions(100, validation=True, tasks=tasks)
    before = measure_accuracy(model, chat, held_out)["all"]
    finetune(model, chat, [one.messages for one in questions], TrainConfig(steps, 3e-3, warmup=10), batch_size=32)
    print(f"finetuning: accuracy {before:.2f} -> {measure_accuracy(model, chat, held_out)['all']:.2f}")

    # A reward model learns which of two answers is better; DPO moves the model towards the better ones directly.
    reference = copy.deepcopy(model)
    pairs = sample_pairs(model, chat, questions[:200])
    reward_model = RewardModel(model)
    train_reward_model(reward_model, chat, pairs, TrainConfig(steps // 2, 1e-3), batch_size=16)
    print(f"reward model: ranks {measure_ranking(reward_model, chat, pairs)['accuracy']:.2f} of its pairs right")
    preferences = Batches(pairs, 16, partial(collate_preferences, pad=chat.pad, device=torch.device("cpu")))
    dpo_config = TrainConfig(steps // 4, 2e-4, warmup=5, weight_decay=0.0)
    history = DPOTrainer(model, reference, preferences, dpo_config, nll_weight=4.0).run()
    print(f"DPO: prefers the better answer in {history[0]['accuracy']:.2f} -> {history[-1]['accuracy']:.2f} of a batch")

    # GRPO lets it try, and rewards what is right.
    answers = {tuple(chat.prompt(one.question)): one.answer for one in questions}
    grpo = GRPOTrainer(
        model, copy.deepcopy(model), chat, [one.question for one in questions],
        lambda prompts, responses: torch.tensor(
            [score(chat.decode(response), answers[tuple(p)]) for p, response in zip(prompts, responses, strict=True)]
        ),
        TrainConfig(steps // 4, 5e-4, warmup=5, weight_decay=0.0), RolloutConfig(32, group=8), generator, folder=folder,
    )  # fmt: skip
    history = grpo.run()
    print(f"GRPO: reward {history[0]['reward']:.2f} -> {history[-1]['reward']:.2f}")
    print(f"  accuracy on held-out questions: {measure_accuracy(model, chat, held_out)['all']:.2f}")

    # A new task costs a few percent of the weights; then one byte per weight is enough.
    add_lora(model, ["query", "key", "value", "out"])
    new_task = [one.messages for one in instructions(500, tasks=["shout"])]
    finetune(model, chat, new_task, TrainConfig(steps // 2, 5e-3, weight_decay=0.0), batch_size=32)
    merge(model)
    megabytes = model_bytes(model) / 1e6
    quantize_linear_layers(model)
    print(f"LoRA and int8: {megabytes:.2f} -> {model_bytes(model) / 1e6:.2f} MB")
    question = instructions(1, validation=True, tasks=["shout"])[0].question
    print(f"  {question!r} -> {answer_questions(model, chat, [question])[0]!r}")
    return model


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        tell(Path(folder))
