"""The oracle says what is wrong, and names a misconception only when it is the only one left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.client.student import Student
from autograde.testing import Mismatch, Oracle, diagnosis
from autograde.testing.decoys import DECOYS, make_misconception_decoy
from autograde.testing.trial import Trial, run_trial


def mean_square(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(-1)


@pytest.fixture(autouse=True)
def fresh_evidence() -> Iterator[None]:
    with run_trial(Trial()):
        yield


def summed(x: torch.Tensor) -> torch.Tensor:
    """You sum."""
    return x.square().sum(-1)


@pytest.fixture
def oracle() -> Oracle:
    made = Oracle(mean_square)
    made.misconception(summed)

    @made.misconception
    def divides_by_two(x: torch.Tensor) -> torch.Tensor:
        """You divide by two."""
        return x.square().sum(-1) / 2

    return made


def mismatch(oracle: Oracle, got: object, *args: torch.Tensor) -> Mismatch:
    with pytest.raises(Mismatch) as caught:
        oracle.compare(got, *args)
    caught.value.recognise()
    return caught.value


def test_diagnosis_names_the_one_misconception_that_explains_the_answer(oracle: Oracle) -> None:
    found = mismatch(oracle, torch.tensor(14.0), torch.tensor([1.0, 2.0, 3.0]))
    assert (found.misconception, found.hint) == ("summed", "You sum.")


def test_diagnosis_names_none_of_two_misconceptions(oracle: Oracle) -> None:
    @oracle.misconception
    def summed_too(x: torch.Tensor) -> torch.Tensor:
        """You sum in another way."""
        return (x * x).sum(-1)

    found = mismatch(oracle, torch.tensor(14.0), torch.tensor([1.0, 2.0, 3.0]))
    assert (found.misconception, found.undecided) == ("", ["summed", "summed_too"])


def test_diagnosis_accepted_answer_rules_out_a_misconception(oracle: Oracle) -> None:
    oracle.compare(torch.tensor(2.5), torch.tensor([1.0, 2.0]))  # divides_by_two agrees with this, `summed` does not
    assert mismatch(oracle, torch.tensor(14.0), torch.tensor([1.0, 2.0, 3.0])).misconception == ""


def test_diagnosis_tries_a_misconception_once_per_answer() -> None:
    oracle, tried = Oracle(mean_square), []

    @oracle.misconception
    def summed(x: torch.Tensor) -> torch.Tensor:
        """You sum."""
        tried.append(x)
        return x.square().sum(-1)

    oracle.compare(torch.tensor(9.0), torch.tensor([3.0]))  # the idea agrees with this
    for got, x in ((5.0, [1.0, 2.0]), (14.0, [1.0, 2.0, 3.0])):
        assert mismatch(oracle, torch.tensor(got), torch.tensor(x)).misconception == "summed"
    assert len(tried) == 3


FORMULAS = [mean_square, lambda x: x.square().sum(-1), lambda x: x.square().sum(-1) / 2]


@given(st.lists(st.tuples(st.sampled_from(FORMULAS), st.integers(1, 3), st.booleans()), min_size=1, max_size=9))
def test_diagnosis_memory_changes_no_later_diagnosis(
    answers: list[tuple[diagnosis.Misconception, int, bool]],
) -> None:
    remembering = diagnosis.Evidence()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "MAX_OBSERVATIONS", 3)
        for formula, width, taken_back in answers:
            x = torch.arange(1.0, width + 1)
            remembering.add(
                "f",
                diagnosis.Observation(lambda misconception: misconception, (x,), {}, [formula(x)], [torch.zeros(())]),
            )
            fresh = diagnosis.Evidence(list(remembering.observations))
            assert remembering.find_explanations("f", FORMULAS, {}) == fresh.find_explanations("f", FORMULAS, {})
            if taken_back:
                remembering.truncate(len(remembering.observations) - 1)


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ({("a", "b"): 2}, "the result lacks the key ('b', 'c') and 1 more"),
        (
            {("a", "b"): 2, ("b", "c"): 1, "cd": 3, ("c", "d"): 3},
            "the result has the key 'cd', which should not be there",
        ),
        ([("a", "b")], "the result must be a dict with the keys"),
        ({("c", "d"): 3, ("b", "c"): 1, ("a", "b"): 1}, "the result[('a', 'b')] is wrong"),
    ],
)
def test_oracle_names_the_keys_of_a_wrong_dict(got: object, said: str) -> None:
    counts = Oracle(lambda: {("a", "b"): 2, ("b", "c"): 1, ("c", "d"): 3})
    assert mismatch(counts, got).reason.startswith(said)


def count(text: str) -> dict[str, int]:
    return {letter: text.count(letter) for letter in dict.fromkeys(text)}


def test_oracle_ignores_the_order_of_a_dict() -> None:
    counts = Oracle(count)

    @counts.misconception
    def counts_twice(text: str) -> dict[str, int]:
        """You count twice."""
        return {letter: 2 * text.count(letter) for letter in reversed(text)}

    counts.compare({"c": 1, "b": 2, "a": 3}, "abcaab")
    found = mismatch(Oracle(count), {"c": 2, "a": 6, "b": 4}, "abcaab")
    assert found.reason == "the result['a'] is wrong"
    with run_trial(Trial()):
        assert mismatch(counts, {"c": 2, "a": 6, "b": 4}, "abcaab").misconception == "counts_twice"


def test_oracle_number_beyond_any_dtype_is_a_wrong_answer() -> None:
    lengths = Oracle(len)
    lengths.misconception(summed)

    @lengths.misconception
    def cubes(text: str) -> int:
        """You cube."""
        return int(10 ** (30 * len(text)))

    assert mismatch(lengths, 10**90, "abc").misconception == "cubes"
    assert mismatch(lengths, 10**91, "abc").misconception == ""
    assert mismatch(lengths, 5, "abc").misconception == ""


def test_diagnosis_random_number_is_no_misconception(oracle: Oracle) -> None:
    found = mismatch(oracle, torch.tensor(99.0), torch.tensor([1.0, 2.0, 3.0]))
    assert (found.misconception, found.hint) == ("", "")
    assert found.got == "got 99"


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (None, "None (is a `return` missing?)"),
        (torch.ones(3), "must have shape (2,), but yours has (3,)"),
        (torch.ones(2).double(), "must be torch.float32, but yours is torch.float64"),
        ([1.0, 1.0], "must be a tensor, not a list of 2"),
        (torch.tensor([1.0, 9.0]), "1 of 2 values wrong, the worst at index (1,)"),
    ],
)
def test_oracle_compares_kind_then_shape_then_dtype_then_values(oracle: Oracle, got: object, said: str) -> None:
    assert said in mismatch(oracle, got, torch.ones(2, 3)).reason


def test_decoys_are_all_noticed(oracle: Oracle) -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    for decoy in DECOYS.values():
        with run_trial(Trial(decoy=decoy)):
            mismatch(oracle, mean_square(x), x)
    oracle.compare(mean_square(x), x)


def test_misconception_needs_a_hint(oracle: Oracle) -> None:
    with pytest.raises(ValueError, match="hint"):
        oracle.misconception(lambda x: x)


def test_diagnosis_recognises_a_longer_list() -> None:
    oracle = Oracle(lambda n: list(range(n)))
    oracle.misconception(one_too_many)
    with pytest.raises(Mismatch) as wrong:
        oracle.compare(list(range(4)), 3)
    wrong.value.recognise()
    assert wrong.value.misconception == "one_too_many"


def one_too_many(n: int) -> list[int]:
    """You count one too far."""
    return list(range(n + 1))


def test_misconception_program_answers_as_its_formula(oracle: Oracle) -> None:
    """And is right where the formula has no answer."""

    def square_of_pairs(x: torch.Tensor) -> torch.Tensor:
        """You square pairs only."""
        first, second = x.unbind(-1)
        return first * second

    oracle.misconception(square_of_pairs)
    with run_trial(Trial(decoy=make_misconception_decoy("square_of_pairs"))):
        pairs, triples = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0, 3.0]])
        oracle.compare(mean_square(triples), triples)
        mismatch(oracle, mean_square(pairs), pairs)


def test_oracle_distinguishes_functions_among_inputs() -> None:
    """Also when one is gone, with the submission that was asked about it, and the next one has its place in memory."""
    oracle = Oracle(lambda x, f: f(x))
    for number in range(20):
        with run_trial(Trial()):
            oracle.compare(torch.full((2,), float(number)), torch.ones(2), lambda x, factor=number: x * factor)


def test_diagnosis_ignores_answers_seen_by_another_oracle() -> None:
    """Also when a check makes its oracle for each example, and the next one has the place in memory of the last."""
    for _ in range(20):
        made = Oracle(mean_square)
        made.misconception(summed)
        made.compare(torch.tensor(1.0), torch.tensor([1.0]))  # summing does the same here
        made.compare(torch.tensor(2.5), torch.tensor([1.0, 2.0]))  # and not here
        del made
        fresh = Oracle(mean_square)
        fresh.misconception(summed)
        assert mismatch(fresh, torch.tensor(14.0), torch.tensor([1.0, 2.0, 3.0])).misconception == "summed"


@pytest.mark.parametrize("kwargs", [{"x": torch.ones(2)}, {}])
def test_oracle_compare_gradients_refuses_what_it_would_not_compare(
    oracle: Oracle, kwargs: dict[str, torch.Tensor]
) -> None:
    """A keyword tensor, or no tensor at all, would pass unseen."""
    with pytest.raises(TypeError, match="by position"):
        oracle.compare_gradients(lambda x: x, **kwargs)  # refused before anything is asked


def test_oracle_compare_gradients_holds_keyword_tensors_constant(student_of: Callable[..., Student]) -> None:
    """A check that asks for the gradient of one input only passes the others by keyword."""
    student = student_of("def half_detached(x, by):\n    return x * by.detach()\n")
    oracle = Oracle(lambda x, by: x * by)
    x, by = torch.ones(3), torch.arange(3.0)
    oracle.compare_gradients(student.half_detached, x, by=by)
    with pytest.raises(Mismatch, match="no gradient reaches `by`"):
        oracle.compare_gradients(student.half_detached, x, by)
