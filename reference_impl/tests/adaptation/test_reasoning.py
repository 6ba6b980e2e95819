"""Chains of thought and tool calls: well-formed text is parsed, anything else raises an error that names the cause."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.adaptation.reasoning import (
    LONGEST_TEXT,
    TOOLS,
    Reasoning,
    ToolCall,
    answer_with_tools,
    compliance,
    execute,
    parse_reasoning,
    parse_tool_call,
    self_consistency_vote,
    tool_examples,
)

plain = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]), max_size=20).map(str.strip)
PIECES = ["<think>", "</think>", "<answer>", "</answer>", "a", " ", "\n"]


@given(plain, plain)
@settings(max_examples=50)
def test_parse_reasoning_reads_thought_and_answer(thought: str, answer: str) -> None:
    assert parse_reasoning(f" <think>{thought}</think>\n<answer> {answer}</answer> ") == Reasoning(thought, answer)


@given(st.lists(st.sampled_from(PIECES), max_size=9))
@settings(max_examples=300)
def test_parse_reasoning_accepts_only_the_four_tags_in_order(pieces: list[str]) -> None:
    tags = [piece for piece in pieces if len(piece) > 1]
    outside = "".join(pieces[: pieces.index("<think>")]) if "<think>" in pieces else "a"
    if tags == PIECES[:4]:
        between = pieces[pieces.index("</think>") + 1 : pieces.index("<answer>")]
        outside += "".join([*between, *pieces[pieces.index("</answer>") + 1 :]])
        assert (parse_reasoning("".join(pieces)) is not None) == (not outside.strip())
    else:
        assert parse_reasoning("".join(pieces)) is None


def test_parse_reasoning_rejects_a_huge_text_quickly() -> None:
    assert parse_reasoning("<think>" * 10**6) is None


@given(st.lists(st.sampled_from(["4", "5", "6", None]), max_size=9))
@settings(max_examples=100)
def test_self_consistency_vote_needs_a_plurality(answers: list[str | None]) -> None:
    winner = self_consistency_vote(answers)
    counts = sorted((answers.count(answer), answer) for answer in {*answers} - {None})
    if winner is None:
        assert not counts or (len(counts) > 1 and counts[-1][0] == counts[-2][0])
    else:
        assert all(answers.count(winner) > count for count, answer in counts if answer != winner)


def test_self_consistency_vote_beats_a_single_answer() -> None:
    """A model that is right with probability 0.5 and wrong in four ways is right nearly always when 25 answers vote."""
    import random

    draw = random.Random(0)
    votes = [[draw.choice(["right"] * 4 + list("abcd")) for _ in range(25)] for _ in range(200)]
    assert sum(self_consistency_vote(vote) == "right" for vote in votes) > 190


@given(st.sampled_from(sorted(TOOLS)), st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
@settings(max_examples=60)
def test_execute_runs_a_parsed_call(name: str, a: int, b: int) -> None:
    text = f"Let me see. <tool_call>{json.dumps({'name': name, 'arguments': {'a': a, 'b': b}})}</tool_call>"
    call = parse_tool_call(text)
    assert call == ToolCall(name, {"a": a, "b": b})
    if name == "divide" and b == 0:
        with pytest.raises(ValueError, match="zero"):
            execute(call, TOOLS)
    else:
        expected = {"add": a + b, "subtract": a - b, "multiply": a * b, "divide": b and a // b}
        assert execute(call, TOOLS) == expected[name]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "truncated"),
        ("add(1, 2)", "malformed"),
        ('{"name": "add"}', "arguments"),
        ('{"name": "add", "arguments": {"a": 1, "b": "2"}}', "Expected `int`"),
        ('{"name": "add", "arguments": {"a": 1, "b": true}}', "Expected `int`"),
        ('{"name": "add", "arguments": {"a": 1}}', "needs the arguments a, b"),
        ('{"name": "add", "arguments": {"a": 1, "b": 2, "c": 3}}', "needs the arguments a, b"),
        ('{"name": "__import__", "arguments": {}}', "no tool '__import__'; there are add, divide"),
        ('{"name": "add", "arguments": {"a": 1, "b": 2}, "code": "exit()"}', "unknown field"),
        ('{"name": "multiply", "arguments": {"a": 1, "b": 9999999999999}}', "at most"),
        ("[" * 1900, "Expected `object`"),
        ("9" * 3000, "2000 characters"),
    ],
)
def test_parse_tool_call_and_execute_name_what_is_wrong(content: str, message: str) -> None:
    def parse_and_execute(text: str) -> int:
        call = parse_tool_call(text)
        assert call is not None
        return execute(call, TOOLS)

    with pytest.raises(ValueError, match=message):
        parse_and_execute(f"<tool_call>{content}</tool_call>")


def test_parse_tool_call_without_tags_is_none() -> None:
    """An opening tag without a closing one is an error."""
    assert parse_tool_call("The answer is 4.") is None
    with pytest.raises(ValueError, match="without </tool_call>"):
        parse_tool_call('<tool_call>{"name"')


def test_answer_with_tools_reports_errors_and_stops() -> None:
    script = iter(
        [
            '<tool_call>{"name": "sum", "arguments": {"a": 2, "b": 3}}</tool_call>',
            '<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>',
            "5",
        ]
    )
    messages = answer_with_tools(lambda _: next(script), "2 plus 3?")
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert messages[2]["content"].startswith("<tool_response>error: there is no tool 'sum'")
    assert messages[4]["content"] == "<tool_response>5</tool_response>"
    forever = answer_with_tools(
        lambda _: '<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>', "?", max_calls=2
    )
    assert sum(message["role"] == "tool" for message in forever) == 3


def test_tool_examples_are_correct_and_compliant() -> None:
    conversations = tool_examples(20, seed=1)
    assert conversations == tool_examples(20, seed=1)
    assert len(conversations) == 20
    for question, call, result, answer in conversations:
        a, word, b = question["content"].rstrip("?").split()
        assert int(answer["content"]) == {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}[word](
            int(a), int(b)
        )
        assert answer["content"] in result["content"]
        assert compliance([call["content"]]) == {"reasoning": 0, "well_formed_call": 1, "executable_call": 1}


def test_compliance_counts_shares() -> None:
    texts = [
        "<think>2 and 2</think><answer>4</answer>",
        '<tool_call>{"name": "pow", "arguments": {"a": 2, "b": 3}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>',
        "<tool_call>add</tool_call>",
    ]
    assert compliance(texts) == {"reasoning": 0.25, "well_formed_call": 0.5, "executable_call": 0.25}
    with pytest.raises(ValueError, match="no texts"):
        compliance([])


def test_parse_reads_no_further_than_the_longest_text() -> None:
    longest = "a" * LONGEST_TEXT
    assert parse_reasoning(f"<think>{longest}</think><answer>4</answer>") is None
    assert parse_tool_call(f'{longest}<tool_call>{{"name": "add", "arguments": {{}}}}</tool_call>') is None
    with pytest.raises(ValueError, match="without </tool_call>"):
        parse_tool_call(f"<tool_call>{longest}</tool_call>")
