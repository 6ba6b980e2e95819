"""Synthetic instructions: correct by an independent rule, distinct, and never in both parts of the split."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.finetuning.instructions import TASKS, Instruction, accuracy, instructions, score, wrong_answer

EXPECTED = {
    "repeat": lambda things: " ".join(things),
    "first": lambda things: things[0],
    "last": lambda things: things[-1],
    "uppercase": lambda things: " ".join(thing.upper() for thing in things),
    "count": lambda things: str(len(things)),
    "add": lambda things: str(sum(int(thing) for thing in things)),
    "shout": lambda things: " ".join(things) + "!",
}


def read_things(instruction: Instruction) -> list[str]:
    return instruction.question.partition(": ")[2].split()


def test_instructions_answers_follow_from_questions() -> None:
    sample = instructions(400)
    assert {one.task for one in sample} == set(TASKS)
    assert len({one.question for one in sample}) == 400
    assert all(one.answer == EXPECTED[one.task](read_things(one)) for one in sample)
    assert sample == instructions(400)
    assert sample != instructions(400, seed=1)


def test_instructions_split_shares_no_list() -> None:
    """No list of words is in both training and validation, in any order."""
    training, validation = instructions(2000), instructions(300, validation=True, seed=3)
    seen = {frozenset(read_things(one)) for one in training}
    assert not seen & {frozenset(read_things(one)) for one in validation}
    assert {one.task for one in validation} == set(TASKS)


def test_instructions_rejects_unknown_tasks_and_impossible_counts() -> None:
    with pytest.raises(ValueError, match="no task sum; there are repeat"):
        instructions(1, tasks=["sum"])
    with pytest.raises(ValueError, match="different instructions were found, 100 were requested"):
        instructions(100, tasks=["add"], longest=1)


@given(st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_score_is_one_for_the_answer_only(seed: int) -> None:
    for one in instructions(12, seed=seed):
        assert score(f" {one.answer}\n", one.answer) == 1
        wrong = wrong_answer(one, random.Random(seed))
        assert wrong != one.answer
        assert 0 <= score(wrong, one.answer) <= 0.5


def test_score_counts_words_at_the_right_position() -> None:
    assert score("cat tea", "cat day tea") == pytest.approx(0.5 / 3)
    assert score("cat day", "cat day tea") == pytest.approx(1 / 3)
    assert score("cat day tea tea", "cat day tea") == pytest.approx(0.5 * 3 / 4)
    assert score("", "cat") == 0
    assert score("cat", "CAT") == 0


def test_accuracy_reports_each_task() -> None:
    questions = [
        Instruction("add", "Add: 1 2", "3"),
        Instruction("add", "Add: 1 3", "4"),
        Instruction("count", "?", "1"),
    ]
    assert accuracy(["3", "5", "1"], questions) == {"all": pytest.approx(2 / 3), "add": 0.5, "count": 1.0}
