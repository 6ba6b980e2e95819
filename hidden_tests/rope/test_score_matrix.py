"""Hidden checks for the exercise `score_matrix`: the M with q @ M @ k = the score of q, `distance` after k."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check
from reference_impl.model.rope import apply_rope, rope_frequencies, rotate


def matrix(distance, d_head, frequencies):
    """score_matrix with its frequencies given, so that their rounding, times the distance, is part of the tolerance."""
    return rotate(torch.eye(d_head, dtype=frequencies.dtype), distance * frequencies)


oracle = Oracle(matrix)
supplies = Supplies(rope_frequencies=rope_frequencies, rotate=rotate, apply_rope=apply_rope)
distances = st.integers(0, 60)
widths = st.sampled_from([4, 6, 2, 8])
bases = st.sampled_from([500000.0, 10000.0, 100.0])


@check(points=2, examples=15)
@given(distances, widths, bases)
def test_values(student, distance, d_head, base):
    """q @ M @ k is the score of a query that stands `distance` positions after its key"""
    got = student.score_matrix(distance, d_head, base)
    oracle.compare(got, distance, d_head, rope_frequencies(d_head, base))


@check(points=1, after=test_values, examples=8)
@given(distances, widths, bases)
def test_behind(student, distance, d_head, base):
    """a negative distance, a key after its query, gives the transposed matrix"""
    got = student.score_matrix(-distance, d_head, base)
    oracle.compare(got, -distance, d_head, rope_frequencies(d_head, base))


def blocks(distance, d_head, frequencies, sines=(1, -1)):
    """cos on the diagonal; the sines above and below it, d_head/2 away"""
    angles = distance * frequencies
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, sines[0] * sin], dim=1), torch.cat([sines[1] * sin, cos], dim=1)])


@oracle.misconception
def matrix_transposed(distance, d_head, frequencies):
    """Your matrix is transposed: it belongs to a key after its query. Which of the two is rotated further?"""
    return matrix(distance, d_head, frequencies).mT


@oracle.misconception
def matrix_same_signs(distance, d_head, frequencies):
    """Both of your sines are positive, so M is no rotation. One is negative: work out q · M · k for one pair."""
    return blocks(distance, d_head, frequencies, sines=(1, 1))


@oracle.misconception
def matrix_without_sines(distance, d_head, frequencies):
    """Your matrix has only the cosines. Rotation also mixes the two features of a pair, by sines off the diagonal."""
    return blocks(distance, d_head, frequencies, sines=(0, 0))


@oracle.misconception
def matrix_interleaved(distance, d_head, frequencies):
    """You pair neighbours, 2i with 2i + 1. Ours is half-split: the sines stand d_head/2 away from the diagonal."""
    back = torch.arange(d_head).reshape(-1, 2).T.flatten().argsort()
    return matrix(distance, d_head, frequencies)[back][:, back]


@oracle.misconception
def matrix_one_closer(distance, d_head, frequencies):
    """Your distance is too small by one. A query at position m and a key at n are m - n apart."""
    return matrix(distance - 1, d_head, frequencies)


@oracle.misconception
def matrix_one_further(distance, d_head, frequencies):
    """Your distance is too large by one. A query at position m and a key at n are m - n apart."""
    return matrix(distance + 1, d_head, frequencies)


@oracle.misconception
def matrix_rotates_both(distance, d_head, frequencies):
    """You rotate q and k by the whole distance each, in opposite directions. Together they are `distance` apart."""
    return matrix(2 * distance, d_head, frequencies)


@oracle.misconception
def matrix_base_left_out(distance, d_head, frequencies):
    """You do not pass base on, so 10000 is used."""
    return matrix(distance, d_head, rope_frequencies(d_head, dtype=frequencies.dtype))


@oracle.misconception
def matrix_distance_unsigned(distance, d_head, frequencies):
    """You use the absolute value of the distance. Before and after differ: a negative distance turns the other way."""
    return matrix(abs(distance), d_head, frequencies)
