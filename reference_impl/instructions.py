"""Instructions whose answers can be scored: small tasks on lists of words, written by code.

In the manner of Self-Instruct (Wang et al., 2023) with rules for a teacher: an answer is right or it is not, so that
supervised finetuning, a reward model and alignment all have a measure that nobody can argue with. Training and
validation never share a list of words, in any task.
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
        """The conversation in which it is answered."""
        return [{"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer}]


class Task(NamedTuple):
    """What is asked, of which things, and how the answer follows from them."""

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
    """`count` different instructions on lists of up to `longest` things; a fifth of all lists is for validation only.

    Raises ValueError for an unknown task, and where there are not so many.
    """
    if unknown := set(tasks) - set(TASKS):
        raise ValueError(f"there is no task {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    draw = random.Random(f"{seed} {validation}")
    found: dict[str, Instruction] = {}
    for _ in range(50 * count):
        task = draw.choice(sorted(tasks))
        things = draw.sample(TASKS[task].things, draw.randint(1, longest))
        if _for_validation(things) == validation:
            question = f"{TASKS[task].request} {' '.join(things)}"
            found[question] = Instruction(task, question, TASKS[task].answer(things))
        if len(found) == count:
            return list(found.values())
    raise ValueError(f"{len(found)} different instructions were found, {count} were asked for: allow longer lists")


def score(response: str, answer: str) -> float:
    """1 for the answer; else half the share of its words that stand at their place, out of the longer one's."""
    if response.strip() == answer:
        return 1.0
    given, wanted = response.split(), answer.split()
    right = sum(one == other for one, other in zip(given, wanted, strict=False))
    return 0.5 * right / max(len(given), len(wanted))


def accuracy(responses: Sequence[str], asked: Sequence[Instruction]) -> dict[str, float]:
    """The share of right responses: of all, under "all", and of each task that was asked."""
    right = [(one.task, score(response, one.answer) == 1) for response, one in zip(responses, asked, strict=True)]
    tasks = sorted({task for task, _ in right})
    shares = {name: [hit for task, hit in right if name in ("all", task)] for name in ["all", *tasks]}
    return {name: sum(hits) / len(hits) for name, hits in shares.items()}


def wrong_answer(instruction: Instruction, draw: random.Random) -> str:
    """An answer of the kind that was asked for, with one mistake in it: a wrong word, one too few or one too many.

    All three, or else what is learned from the mistakes is only that a longer answer is better, or a shorter one.
    """
    words = instruction.answer.split()
    place = draw.randrange(len(words))
    if words[0].isdigit():
        others: Sequence[str] = [str(number) for number in range(28)]
    else:
        others = [word.upper() for word in WORDS] if words[0].isupper() else WORDS
    before, behind = words[:place], words[place + 1 :]
    other = draw.choice([other for other in others if other != words[place]])
    replaced, longer = [*before, other, *behind], [*before, words[place], other, *behind]
    shorter = [*before, *behind] or replaced
    return " ".join(draw.choice([replaced, shorter, longer]))


def _for_validation(things: Sequence[str]) -> bool:
    return zlib.crc32(" ".join(sorted(things)).encode()) % 5 == 0
