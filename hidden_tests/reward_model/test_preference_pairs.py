"""Hidden checks for the exercise `preference_pairs`: from rated responses to pairs (chosen, rejected)."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect
from reference_impl.alignment.reward_model import preference_pairs


def flat(pairs):
    """All pairs as one row of numbers, with -1 behind each chosen and -2 behind each rejected text."""
    return torch.tensor([token for chosen, rejected in pairs for token in (*chosen, -1, *rejected, -2)])


def flat_pairs(prompt, responses, ratings):
    return flat(preference_pairs(prompt, responses, ratings))


oracle = Oracle(flat_pairs)


@st.composite
def rated(draw, ratings):
    """(prompt, responses, ratings); each response is known by its first token, and all but the first may be missing."""
    found = draw(ratings)
    prompt = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    return prompt, [[20 + index] * draw(st.integers(1, 3)) for index in range(len(found))], found


def is_list_of_tokens(text):
    return isinstance(text, (list, tuple)) and all(type(token) is int and abs(token) < 2**31 for token in text)


def judge(student, inputs):
    pairs = student.preference_pairs(*inputs)
    fits = isinstance(pairs, list) and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs)
    fits = fits and all(is_list_of_tokens(text) for pair in pairs for text in pair)
    expect(fits, "the result is not a list of pairs of lists of tokens", "Return [(chosen, rejected), ...].")
    shown = f"got {pairs}"[:400], f"expected {preference_pairs(*inputs)}"
    oracle.compare(flat(pairs), *inputs, reason="these are not the pairs that the ratings give", shown=shown)


different = st.permutations([-1.5, 0.5, 2.0, 4.0]).flatmap(lambda all_: st.integers(2, 4).map(lambda n: all_[:n]))
tied = st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=5)


@check(points=2, examples=15)
@given(rated(different))
def test_pairs(student, inputs):
    """every two responses make one pair, the better one first, both behind the prompt"""
    judge(student, inputs)


@check(points=1, after=test_pairs, examples=12)
@given(rated(tied))
def test_ties(student, inputs):
    """equal ratings make no pair; one response alone makes none either"""
    judge(student, inputs)


def made(prompt, responses, indices):
    return flat([(prompt + responses[i], prompt + responses[j]) for i, j in indices])


def ordered(ratings):
    n = range(len(ratings))
    return [(i, j) for i in n for j in n if ratings[i] > ratings[j]]


@oracle.misconception
def pairs_swapped(prompt, responses, ratings):
    """You put the worse response first. A pair is (chosen, rejected), and a higher rating is better."""
    return flat([(rejected, chosen) for chosen, rejected in preference_pairs(prompt, responses, ratings)])


@oracle.misconception
def lower_is_better(prompt, responses, ratings):
    """You take the lower rating for the better one. A higher rating is better."""
    return flat_pairs(prompt, responses, [-rating for rating in ratings])


@oracle.misconception
def prompt_left_out(prompt, responses, ratings):
    """You leave the prompt out. Whether a response is good depends on what was asked."""
    return flat_pairs([], responses, ratings)


@oracle.misconception
def prompt_behind(prompt, responses, ratings):
    """You put the prompt behind the response. It comes first, as the model will read it."""
    return flat([(responses[i] + prompt, responses[j] + prompt) for i, j in ordered(ratings)])


@oracle.misconception
def best_against_rest(prompt, responses, ratings):
    """You pair only the best response with the others. Every two responses are a comparison: K(K - 1)/2 of them."""
    best = ratings.index(max(ratings))
    return made(prompt, responses, [(best, j) for j in range(len(ratings)) if ratings[best] > ratings[j]])


@oracle.misconception
def best_against_worst(prompt, responses, ratings):
    """You pair only the best response with the worst. Every two responses are a comparison: K(K - 1)/2 of them."""
    best, worst = ratings.index(max(ratings)), ratings.index(min(ratings))
    return made(prompt, responses, [(best, worst)] if ratings[best] > ratings[worst] else [])


@oracle.misconception
def neighbours_only(prompt, responses, ratings):
    """You pair only responses next to each other in the ranking. Every two responses are a comparison."""
    order = sorted(range(len(ratings)), key=lambda i: -ratings[i])
    return made(prompt, responses, [(i, j) for i, j in zip(order, order[1:], strict=False) if ratings[i] > ratings[j]])


@oracle.misconception
def assumes_sorted(prompt, responses, ratings):
    """You compare a response only with those behind it and drop the pairs in which the later one is better."""
    return made(prompt, responses, [(i, j) for i, j in ordered(ratings) if i < j])


@oracle.misconception
def order_of_pairs(prompt, responses, ratings):
    """The pairs are right, but not their order: by the index of the chosen response, then of the rejected one."""
    indices = [(i, j) if ratings[i] > ratings[j] else (j, i) for i in range(len(ratings)) for j in range(i)]
    return made(prompt, responses, sorted(indices, key=lambda pair: (max(pair), min(pair))))


@oracle.misconception
def ties_make_pairs(prompt, responses, ratings):
    """You make pairs of equally rated responses. Neither is better, so they would teach noise: leave them out."""
    n = range(len(ratings))
    return made(prompt, responses, [(i, j) for i in n for j in n if i != j and ratings[i] >= ratings[j]])


@oracle.misconception
def ties_favour_the_first(prompt, responses, ratings):
    """Of two equally rated responses you prefer the first. Neither is better: leave the pair out."""
    n = range(len(ratings))
    wins = [(i, j) for i in n for j in n if ratings[i] > ratings[j] or (ratings[i] == ratings[j] and i < j)]
    return made(prompt, responses, wins)
