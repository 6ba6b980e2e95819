"""The figures of the adaptation stages, on models whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.adaptation.lora import LoRALinear
from reference_impl.adaptation.quotations import Passage
from reference_impl.adaptation.reasoning import TOOLS
from reference_impl.pipeline import adaptation_stages
from reference_impl.pipeline.adaptation_stages import VOTES, run_reasoning
from reference_impl.pipeline.milestones import Milestone
from reference_impl.pipeline.run import Run
from reference_impl.tests.tiny import byte_chat, tiny_model


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in which every earlier stage has saved the same untrained model."""
    run = Run(tmp_path, "smoke", torch.device("cpu"))
    for stage in ("pretraining", "sft", "grpo"):
        run.save(stage, tiny_model(), byte_chat())
    return run


@pytest.fixture
def training_sets(monkeypatch: pytest.MonkeyPatch) -> list[list[list[dict[str, str]]]]:
    """Skips finetuning, and records the conversations of each call."""
    recorded: list[Any] = []
    monkeypatch.setattr(adaptation_stages, "finetune", lambda model, chat, given, *_, **__: recorded.append(given))
    monkeypatch.setattr(adaptation_stages, "answer_questions", lambda model, chat, questions: [""] * len(questions))
    return recorded


def test_reasoning_vote_ignores_unfinished_answers(
    run: Run, monkeypatch: pytest.MonkeyPatch, training_sets: list[Any]
) -> None:
    """Of nine samples four are right, three wrong in different ways, and two equal ones do not end."""
    questions = run.held_out_questions()
    chat = byte_chat()

    def respond(model: nn.Module, chat: Any, prompts: Sequence[list[int]], *_: Any, **__: Any) -> list[list[int]]:
        if len(prompts) == 1:
            return [chat.response("")]
        wrong = [chat.response(text) for text in ("a", "b", "c")] + [[99, 99, 99]] * 2
        right = [chat.response(one.answer) for one in questions for _ in range(VOTES)]
        turns = cycle([None] * 4 + wrong)
        return [
            right[number] if turn is None else turn for number, turn in zip(range(len(prompts)), turns, strict=False)
        ]

    monkeypatch.setattr(adaptation_stages, "respond", respond)
    (vote, *_) = run_reasoning(run)
    assert (vote.before, vote.after, vote.is_met) == (pytest.approx(4 / 9), 1.0, True)
    assert chat.decode([99, 99, 99]) == "ccc"


@pytest.mark.parametrize(("reports_result", "met"), [(True, True), (False, False)])
def test_reasoning_requires_the_result_of_the_tool(
    run: Run, monkeypatch: pytest.MonkeyPatch, training_sets: list[Any], reports_result: bool, met: bool
) -> None:
    names = {"plus": "add", "minus": "subtract", "times": "multiply"}

    def next_message(model: nn.Module, chat: Any, messages: Sequence[dict[str, str]]) -> str:
        a, word, b = messages[0]["content"].rstrip("?").split()
        if len(messages) == 1:
            call = {"name": names[word], "arguments": {"a": int(a), "b": int(b)}}
            return f"<tool_call>{json.dumps(call)}</tool_call>"
        result = messages[-1]["content"].removeprefix("<tool_response>").removesuffix("</tool_response>")
        return result if reports_result else "some number"

    monkeypatch.setattr(adaptation_stages, "_next_message", next_message)
    _, calls, answered = run_reasoning(run)
    assert calls.is_met
    assert (answered.before, answered.is_met) == (0.0, met)


def test_reasoning_trains_both_models_on_the_same_other_questions(run: Run, training_sets: list[Any]) -> None:
    """None of them is held out."""
    asked: list[str] = []

    def answer(next_message: object, question: str, **_: Any) -> list[dict[str, str]]:
        asked.append(question)
        return [{"content": ""}] * 2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation_stages, "answer_with_tools", answer)
        run_reasoning(run)
    direct, calling = training_sets
    assert len(asked) == run.preset.n_tool_questions
    assert not {*asked} & {messages[0]["content"] for messages in calling}
    for short, whole in zip(direct, calling, strict=True):
        a, word, b = short[0]["content"].rstrip("?").split()
        name = {"plus": "add", "minus": "subtract", "times": "multiply"}[word]
        assert short[1]["content"] == str(TOOLS[name](int(a), int(b)))
        assert short == [whole[0], whole[-1]]
        assert len(whole) == 4


def run_lora_with_random_adapters(run: Run, monkeypatch: pytest.MonkeyPatch) -> Milestone:
    """The milestone of merging, with adapters that are not zero."""

    def train(model: nn.Module, *_: Any, **__: Any) -> None:
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                nn.init.normal_(layer.b)

    monkeypatch.setattr(adaptation_stages, "finetune", train)
    *_, merging = adaptation_stages.run_lora(run)
    return merging


def test_lora_merge_keeps_the_logits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    merging = run_lora_with_random_adapters(run, monkeypatch)
    assert merging.is_met
    assert merging.after > 0  # the two sums round differently


def test_lora_merge_without_the_adapters_is_not_met(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def skip_adapters(model: nn.Module) -> None:
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                layer.merged = True

    monkeypatch.setattr(adaptation_stages, "merge", skip_adapters)
    assert not run_lora_with_random_adapters(run, monkeypatch).is_met


def test_measure_classifier_is_the_share_of_correct_passages() -> None:
    class ExclamationClassifier(nn.Module):
        """Predicts speech for passages with an exclamation mark."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(()))

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            spoken = (ids == ord("!")).any(dim=1).float()
            return torch.stack([1 - spoken, spoken], dim=1)

    held_out = [Passage("Oh!", True), Passage("She went away", False), Passage("Come", True), Passage("So!", True)]
    assert adaptation_stages._measure_classifier(ExclamationClassifier(), held_out, byte_chat()) == 0.75  # type: ignore[arg-type]
