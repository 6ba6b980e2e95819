"""Hidden checks for the exercise `rope_frequencies`:  frequency i = base^(−2i/d_head)."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.model.rope import rope_frequencies

bases = st.sampled_from([10000.0, 500000.0, 100.0])


def frequencies(d_head, base):
    """The reference with base as a tensor, so that its rounding is part of the tolerance."""
    return rope_frequencies(d_head, float(base), dtype=base.dtype)


oracle = Oracle(frequencies)


@check(points=2, examples=15)
@given(st.sampled_from([8, 4, 2, 6, 10, 16, 64]), bases)
def test_values(student, d_head, base):
    """there are d_head/2 frequencies in float32, base^(-2i/d_head), for any base"""
    oracle.compare(student.rope_frequencies(d_head, base), d_head, torch.tensor(base))


@check(points=1, examples=3)
@given(st.sampled_from([5, 1, 7]), bases)
def test_odd(student, d_head, base):
    """an odd d_head, which leaves a feature without partner, raises a ValueError"""
    with student.raises(ValueError, hint="Begin with: if d_head % 2: raise ValueError(...)."):
        student.rope_frequencies(d_head, base)


def power(d_head, base, exponent):
    """base^(−exponent), with exponent computed from i = 0, 1, …"""
    return base ** -exponent(torch.arange(d_head // 2, dtype=base.dtype))


@oracle.misconception
def exponent_not_doubled(d_head, base):
    """Your exponent is -i/d_head. It is -2i/d_head: the frequencies come down almost to 1/base."""
    return power(d_head, base, lambda i: i / d_head)


@oracle.misconception
def exponent_doubled_twice(d_head, base):
    """You divide 2i by d_head/2. The exponent is -2i/d_head: double i, or halve d_head, not both."""
    return power(d_head, base, lambda i: 4 * i / d_head)


@oracle.misconception
def exponent_positive(d_head, base):
    """Your frequencies grow. The exponent is negative: the first pair turns fastest."""
    return power(d_head, base, lambda i: -2 * i / d_head)


@oracle.misconception
def exponent_starts_at_one(d_head, base):
    """You count i from 1. Count from 0: the first pair turns by one radian per position."""
    return power(d_head, base, lambda i: 2 * (i + 1) / d_head)


@oracle.misconception
def last_is_one_over_base(d_head, base):
    """You divide by d_head/2 - 1, which makes the last frequency 1/base, as some sinusoids do. RoPE: d_head/2."""
    return power(d_head, base, lambda i: i / max(d_head // 2 - 1, 1))


@oracle.misconception
def frequencies_backwards(d_head, base):
    """Your frequencies come in reverse order. The first pair turns fastest, by one radian per position."""
    return frequencies(d_head, base).flip(0)


@oracle.misconception
def one_per_feature(d_head, base):
    """You give one exponent to each feature, d_head of them. A pair of features shares one: there are d_head/2."""
    return base ** -(torch.arange(d_head, dtype=base.dtype) / d_head)


@oracle.misconception
def frequencies_twice(d_head, base):
    """You return every frequency twice. There is one per pair, d_head/2 of them; `rotate` uses each twice."""
    return frequencies(d_head, base).repeat(2)


@oracle.misconception
def base_fixed(d_head, base):
    """You always use the base 10000. Use the argument base: Llama 3 passes 500000."""
    return frequencies(d_head, torch.full_like(base, 10000.0))


@oracle.misconception
def turns_for_radians(d_head, base):
    """You multiply by 2π. The frequencies are radians per position already."""
    return 2 * math.pi * frequencies(d_head, base)


@oracle.misconception
def frequencies_in_degrees(d_head, base):
    """You convert between degrees and radians. The frequencies are radians per position already."""
    return frequencies(d_head, base) * math.pi / 180


@oracle.misconception
def frequencies_float64(d_head, base):
    """You return float64. Compute in it if you like, and return float32."""
    return frequencies(d_head, base.double())
