"""The stages of the pipeline in their order: what each takes up from those before, does, leaves behind and measures.

A stage is a function from a run to its milestones. It reads earlier results from the run's folder and writes its own
there, so it can be run again by itself; it seeds torch's generator first, so it comes out the same when it is.
"""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from reference_impl import alignment, comparisons
from reference_impl.alignment import Rollout, ValueModel, kl_divergence, preference_batch, rollout
from reference_impl.chat import ChatTokenizer, extend_vocabulary
from reference_impl.data import Batches, documents
from reference_impl.finetuning import LONGEST_ANSWER, answers, finetune, follows, supervised_loss
from reference_impl.instructions import Instruction, instructions, score
from reference_impl.lora import add_lora, merge, parameter_counts
from reference_impl.losses import mean_loss
from reference_impl.milestones import Milestone
from reference_impl.model import LanguageModel
from reference_impl.presets import PRESETS, Preset
from reference_impl.pretrain import pretrain, split
from reference_impl.quantization import model_bytes, quantize_linear_layers
from reference_impl.reward_model import RewardModel, ranking, rated_pairs, train_reward_model
from reference_impl.saved import load_model, save_model
from reference_impl.server import Server
from reference_impl.sft import collate

__all__ = ["STAGES", "Run"]

FARTHEST = 0.5
"""nats per token that alignment may move the policy from the reference by"""
NOISE = 0.02
"""by which a mean score has to rise, of 800 drawn answers in the preset `tiny`: at least their standard error"""


@dataclass(frozen=True)
class Run:
    """One run of the pipeline: where its results are, how large it is, and on what it runs."""

    folder: Path
    name: str
    device: torch.device
    resume: bool = False

    @property
    def preset(self) -> Preset:
        return PRESETS[self.name]

    def questions(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What supervised finetuning trains on."""
        return instructions(self.preset.n_training, tasks=tasks or self.preset.tasks)

    def new_questions(self) -> list[Instruction]:
        """What the stages after it ask: a model says little that is wrong about what it was told the answers to."""
        return instructions(self.preset.n_training, tasks=self.preset.tasks, seed=1)

    def held_out(self, tasks: Sequence[str] | None = None) -> list[Instruction]:
        """What no stage trains on."""
        return instructions(self.preset.n_validation, validation=True, tasks=tasks or self.preset.tasks)

    def load(self, stage: str) -> tuple[LanguageModel, ChatTokenizer]:
        """The model that a stage left behind."""
        model, tokenizer = load_model(self.folder / stage, self.device)
        return model, ChatTokenizer(tokenizer)

    def save(self, stage: str, model: LanguageModel, tokenizer: ChatTokenizer) -> None:
        save_model(model, tokenizer.tokens, self.folder / stage)


def pretraining(run: Run) -> list[Milestone]:
    """Raw text to a tokenizer and a model that continues it."""
    _, _, found = pretrain(run.name, run.device, run.folder / "pretraining")
    model, _ = run.load("pretraining")
    (run.folder / "pretraining" / "snippet.txt").write_text(found["snippet"] + "\n")
    guessing = found["loss_of_guessing"]
    untrained = found["validation_at_start"]
    part, lower = "pretraining", 0.75 * untrained
    return [
        Milestone(part, "starts at ln V", "distance in nats", None, abs(untrained - guessing), "at most", 0.3),
        Milestone(part, "learns from 100 KB", "held-out loss", untrained, found["validation"], "at most", lower),
        Milestone(part, "writes real words", "share of words", None, found["known_words"], "at least", 0.9),
        comparisons.cache_gain(model, run.preset.cached_tokens),
    ]


def toy_set(run: Run) -> list[Milestone]:
    """The first thing to ask of any model: can it learn four passages by heart?"""
    _, chat = run.load("pretraining")
    return [comparisons.overfits(chat.tokens, documents()[0], run.device)]


def modern_parts(run: Run) -> list[Milestone]:
    """Each modern part beside what it replaces."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    return comparisons.part_gains(run.preset.comparison, chat.tokens, trained_on, held_out, run.device)


def experts(run: Run) -> list[Milestone]:
    """A mixture of experts beside a dense model."""
    _, chat = run.load("pretraining")
    trained_on, held_out = split(documents())
    return [comparisons.expert_gain(run.preset.comparison, chat.tokens, trained_on, held_out, run.device)]


def sft(run: Run) -> list[Milestone]:
    """From a model that continues text to one that answers."""
    model, chat = run.load("pretraining")
    model = extend_vocabulary(model, chat.vocab_size)
    asked = run.held_out()
    before = follows(model, chat, asked)
    finetune(
        model, chat, run.questions(), run.preset.sft, run.preset.batch_size, run.folder / "sft" / "run", run.resume
    )
    after = follows(model, chat, asked)
    run.save("sft", model, chat)
    return [
        Milestone("sft", f"follows instructions: {task}", "share right, held out", before[task], share, "at least", 0.5)
        for task, share in after.items()
    ]


def reward_model(run: Run) -> list[Milestone]:
    """A judge that is learned from comparisons, and what choosing by it is worth."""
    policy, chat = run.load("sft")
    model = RewardModel(policy)
    asked = run.held_out()
    held_out = rated_pairs(policy, chat, asked, seed=1)
    before = ranking(model, chat, held_out)["accuracy"]
    pairs = rated_pairs(policy, chat, run.new_questions()[: run.preset.n_rated])
    folder = run.folder / "reward_model"
    train_reward_model(model, chat, pairs, run.preset.reward, run.preset.batch_size, folder / "run", run.resume)
    torch.save(model.state_dict(), folder / "reward.pt")
    after = ranking(model, chat, held_out)["accuracy"]
    drawn = _drawn(policy, chat, asked, group=4)
    right = _scores(drawn, chat, asked, group=4).view(-1, 4)
    rewards = model.judge(drawn.prompts, drawn.responses, chat.pad).cpu().view(-1, 4)
    chosen = right.gather(1, rewards.argmax(dim=1, keepdim=True)).mean().item()
    single = right.mean().item()
    return [
        Milestone("reward model", "ranks held-out pairs", "share ranked right", before, after, "at least", 0.7),
        Milestone("reward model", "picks the best of four", "score, held out", single, chosen, "above", single),
    ]


def dpo(run: Run) -> list[Milestone]:
    """Preferences straight into the policy."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    # Its own words only: pushed away from texts that it would never write, a policy forgets what it would.
    pairs = rated_pairs(policy, chat, run.new_questions()[: run.preset.n_rated], written=False)
    collated = partial(preference_batch, pad=chat.pad, device=run.device)
    batches = islice(Batches(pairs, min(run.preset.batch_size, len(pairs)), collated), run.preset.dpo_steps)
    alignment.dpo(
        policy, reference, list(batches), run.preset.dpo_learning_rate, nll_weight=1.0, folder=run.folder / "dpo"
    )
    run.save("dpo", policy, chat)
    return _aligned("DPO", run, policy, reference, chat)


def grpo(run: Run) -> list[Milestone]:
    """The policy's own answers, compared with each other."""
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    asked = run.new_questions()
    right = {tuple(chat.prompt(one.question)): one.answer for one in asked}

    def judge(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]) -> torch.Tensor:
        pairs = zip(prompts, responses, strict=True)
        rewards = [_score(response, right[tuple(prompt)], chat) for prompt, response in pairs]
        return torch.tensor(rewards, device=run.device)

    alignment.grpo(
        policy, reference, chat, _question_batches(asked, run.preset.grpo_steps, run.preset.grpo_questions), judge,
        group=run.preset.group, max_new_tokens=LONGEST_ANSWER, learning_rate=run.preset.grpo_learning_rate,
        generator=torch.Generator(run.device).manual_seed(0), folder=run.folder / "grpo",
    )  # fmt: skip
    run.save("grpo", policy, chat)
    return _aligned("GRPO", run, policy, reference, chat)


