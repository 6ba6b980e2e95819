"""What the stages measure, on models whose answers are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl import adaptation_stages
from reference_impl.adaptation_stages import VOTES, reasoning
from reference_impl.lora import LoRALinear
from reference_impl.milestones import Milestone
from reference_impl.quotations import Passage
from reference_impl.reasoning import TOOLS
from reference_impl.run import Run
from reference_impl.tests.tiny import byte_chat, tiny_model


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One in which every stage before has left the same untrained model."""
    run = Run(tmp_path, "smoke", torch.device("cpu"))
    for stage in ("pretraining", "sft", "grpo"):
        run.save(stage, tiny_model(), byte_chat())
    return run


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[list[list[dict[str, str]]]]:
    """What finetuning was given, which does not take place."""
    taught: list[Any] = []
    monkeypatch.setattr(adaptation_stages, "finetune", lambda model, chat, given, *_, **__: taught.append(given))
    monkeypatch.setattr(adaptation_stages, "answers", lambda model, chat, questions: [""] * len(questions))
    return taught


def test_a_vote_is_counted_and_an_open_answer_has_none(
    run: Run, monkeypatch: pytest.MonkeyPatch, untrained: list[Any]
) -> None:
    """Of nine draws four are right, three wrong in three ways, and two never end, though they say the same."""
    asked = run.held_out()
    chat = byte_chat()

    def drawn(model: nn.Module, chat: Any, prompts: Sequence[list[int]], *_: Any, **__: Any) -> list[list[int]]:
        if len(prompts) == 1:
            return [chat.response("")]
        wrong = [chat.response(text) for text in ("a", "b", "c")] + [[99, 99, 99]] * 2
        right = [chat.response(one.answer) for one in asked for _ in range(VOTES)]
        turns = cycle([None] * 4 + wrong)
        return [
            right[number] if turn is None else turn for number, turn in zip(range(len(prompts)), turns, strict=False)
        ]

    monkeypatch.setattr(adaptation_stages, "respond", drawn)
    (vote, *_) = reasoning(run)
    assert (vote.before, vote.after, vote.met) == (pytest.approx(4 / 9), 1.0, True)
    assert chat.decode([99, 99, 99]) == "ccc"


@pytest.mark.parametrize(("reports_it", "met"), [(True, True), (False, False)])
def test_an_answer_counts_if_the_tools_result_is_reported(
    run: Run, monkeypatch: pytest.MonkeyPatch, untrained: list[Any], reports_it: bool, met: bool
) -> None:
    names = {"plus": "add", "minus": "subtract", "times": "multiply"}

    def say(model: nn.Module, chat: Any, messages: Sequence[dict[str, str]]) -> str:
        a, word, b = messages[0]["content"].rstrip("?").split()
        if len(messages) == 1:
            call = {"name": names[word], "arguments": {"a": int(a), "b": int(b)}}
            return f"<tool_call>{json.dumps(call)}</tool_call>"
        found = messages[-1]["content"].removeprefix("<tool_response>").removesuffix("</tool_response>")
        return found if reports_it else "some number"

    monkeypatch.setattr(adaptation_stages, "_say", say)
    _, calls, answered = reasoning(run)
    assert calls.met
    assert (answered.before, answered.met) == (0.0, met)


def test_no_question_that_is_asked_was_taught_and_both_ways_are_taught_the_same(run: Run, untrained: list[Any]) -> None:
    asked: list[str] = []

    def talk(say: object, question: str, **_: Any) -> list[dict[str, str]]:
        asked.append(question)
        return [{"content": ""}] * 2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation_stages, "answer_with_tools", talk)
        reasoning(run)
    by_heart, calling = untrained
    assert len(asked) == run.preset.n_tool_questions
    assert not {*asked} & {messages[0]["content"] for messages in calling}
    for short, whole in zip(by_heart, calling, strict=True):
        a, word, b = short[0]["content"].rstrip("?").split()
        name = {"plus": "add", "minus": "subtract", "times": "multiply"}[word]
        assert short[1]["content"] == str(TOOLS[name](int(a), int(b)))
        assert short == [whole[0], whole[-1]]
        assert len(whole) == 4


def lora_with_detours(run: Run, monkeypatch: pytest.MonkeyPatch) -> Milestone:
    """What the stage says of its merge, where training has given every detour some weight."""

    def train(model: nn.Module, *_: Any, **__: Any) -> None:
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                nn.init.normal_(layer.b)

    monkeypatch.setattr(adaptation_stages, "finetune", train)
    *_, merges = adaptation_stages.lora(run)
    return merges


def test_lora_merge_keeps_the_logits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    merges = lora_with_detours(run, monkeypatch)
    assert merges.met
    assert merges.after > 0  # the two sums round differently


def test_lora_merge_that_loses_the_detours_is_not_met(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(model: nn.Module) -> None:
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                layer.merged = True

    monkeypatch.setattr(adaptation_stages, "merge", lose)
    assert not lora_with_detours(run, monkeypatch).met


def test_accuracy_is_the_share_of_passages_told_apart() -> None:
    class Shouting(nn.Module):
        """Says that a text is spoken where its last real token is an exclamation mark."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(()))

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            shouted = (ids == ord("!")).any(dim=1).float()
            return torch.stack([1 - shouted, shouted], dim=1)

    asked = [Passage("Oh!", True), Passage("She went away", False), Passage("Come", True), Passage("So!", True)]
    assert adaptation_stages._accuracy(Shouting(), asked, byte_chat()) == 0.75  # type: ignore[arg-type]
