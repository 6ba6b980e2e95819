"""Hidden checks for the exercise `evaluate`: responses against gold responses."""

import string
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.finetuning.sft import evaluate

oracle = Oracle(evaluate)
words = st.sampled_from(["moo", "cow", "four", "legs"])
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)


def pairs(text):
    """(responses, golds): some equal, some turned round, some with words too many or too few, some unlike."""
    equal = text.map(lambda one: (one, one))
    turned = text.map(lambda one: (one, " ".join(reversed(one.split()))))
    surplus = st.tuples(text, text).map(lambda two: (f"{two[0]} {two[1]}", two[0]))
    missing = surplus.map(lambda two: (two[1], two[0]))
    both = st.lists(st.one_of(surplus, missing, turned, equal, st.tuples(text, text)), min_size=2, max_size=4)
    return both.map(lambda found: tuple(map(list, zip(*found, strict=True))))


@st.composite
def untidy_pairs(draw):
    """The same with capitals, punctuation, extra spaces and articles, different ones in response and gold."""

    def dressed(text):
        forms = [draw(st.sampled_from(["{}!", "{}", "({})", "{}, ", "the {}"])).format(word) for word in text.split()]
        return draw(st.sampled_from([str.upper, str.capitalize, str]))(" ".join(forms) + " ")

    return tuple([dressed(text) for text in side] for side in draw(pairs(texts)))


@check(points=2)
@given(pairs(texts))
def test_words(student, inputs):
    """exact match and F1 are means over the pairs; F1 counts common words with repetition"""
    oracle.compare(student.evaluate(*inputs), *inputs)


@check(points=1, after=test_words, examples=15)
@given(untidy_pairs())
def test_normalisation(student, inputs):
    """capitals, punctuation and extra spaces make no difference, articles do"""
    oracle.compare(student.evaluate(*inputs), *inputs)


@check(points=1, after=test_words, examples=12)
@given(pairs(st.one_of(st.just(""), st.just("..."), texts)))
def test_empty(student, inputs):
    """two texts without words match; one without words against one with words gives 0"""
    oracle.compare(student.evaluate(*inputs), *inputs)


@check(points=1, examples=4)
@given(st.lists(texts, min_size=2, max_size=3))
def test_lengths(student, golds):
    """a response that is missing, or too many, is an error"""
    hint = "zip stops at the shorter list. Compare the lengths first, or use zip(..., strict=True)."
    for responses in (golds[:-1], [*golds, "moo"]):
        with student.raises(ValueError, hint=hint):
            student.evaluate(responses, golds)


def cleaned(text):
    return text.lower().translate(str.maketrans("", "", string.punctuation))


def overlap(response, gold):
    return (Counter(response) & Counter(gold)).total()


def f1_of(response, gold):
    if not response and not gold:
        return 1.0
    return 2 * overlap(response, gold) / (len(response) + len(gold))


def exact_of(response, gold):
    return float(response == gold)


def means(responses, golds, exact=exact_of, f1=f1_of, words=lambda text: cleaned(text).split()):
    found = [(words(one), words(other)) for one, other in zip(responses, golds, strict=True)]
    scores = {"exact_match": exact, "f1": f1}
    return {name: sum(score(*pair) for pair in found) / len(found) for name, score in scores.items()}


@oracle.misconception
def keeps_capitals(responses, golds):
    """You do not lower-case the texts, so Moo differs from moo."""
    punctuation = str.maketrans("", "", string.punctuation)
    return means(responses, golds, words=lambda text: text.translate(punctuation).split())


@oracle.misconception
def keeps_punctuation(responses, golds):
    """You keep the punctuation, so that moo! differs from moo. Delete every character of string.punctuation."""
    return means(responses, golds, words=lambda text: text.lower().split())


@oracle.misconception
def no_normalisation(responses, golds):
    """You compare the texts as they are. Lower-case them and delete the punctuation first."""
    return means(responses, golds, words=str.split)


