"""Hidden checks for the exercise `apply_rope`, with right `rope_frequencies` and `rotate` in place."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, contract, expect_like, tensors, through_float32
from reference_impl.model.rope import rope_frequencies, rotate

SHAPES = ((3, 3), (5,), (2, 4), (2, 3, 3), (1, 2, 4))
BASES = (500000.0, 10000.0, 100.0)
FIRST = st.just(0)


def length(x):
    return x.norm(dim=-1)


def roped(x, positions, base, frequencies):
    """apply_rope with its frequencies given, so that their rounding, times the position, is part of the tolerance."""
    return rotate(x, positions.to(frequencies.dtype)[..., None] * frequencies)


def drift(x, positions, shift, frequencies):
    """How much all scores between the vectors of x change when every position moves by `shift`: exactly not at all."""
    here, there = roped(x, positions, 0, frequencies), roped(x, positions + shift, 0, frequencies)
    return there @ there.mT - here @ here.mT


oracle = Oracle(roped, through_float32(roped))
gradients = Oracle(lambda x, positions, base: roped(x, positions, base, rope_frequencies(x.shape[-1], base)))
supplies = Supplies(rope_frequencies=rope_frequencies, rotate=rotate)
same, lengths, drifts = Oracle(lambda x: x + 0.0), Oracle(length), Oracle(drift)


@st.composite
def sequences(draw, *, dtype=torch.float32, start=FIRST, shapes=SHAPES):
    """x: (..., seq, d_head) and its positions start, start + 1, …; then a base"""
    shape, width = draw(st.sampled_from(shapes)), draw(st.sampled_from((8, 6, 2)))
    positions = draw(start) + torch.arange(shape[-1])
    return draw(tensors((*shape, width), dtype=dtype)), positions, draw(st.sampled_from(BASES))


@st.composite
def rows_at_different_places(draw):
    """positions (batch, 1, seq): each row of the batch, whatever its head, starts where its own text goes on"""
    x, positions, base = draw(sequences(shapes=((2, 3, 3), (3, 2, 4))))
    starts = torch.tensor(draw(st.lists(st.integers(0, 99), min_size=len(x), max_size=len(x))))
    return x, positions + starts[:, None, None], base


def rotated(student, x, positions, base, hint):
    def one_text():
        student.apply_rope(torch.zeros(2, 4), torch.arange(2), base)

    case = f"x of shape {tuple(x.shape)} with positions {str(positions.tolist())[:60]}"
    with student.hint(hint, plain=one_text, case=case):
        return student.apply_rope(x, positions, base)


def compare(got, x, positions, base):
    oracle.compare(got, x, positions, base, rope_frequencies(x.shape[-1], base))


LENGTHS = "Turn both features of a pair by one angle, with its cosine and its sine: cos² + sin² = 1 keeps the length."
AXES = "The tokens lie along axis -2 of x, whatever comes before it; angles of shape (seq, d_head/2) broadcast there."


@check(points=1, examples=10)
@given(sequences(start=st.integers(0, 20)), st.integers(1, 500))
def test_laws(student, inputs, shift):
    """lengths are kept, position 0 changes nothing, and scores depend on the distance only (in every convention)"""
    x, positions, base = inputs
    first = x[..., :1, :].contiguous()
    questions = ((x, positions), (x, positions + shift), (first, torch.tensor([0])))
    here, there, still = (rotated(student, *question, base, AXES) for question in questions)
    for (asked, _), result in zip(questions, (here, there, still), strict=True):
        expect_like(result, asked, hint="Every vector is rotated and keeps its place.")
    lengths.compare(length(here), x, reason="the rotated vectors have other lengths", hint=LENGTHS)
    hint = "Positions are taken as given: the angle at position 0 is 0."
    same.compare(still, first, reason="position 0 changes x", hint=hint)
    hint = "Angles must be position times frequency, with the same frequencies at every position."
    moved, frequencies = there @ there.mT - here @ here.mT, rope_frequencies(x.shape[-1], base)
    reason = "scores change when all positions move together"
    drifts.compare(moved, x, positions, shift, frequencies, reason=reason, hint=hint)


@check(points=2, examples=15)
@given(sequences())
def test_formula(student, inputs):
    """each vector is rotated by its position times the frequencies, for any leading axes, widths and bases"""
    compare(rotated(student, *inputs, AXES), *inputs)


@check(points=1, after=test_formula, examples=10)
@given(sequences(start=st.integers(1, 1000)), rows_at_different_places())
def test_positions(student, later, rows):
    """positions may start anywhere, and differ between the rows of a batch"""
    for x, positions, base in (later, rows):
        hint = "Positions may have leading axes of their own: positions[..., None] * frequencies keeps them."
        compare(rotated(student, x, positions, base, hint), x, positions, base)


@st.composite
def far_away(draw):
    dtype = draw(st.sampled_from((torch.bfloat16, torch.float16, torch.float32, torch.float64)))
    return draw(sequences(dtype=dtype, start=st.integers(2049, 100_000), shapes=((3, 5), (7,))))


@check(points=1, after=test_formula, examples=12)
@given(far_away())
def test_far_positions(student, inputs):
    """in half precision too, positions up to 100 000 are told apart, and the result has the dtype of x"""
    hint = "Compute the angles of the positions that you are given: a table ends somewhere."
    compare(rotated(student, *inputs, hint), *inputs)


@check(points=1, examples=5)
@given(sequences())
def test_inputs(student, inputs):
    """x stays as it was and may be non-contiguous, its gradient is right, and angles are made on its device"""
    contract.all_of(student.apply_rope, *inputs, like=inputs[0])
    gradients.compare_gradients(student.apply_rope, *inputs)


@oracle.misconception
def positions_from_one(x, positions, base, frequencies):
    """You count positions from 1. Take them as given: the first token stands at 0 and is not rotated."""
    return roped(x, positions + 1, base, frequencies)


@oracle.misconception
def positions_ignored(x, positions, base, frequencies):
    """You count 0, 1, 2, … yourself. Use the argument positions: in decoding, a token stands far behind the first."""
    return roped(x, torch.arange(x.shape[-2]), base, frequencies)


@oracle.misconception
def positions_from_first(x, positions, base, frequencies):
    """You use only the first position and count on, or take it for all rows. Use every entry of positions."""
    return roped(x, positions.flatten()[0] + torch.arange(x.shape[-2]), base, frequencies)


@oracle.misconception
def rotates_along_heads(x, positions, base, frequencies):
    """You count positions along axis -3. The tokens lie along axis -2, the last but one."""
    return rotate(x, (positions[..., None] * frequencies)[..., None, :])


@oracle.misconception
def base_left_out(x, positions, base, frequencies):
    """You do not pass base on to rope_frequencies, which then takes its default of 10000."""
    return roped(x, positions, 10000.0, rope_frequencies(x.shape[-1], dtype=frequencies.dtype))


@oracle.misconception
def apply_interleaved(x, positions, base, frequencies):
    """You pair neighbours, 2i with 2i + 1. Ours is half-split, i with i + d_head/2: let `rotate` do it."""
    order = torch.arange(x.shape[-1]).reshape(-1, 2).T.flatten()
    return roped(x[..., order], positions, base, frequencies)[..., order.argsort()]


@oracle.misconception
def apply_clockwise(x, positions, base, frequencies):
    """You turn clockwise. The angle is plus position times frequency; see the signs in `rotate`."""
    return roped(x, -positions, base, frequencies)


@oracle.misconception
def apply_degrees(x, positions, base, frequencies):
    """You treat the angles as degrees. Position times frequency is in radians."""
    return rotate(x, torch.deg2rad(positions[..., None] * frequencies))


@oracle.misconception
def divides_by_frequency(x, positions, base, frequencies):
    """You divide positions by the frequencies. The angle is position times frequency."""
    return rotate(x, positions[..., None] / frequencies)


@oracle.misconception
def positions_in_half(x, positions, base, frequencies):
    """You round positions to the dtype of x: bfloat16 has no odd number above 256. Compute angles in float32."""
    return rotate(x, positions.to(x.dtype)[..., None] * frequencies)


@oracle.misconception
def all_in_half(x, positions, base, frequencies):
    """You compute the angles in the dtype of x. In half precision they are far off: use float32."""
    return rotate(x, positions.to(x.dtype)[..., None] * frequencies.to(x.dtype))


@oracle.misconception
def result_stays_float32(x, positions, base, frequencies):
    """You return float32. The result has the dtype of x."""
    return roped(x.float(), positions, base, frequencies)
