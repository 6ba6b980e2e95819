"""Synthetic instructions: right by their own rule, different, and never on both sides of the split."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.instructions import TASKS, Instruction, accuracy, instructions, score, wrong_answer

EXPECTED = {
    "repeat": lambda things: " ".join(things),
    "first": lambda things: things[0],
    "last": lambda things: things[-1],
    "uppercase": lambda things: " ".join(thing.upper() for thing in things),
    "count": lambda things: str(len(things)),
    "add": lambda things: str(sum(int(thing) for thing in things)),
    "shout": lambda things: " ".join(things) + "!",
}


def things_of(instruction: Instruction) -> list[str]:
    return instruction.question.partition(": ")[2].split()


def test_answers_follow_from_questions() -> None:
    drawn = instructions(400)
    assert {one.task for one in drawn} == set(TASKS)
    assert len({one.question for one in drawn}) == 400
    assert all(one.answer == EXPECTED[one.task](things_of(one)) for one in drawn)
    assert drawn == instructions(400)
    assert drawn != instructions(400, seed=1)


def test_no_list_is_on_both_sides_in_any_order() -> None:
    training, validation = instructions(2000), instructions(300, validation=True, seed=3)
    seen = {frozenset(things_of(one)) for one in training}
    assert not seen & {frozenset(things_of(one)) for one in validation}
    assert {one.task for one in validation} == set(TASKS)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="no task sum; there are repeat"):
        instructions(1, tasks=["sum"])
    with pytest.raises(ValueError, match="10 different instructions were found|different instructions were found, 100"):
        instructions(100, tasks=["add"], longest=1)


@given(st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_only_the_answer_scores_one(seed: int) -> None:
    for one in instructions(12, seed=seed):
        assert score(f" {one.answer}\n", one.answer) == 1
        wrong = wrong_answer(one, random.Random(seed))
        assert wrong != one.answer
        assert 0 <= score(wrong, one.answer) <= 0.5


def test_partial_answers_score_by_the_words_at_their_place() -> None:
    assert score("cat tea", "cat day tea") == pytest.approx(0.5 / 3)
    assert score("cat day", "cat day tea") == pytest.approx(1 / 3)
    assert score("cat day tea tea", "cat day tea") == pytest.approx(0.5 * 3 / 4)
    assert score("", "cat") == 0
    assert score("cat", "CAT") == 0


def test_accuracy_is_told_for_each_task() -> None:
    asked = [Instruction("add", "Add: 1 2", "3"), Instruction("add", "Add: 1 3", "4"), Instruction("count", "?", "1")]
    assert accuracy(["3", "5", "1"], asked) == {"all": pytest.approx(2 / 3), "add": 0.5, "count": 1.0}
