"""Hidden checks for the exercise `swiglu_width`: the 8/3 rule, rounded up, and the counts that it makes equal."""

import math

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect
from reference_impl.model.mlp import mlp_parameters, swiglu_width

width_oracle, count_oracle = Oracle(swiglu_width), Oracle(mlp_parameters)
# Multiples of 8 only: for these, Llama's own code, which cuts 8·d/3 to an integer first, gives the same widths.
MULTIPLES = st.sampled_from([8, 256, 64, 32, 24])
EXACT = st.builds(lambda part, multiple: (3 * part * multiple // 8, multiple), st.integers(1, 9), MULTIPLES)
"""widths that are a multiple already"""
ANY = st.tuples(st.integers(1, 6000), MULTIPLES)


@check(points=1, examples=10)
@given(st.integers(1, 6000), MULTIPLES)
def test_enough(student, d_model, multiple_of):
    """the width is a multiple, and a SwiGLU of this width has no fewer parameters than the GELU block"""
    width = student.swiglu_width(d_model, multiple_of)
    expect(isinstance(width, (int, float)), "the width is not a number", "Return an int.")
    expect(width % multiple_of == 0, f"{width} is no multiple of {multiple_of}", "Round up to a multiple.")
    enough = 3 * d_model * width >= 2 * d_model * 4 * d_model
    expect(enough, "SwiGLU has fewer parameters than the GELU block", "The width is rounded up, never down.")


@check(points=1)
@given(st.one_of(ANY, ANY, EXACT))
def test_width(student, sizes):
    """swiglu_width is the smallest multiple that is at least 8/3 of d_model, an int"""
    got = student.swiglu_width(*sizes)
    expect(type(got) is int, f"the width is a {type(got).__name__}", "nn.Linear takes no floats: return an int.")
    width_oracle.compare(got, *sizes)


@check(points=2, examples=15)
@given(st.integers(1, 64), st.sampled_from([8, 32, 24]))
def test_counts(student, d_model, multiple_of):
    """mlp_parameters counts two matrices of width 4 · d_model, and three of the width from swiglu_width"""
    student.supply(swiglu_width=swiglu_width)
    count_oracle.compare(student.mlp_parameters(d_model, multiple_of), d_model, multiple_of)


def multiples(exact, multiple_of, rounded):
    return int(rounded(exact / multiple_of)) * multiple_of


@width_oracle.misconception
def rounds_down(d_model, multiple_of):
    """You round down. Round up, so that SwiGLU has no fewer parameters than the block it replaces."""
    return multiples(8 * d_model / 3, multiple_of, math.floor)


@width_oracle.misconception
def rounds_to_nearest(d_model, multiple_of):
    """You round to the nearest multiple. Round up, always."""
    return multiples(8 * d_model / 3, multiple_of, round)


@width_oracle.misconception
def always_one_more(d_model, multiple_of):
    """You add a multiple even where 8·d_model/3 is one already. Round up only what is not a multiple yet."""
    return multiples(8 * d_model / 3, multiple_of, math.floor) + multiple_of


@width_oracle.misconception
def not_a_multiple(d_model, multiple_of):
    """You round to the next integer. Round up to a multiple of multiple_of."""
    return math.ceil(8 * d_model / 3)


@width_oracle.misconception
def cut_to_integer(d_model, multiple_of):
    """You cut 8·d_model/3 to an integer and leave it there. Round up to a multiple of multiple_of."""
    return 8 * d_model // 3


@width_oracle.misconception
def four_times(d_model, multiple_of):
    """You keep the width of the GELU block, 4·d_model. SwiGLU has a third matrix, so it takes two thirds of that."""
    return multiples(4 * d_model, multiple_of, math.ceil)


@width_oracle.misconception
def two_thirds_of_d_model(d_model, multiple_of):
    """You take two thirds of d_model. It is two thirds of 4·d_model."""
    return multiples(2 * d_model / 3, multiple_of, math.ceil)


@width_oracle.misconception
def three_halves(d_model, multiple_of):
    """You make SwiGLU wider, by 3/2. Its three matrices must be narrower: 2/3 of 4·d_model."""
    return multiples(6 * d_model, multiple_of, math.ceil)


@width_oracle.misconception
def multiple_fixed(d_model, multiple_of):
    """You always round to 256. Use the argument multiple_of."""
    return swiglu_width(d_model, 256)


@width_oracle.misconception
def rounds_d_model(d_model, multiple_of):
    """You round d_model up and then multiply. Multiply by 8/3 first, then round up."""
    return math.ceil(8 * multiples(d_model, multiple_of, math.ceil) / 3)


@count_oracle.misconception
def third_matrix_forgotten(d_model, multiple_of):
    """You count two matrices for SwiGLU. It has three: gate, up and down."""
    return 8 * d_model**2, 2 * d_model * swiglu_width(d_model, multiple_of)


@count_oracle.misconception
def same_width_for_both(d_model, multiple_of):
    """You count SwiGLU at width 4·d_model. It takes the width of swiglu_width."""
    return 8 * d_model**2, 12 * d_model**2


@count_oracle.misconception
def biases_counted(d_model, multiple_of):
    """You count biases. Neither block has any here."""
    width = swiglu_width(d_model, multiple_of)
    return 8 * d_model**2 + 5 * d_model, 3 * d_model * width + 2 * width + d_model


@count_oracle.misconception
def counts_swapped(d_model, multiple_of):
    """You return the pair in the wrong order. The GELU MLP comes first."""
    return mlp_parameters(d_model, multiple_of)[::-1]


@count_oracle.misconception
def equal_by_decree(d_model, multiple_of):
    """You return the same number twice. Rounding up makes SwiGLU a little larger unless 8·d_model/3 is a multiple."""
    return 8 * d_model**2, 8 * d_model**2


@count_oracle.misconception
def widths_for_counts(d_model, multiple_of):
    """You return the widths. Count the entries of every matrix: d_model times the width, for each."""
    return 4 * d_model, swiglu_width(d_model, multiple_of)


@count_oracle.misconception
def multiple_not_passed(d_model, multiple_of):
    """You do not pass multiple_of on, so 256 is used."""
    return mlp_parameters(d_model)
