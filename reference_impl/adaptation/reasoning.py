"""Reasoning at test time: chains of thought, a vote among them, tool calls, and format compliance.

Chains of thought in DeepSeek-R1's tags (2025, table 1), after Wei et al. (2022); the vote after Wang et al.,
self-consistency (2023), where a tie gives no answer; tool calls as JSON between the tags of Hermes and Qwen, after
Schick et al., Toolformer (2023). Model output is untrusted input: nothing is evaluated as code, sizes are bounded,
a call can reach only the given functions, and every error becomes a message that the model reads.
"""

from __future__ import annotations

import inspect
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

__all__ = [
    "TOOLS", "Reasoning", "ToolCall", "answer_with_tools", "compliance", "execute", "parse_reasoning",
    "parse_tool_call", "self_consistency_vote", "tool_examples",
]  # fmt: skip

LONGEST_TEXT = 20_000  # characters of a model's answer that are parsed
LONGEST_CALL = 2_000  # characters of one call
LARGEST_NUMBER = 10**12
Tool = Callable[..., int]


class Reasoning(NamedTuple):
    """A chain of thought and its answer."""

    thought: str
    answer: str


class ToolCall(msgspec.Struct, forbid_unknown_fields=True):
    """The name of a tool and its arguments by name."""

    name: str
    arguments: dict[str, int]


def parse_reasoning(text: str) -> Reasoning | None:
    """The thought and the answer in `<think>…</think><answer>…</answer>`; None for any other text.

    White space around the parts is ignored; each tag must occur once.
    """
    tags = ("<think>", "</think>", "<answer>", "</answer>")
    if len(text) > LONGEST_TEXT or any(text.count(tag) != 1 for tag in tags):
        return None
    pieces, rest = [], text
    for tag in tags:
        piece, separator, rest = rest.partition(tag)
        if not separator:
            return None
        pieces.append(piece)
    before, thought, between, answer = pieces
    return None if (before + between + rest).strip() else Reasoning(thought.strip(), answer.strip())


def self_consistency_vote(answers: Sequence[str | None]) -> str | None:
    """The most common of the sampled answers, ignoring None; None if there is no answer, or a tie."""
    ranked = Counter(answer for answer in answers if answer is not None).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def parse_tool_call(text: str) -> ToolCall | None:
    """The first call in `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, or None if there is none.

    Raises ValueError with the reason if the content of the tags is not a call.
    """
    _, opening, rest = text[:LONGEST_TEXT].partition("<tool_call>")
    if not opening:
        return None
    content, closing, _ = rest.partition("</tool_call>")
    if not closing:
        raise ValueError("<tool_call> without </tool_call>")
    if len(content) > LONGEST_CALL:
        raise ValueError(f"a call may have {LONGEST_CALL} characters, this one has {len(content)}")
    try:
        return msgspec.json.decode(content.strip().encode(errors="replace"), type=ToolCall)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None


def execute(call: ToolCall, tools: Mapping[str, Tool]) -> int:
    """Runs the called tool. Raises ValueError for an unknown tool, wrong arguments or numbers out of bounds."""
    if call.name not in tools:
        raise ValueError(f"there is no tool {call.name[:40]!r}; there are {', '.join(sorted(tools))}")
    parameters = set(inspect.signature(tools[call.name]).parameters)
    if set(call.arguments) != parameters:
        raise ValueError(f"{call.name} needs the arguments {', '.join(sorted(parameters))}")
    if any(abs(number) > LARGEST_NUMBER for number in call.arguments.values()):
        raise ValueError(f"numbers may be at most {LARGEST_NUMBER} in size")
    try:
        return tools[call.name](**call.arguments)
    except ArithmeticError as error:
        raise ValueError(str(error)) from None


TOOLS: dict[str, Tool] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a // b,
}
"""Integer arithmetic, each with the arguments a and b."""


def answer_with_tools(
    respond: Callable[[list[dict[str, str]]], str],
    question: str,
    tools: Mapping[str, Tool] = TOOLS,
    max_calls: int = 4,
) -> list[dict[str, str]]:
    """The conversation that answers `question`: `respond` maps the messages so far to the assistant's next text.

    Each tool call is executed, and its result or error is appended as a message with the role "tool". The conversation
    ends at the first text without a call, or when `max_calls` is exceeded.
    """
    messages = [{"role": "user", "content": question}]
    for _ in range(max_calls + 1):
        text = respond(messages)
        messages.append({"role": "assistant", "content": text})
        try:
            call = parse_tool_call(text)
            if call is None:
                break
            result = str(execute(call, tools))
        except ValueError as error:
            result = f"error: {error}"
        messages.append({"role": "tool", "content": f"<tool_response>{result}</tool_response>"})
    return messages


def tool_examples(count: int, seed: int = 0, largest: int = 99) -> list[list[dict[str, str]]]:
    """`count` synthetic conversations in which a tool is called and its result reported, for finetuning."""
    words = {"add": "plus", "subtract": "minus", "multiply": "times"}
    draw = random.Random(seed)
    conversations = []
    for _ in range(count):
        name = draw.choice(sorted(words))
        a, b = draw.randint(0, largest), draw.randint(0, largest)
        call = msgspec.json.encode(ToolCall(name, {"a": a, "b": b})).decode()
        script = iter([f"<tool_call>{call}</tool_call>", str(TOOLS[name](a, b))])
        conversations.append(answer_with_tools(partial(_say_next, script), f"{a} {words[name]} {b}?"))
    return conversations


def compliance(texts: Sequence[str], tools: Mapping[str, Tool] = TOOLS) -> dict[str, float]:
    """Shares of `texts`: a well-formed chain of thought; a well-formed call; an executable call.

    Raises ValueError without texts.
    """
    if not texts:
        raise ValueError("no texts to judge")
    calls = [_parse_call_or_none(text) for text in texts]
    return {
        "reasoning": sum(parse_reasoning(text) is not None for text in texts) / len(texts),
        "well_formed_call": sum(call is not None for call in calls) / len(texts),
        "executable_call": sum(call is not None and _is_executable(call, tools) for call in calls) / len(texts),
    }


def _say_next(script: Iterator[str], messages: Sequence[Mapping[str, str]]) -> str:
    """The next text of a prepared answer, whatever was said before."""
    return next(script)


def _parse_call_or_none(text: str) -> ToolCall | None:
    try:
        return parse_tool_call(text)
    except ValueError:
        return None


def _is_executable(call: ToolCall, tools: Mapping[str, Tool]) -> bool:
    try:
        execute(call, tools)
    except ValueError:
        return False
    return True