@oracle.misconception
def deletes_articles(responses, golds):
    """You delete articles, as SQuAD's metric does. Ours keeps them."""
    return means(responses, golds, words=lambda text: [w for w in cleaned(text).split() if w not in ("a", "an", "the")])


@oracle.misconception
def exact_match_of_raw_texts(responses, golds):
    """Your exact match compares the raw texts. Compare the words: lower case, without punctuation and extra spaces."""
    raw = sum(response == gold for response, gold in zip(responses, golds, strict=True)) / len(golds)
    return evaluate(responses, golds) | {"exact_match": raw}


@oracle.misconception
def order_ignored(responses, golds):
    """Your exact match ignores the order of the words. Only F1 does that."""
    return means(responses, golds, exact=lambda response, gold: float(sorted(response) == sorted(gold)))


@oracle.misconception
def gold_contained(responses, golds):
    """Your exact match accepts a response that merely contains the gold words. All words must be equal."""
    return means(responses, golds, exact=lambda response, gold: float(" ".join(gold) in " ".join(response)))


@oracle.misconception
def f1_of_sets(responses, golds):
    """Your F1 works on sets and forgets repetitions. Count each word as often as both texts have it (Counter)."""
    return means(responses, golds, f1=lambda response, gold: f1_of(set(response), set(gold)))


@oracle.misconception
def f1_common_from_set(responses, golds):
    """You count the common words once each, but the texts with repetitions. Use Counter for the common words too."""

    def f1(response, gold):
        return 2 * len(set(response) & set(gold)) / (len(response) + len(gold)) if response or gold else 1.0

    return means(responses, golds, f1=f1)


@oracle.misconception
def precision_only(responses, golds):
    """Your F1 is the precision: common words by words of the response. F1 also asks how much of the gold is there."""
    return means(responses, golds, f1=lambda a, b: overlap(a, b) / len(a) if a else float(not b))


@oracle.misconception
def recall_only(responses, golds):
    """Your F1 is the recall: common words by words of the gold. F1 also counts what the response has too much."""
    return means(responses, golds, f1=lambda a, b: overlap(a, b) / len(b) if b else float(not a))


@oracle.misconception
def jaccard(responses, golds):
    """You divide by the words that occur in either text. F1 is twice the common words by the sum of both lengths."""
    return means(responses, golds, f1=lambda a, b: overlap(a, b) / (Counter(a) | Counter(b)).total() if a or b else 1.0)


@oracle.misconception
def factor_two_missing(responses, golds):
    """Your F1 of two equal texts is one half: the factor 2 is missing."""
    return means(responses, golds, f1=lambda a, b: f1_of(a, b) / 2 if a or b else 1.0)


@oracle.misconception
def percent(responses, golds):
    """Your scores are percentages. They are to lie between 0 and 1."""
    return {name: 100 * score for name, score in evaluate(responses, golds).items()}


@oracle.misconception
def letters_for_words(responses, golds):
    """Your F1 compares letters. It compares words: split() first."""

    def f1(response, gold):
        return f1_of(list(" ".join(response)), list(" ".join(gold)))

    return means(responses, golds, f1=f1)


@oracle.misconception
def pooled_f1(responses, golds):
    """You pool the words of all pairs into one F1. Compute one for each pair, then take the mean."""
    found = [(cleaned(one).split(), cleaned(other).split()) for one, other in zip(responses, golds, strict=True)]
    lengths = sum(len(one) + len(other) for one, other in found)
    pooled = 2 * sum(overlap(*pair) for pair in found) / lengths if lengths else 1.0
    return evaluate(responses, golds) | {"f1": pooled}


@oracle.misconception
def empty_pair_is_zero(responses, golds):
    """The F1 of two texts without words is 1: both say nothing, so they agree."""
    return means(responses, golds, f1=lambda a, b: f1_of(a, b) if a or b else 0.0)


@oracle.misconception
def empty_is_one(responses, golds):
    """Your F1 is 1 as soon as one text has no words. It is 1 only if both have none, else 0."""
    return means(responses, golds, f1=lambda a, b: f1_of(a, b) if a and b else 1.0)
