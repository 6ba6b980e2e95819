"""Hidden checks for the exercise `curriculum_stages`: easy examples first, harder ones let in stage by stage."""

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.finetuning.sft import IGNORE, curriculum_stages

oracle = Oracle(curriculum_stages)


@st.composite
def examples(draw, counts):
    """Pairs (ids, labels) with these numbers of targets, behind prompts of any length."""
    made = []
    for targets in draw(counts):
        prompt = draw(st.integers(0, 6))
        ids = [3] * prompt + list(range(10, 10 + targets))
        made.append((ids, [IGNORE] * prompt + ids[prompt:]))
    return made


different = st.lists(st.integers(1, 9), min_size=3, max_size=7, unique=True)
tied = st.lists(st.integers(0, 2), min_size=4, max_size=7)


@check(points=2, examples=15)
@given(examples(different), st.integers(1, 4))
def test_stages(student, examples, n_stages):
    """stage s holds the easiest ceil(s·n/k) examples, and the number of targets is the difficulty"""
    oracle.compare(student.curriculum_stages(examples, n_stages), examples, n_stages)


@check(points=1, after=test_stages, examples=10)
@given(examples(tied), st.integers(1, 9))
def test_ties(student, examples, n_stages):
    """equally difficult examples keep their order; there may be more stages than examples"""
    oracle.compare(student.curriculum_stages(examples, n_stages), examples, n_stages)


def ordered(examples, key):
    return sorted(range(len(examples)), key=key)


def targets(example):
    return sum(label != IGNORE for label in example[1])


def cut(order, n_stages):
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(1, n_stages + 1)]


@oracle.misconception
def hardest_first(examples, n_stages):
    """You begin with the hardest examples. Sort in ascending order."""
    return cut(ordered(examples, lambda index: -targets(examples[index])), n_stages)


@oracle.misconception
def prompt_counts(examples, n_stages):
    """You sort by the length of the whole example. Only targets count, those whose label is not -100."""
    return cut(ordered(examples, lambda index: len(examples[index][0])), n_stages)


@oracle.misconception
def sorted_by_prompt(examples, n_stages):
    """You count the labels that are -100. Count the others: they are what is to be learned."""
    return cut(ordered(examples, lambda index: len(examples[index][0]) - targets(examples[index])), n_stages)


@oracle.misconception
def not_sorted(examples, n_stages):
    """You keep the given order. Sort the indices by the number of targets."""
    return cut(list(range(len(examples))), n_stages)


@oracle.misconception
def easy_ones_dropped(examples, n_stages):
    """Each stage holds only what is new. The easy examples stay: stage s holds all of the easiest."""
    stages = curriculum_stages(examples, n_stages)
    return [stage[len(before) :] for before, stage in zip([[], *stages], stages, strict=False)]


@oracle.misconception
def rounds_down(examples, n_stages):
    """You round the size of a stage down. Round up, so that no stage is without examples."""
    order = curriculum_stages(examples, 1)[0]
    return [order[: stage * len(order) // n_stages] for stage in range(1, n_stages + 1)]


@oracle.misconception
def starts_at_stage_zero(examples, n_stages):
    """Your stages are one step behind: the first is empty and the last is not whole. Count s from 1 to n_stages."""
    order = curriculum_stages(examples, 1)[0]
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(n_stages)]


@oracle.misconception
def counts_instead_of_indices(examples, n_stages):
    """You return the numbers of targets. Return the indices of the examples."""
    return cut(sorted(map(targets, examples)), n_stages)


@oracle.misconception
def ties_reversed(examples, n_stages):
    """You reverse the order of equally difficult examples. Sort with a key only; `sorted` keeps ties as they are."""
    return cut(ordered(examples, lambda index: (targets(examples[index]), -index)), n_stages)


@oracle.misconception
def ties_by_length(examples, n_stages):
    """You order equally difficult examples by something else. They keep the order in which they were given."""
    return cut(ordered(examples, lambda index: (targets(examples[index]), len(examples[index][0]))), n_stages)
