"""Synthetic instructions with verifiable answers: small tasks on lists of words.

In the manner of Self-Instruct (Wang et al., 2023), with rules instead of a teacher model: an answer is right or wrong,
which gives supervised finetuning, reward modelling and alignment an objective metric. Training and validation never
share a list of words, in any task.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

__all__ = ["TASKS", "Instruction", "accuracy", "instructions", "score", "wrong_answer"]

WORDS = (
    "book bottle box butter cat child court day door face fan foot garden glass hand head house key mouse pig pool "
    "room sea side table tail tea tree voice word"
).split()
DIGITS = "0123456789"


class Instruction(NamedTuple):
    """A question of one of `TASKS`, and its answer."""

    task: str
    question: str
    answer: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The question and its answer as a conversation."""
        return [{"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer}]


class Task(NamedTuple):
    """The request, the words or digits it is about, and the rule that gives the answer."""

    request: str
    things: Sequence[str]
    answer: Callable[[Sequence[str]], str]


TASKS = {
    "repeat": Task("Repeat:", WORDS, lambda words: " ".join(words)),
    "first": Task("First word:", WORDS, lambda words: words[0]),
    "last": Task("Last word:", WORDS, lambda words: words[-1]),
    "uppercase": Task("Upper case:", WORDS, lambda words: " ".join(words).upper()),
    "count": Task("Count:", WORDS, lambda words: str(len(words))),
    "add": Task("Add:", DIGITS, lambda digits: str(sum(map(int, digits)))),
    "shout": Task("Shout:", WORDS, lambda words: " ".join(words) + "!"),
}


def instructions(
    count: int, *, validation: bool = False, tasks: Collection[str] = tuple(TASKS), longest: int = 3, seed: int = 0
) -> list[Instruction]:
    """`count` different instructions on lists of up to `longest` things; a fifth of all lists is only for validation.

    Raises ValueError for an unknown task, and if there are fewer than `count`.
    """
    if unknown := set(tasks) - set(TASKS):
        raise ValueError(f"there is no task {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    draw = random.Random(f"{seed} {validation}")
    distinct: dict[str, Instruction] = {}
    for _ in range(50 * count):
        task = draw.choice(sorted(tasks))
        things = draw.sample(TASKS[task].things, draw.randint(1, longest))
        if _for_validation(things) == validation:
            question = f"{TASKS[task].request} {' '.join(things)}"
            distinct[question] = Instruction(task, question, TASKS[task].answer(things))
        if len(distinct) == count:
            return list(distinct.values())
    raise ValueError(
        f"only {len(distinct)} different instructions were found, {count} were requested: allow longer lists"
    )


def score(response: str, answer: str) -> float:
    """1 for the exact answer; else half the share of words at the right position, relative to the longer text."""
    if response.strip() == answer:
        return 1.0
    got, expected = response.split(), answer.split()
    right = sum(word == other for word, other in zip(got, expected, strict=False))
    return 0.5 * right / max(len(got), len(expected))


def accuracy(responses: Sequence[str], questions: Sequence[Instruction]) -> dict[str, float]:
    """The share of correct responses: over all questions, as "all", and for each task that occurs."""
    right = [(one.task, score(response, one.answer) == 1) for response, one in zip(responses, questions, strict=True)]
    tasks = sorted({task for task, _ in right})
    shares = {name: [hit for task, hit in right if name in ("all", task)] for name in ["all", *tasks]}
    return {name: sum(hits) / len(hits) for name, hits in shares.items()}


def wrong_answer(instruction: Instruction, draw: random.Random) -> str:
    """The answer with one mistake: a word replaced, removed or added.

    All three kinds occur, because otherwise a reward model would learn only to prefer longer or shorter answers.
    """
    words = instruction.answer.split()
    index = draw.randrange(len(words))
    if words[0].isdigit():
        others: Sequence[str] = [str(number) for number in range(28)]
    else:
        others = [word.upper() for word in WORDS] if words[0].isupper() else WORDS
    before, after = words[:index], words[index + 1 :]
    other = draw.choice([other for other in others if other != words[index]])
    replaced, longer = [*before, other, *after], [*before, words[index], other, *after]
    shorter = [*before, *after] or replaced
    return " ".join(draw.choice([replaced, shorter, longer]))


def _for_validation(things: Sequence[str]) -> bool:
    return zlib.crc32(" ".join(sorted(things)).encode()) % 5 == 0