def ppo(run: Run) -> list[Milestone]:
    """With a critic, and the learned reward: the classical way. It raises what the reward model likes, right or not."""
    if not run.preset.ppo_steps:
        return []
    policy, chat = run.load("sft")
    reference = copy.deepcopy(policy)
    rewards = RewardModel(policy)
    rewards.load_state_dict(
        torch.load(run.folder / "reward_model" / "reward.pt", map_location=run.device, weights_only=True)
    )
    asked = run.held_out()
    before = _drawn(policy, chat, asked)
    alignment.ppo(
        policy, reference, ValueModel(copy.deepcopy(policy)), chat,
        _question_batches(run.new_questions(), run.preset.ppo_steps, run.preset.grpo_questions * run.preset.group),
        lambda prompts, responses: rewards.judge(prompts, responses, chat.pad),
        max_new_tokens=LONGEST_ANSWER, learning_rate=run.preset.grpo_learning_rate,
        generator=torch.Generator(run.device).manual_seed(0), folder=run.folder / "ppo",
    )  # fmt: skip
    after = _drawn(policy, chat, asked)
    figures = [rewards.judge(one.prompts, one.responses, chat.pad).mean().item() for one in (before, after)]
    distance = kl_divergence(policy, reference, after.tokens, after.mask)
    return [
        Milestone("PPO", "raises the learned reward", "reward, held out", *figures, "above", figures[0]),
        Milestone("PPO", "stays near the reference", "KL, nats per token", 0.0, distance, "at most", FARTHEST),
    ]


def lora(run: Run) -> list[Milestone]:
    """A task that the model was never taught, with few parameters."""
    model, chat = run.load("grpo")
    asked = run.held_out(["shout"])
    before = follows(model, chat, asked)["all"]
    add_lora(model, ["query", "key", "value", "out"], run.preset.lora_rank)
    trainable, everything = parameter_counts(model)
    finetune(model, chat, run.questions(["shout"]), run.preset.lora, run.preset.batch_size, description="LoRA")
    apart = answers(model, chat, [one.question for one in asked])
    after = follows(model, chat, asked)["all"]
    merge(model)
    together = answers(model, chat, [one.question for one in asked])
    same = sum(one == other for one, other in zip(apart, together, strict=True)) / len(asked)
    return [
        Milestone("LoRA", "learns a new task", "share right, held out", before, after, "at least", 0.5),
        Milestone("LoRA", "trains few parameters", "share trained", 1.0, trainable / everything, "at most", 0.1),
        Milestone("LoRA", "merges into the model", "share of equal answers", None, same, "at least", 0.99),
    ]


def int8(run: Run) -> list[Milestone]:
    """A quarter of the bytes for each weight of a linear layer."""
    model, chat = run.load("grpo")
    small = quantize_linear_layers(copy.deepcopy(model))
    examples = [chat.example(one.question, one.answer) for one in run.held_out()]
    batch = {name: part.to(run.device) for name, part in collate(examples, chat.pad).items()}
    losses = [mean_loss(one, supervised_loss, [batch]) for one in (model, small)]
    sizes = [model_bytes(one) / 1e6 for one in (model, small)]
    return [
        Milestone("int8", "costs little loss", "loss on held-out answers", *losses, "at most", 1.02 * losses[0]),
        Milestone("int8", "saves memory", "megabytes", *sizes, "at most", 0.6 * sizes[0]),
    ]


def serving(run: Run) -> list[Milestone]:
    """The aligned model, quantised, answers over a real connection what it answers here."""
    model, chat = run.load("grpo")
    quantize_linear_layers(model)
    questions = [one.question for one in run.held_out()[:5]]
    here = answers(model, chat, questions)
    with Server(model, chat) as server:
        there = [_ask(server.url, question) for question in questions]
    (run.folder / "serving").mkdir(exist_ok=True)
    (run.folder / "serving" / "answers.json").write_text(json.dumps(dict(zip(questions, there, strict=True)), indent=1))
    same = sum(one == other for one, other in zip(here, there, strict=True)) / len(questions)
    return [Milestone("serving", "answers over HTTP", "share of equal answers", None, same, "at least", 1.0)]


STAGES = (
    pretraining, toy_set, modern_parts, experts, sft, reward_model, dpo, grpo, ppo, lora, int8, serving,
)  # fmt: skip


def _aligned(
    part: str, run: Run, policy: LanguageModel, reference: LanguageModel, chat: ChatTokenizer
) -> list[Milestone]:
    """Did what the policy says become better, and how far did the policy move?"""
    asked = run.held_out()
    drawn = [_drawn(one, chat, asked, group=4) for one in (reference, policy)]
    before, after = (_scores(one, chat, asked, group=4).mean().item() for one in drawn)
    distance = kl_divergence(policy, reference, drawn[1].tokens, drawn[1].mask)
    greedy = [follows(one, chat, asked)["all"] for one in (reference, policy)]
    return [
        Milestone(
            part, "raises the reward", "score of drawn answers, held out", before, after, "above", before + NOISE
        ),
        Milestone(part, "keeps the likeliest answers", "share right, held out", *greedy, "at least", greedy[0] - 0.02),
        Milestone(part, "stays near the reference", "KL, nats per token", 0.0, distance, "at most", FARTHEST),
    ]


def _drawn(policy: LanguageModel, chat: ChatTokenizer, asked: Sequence[Instruction], group: int = 1) -> Rollout:
    generator = torch.Generator(policy.unembed.weight.device).manual_seed(1)
    questions = [one.question for one in asked]
    return rollout(policy, chat, questions, group, LONGEST_ANSWER, generator=generator)


def _scores(drawn: Rollout, chat: ChatTokenizer, asked: Sequence[Instruction], group: int) -> torch.Tensor:
    """(questions · group,): the score of each drawn response."""
    scores = [_score(ids, asked[number // group].answer, chat) for number, ids in enumerate(drawn.responses)]
    return torch.tensor(scores)


def _score(response: Sequence[int], answer: str, chat: ChatTokenizer) -> float:
    """A response that does not end is no answer, whatever it says."""
    return score(chat.decode(response), answer) if response[-1] == chat.end else 0.0


def _question_batches(asked: Sequence[Instruction], steps: int, size: int) -> list[list[str]]:
    """`steps` batches of `size` questions, from the start again where there are too few."""
    return [[asked[(step * size + place) % len(asked)].question for place in range(size)] for step in range(steps)]


def _ask(url: str, question: str) -> str:
    body = json.dumps({"question": question, "max_new_tokens": LONGEST_ANSWER}).encode()
    request = urllib.request.Request(f"{url}/generate", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(json.load(response)["text"])
