"""Properties of a good function or module other than its value: one line each in a check, with a hint each.

A facet takes the function and the arguments to call it with, returns nothing, and raises Mismatch if the property does
not hold. It does not compare values with the reference: give it a check of its own, `after` the check that does.

Some facts are visible only in the submission's process (was an input written to, does memory overlap). A submission
that forges them gains that facet and nothing else.
"""

from autograde.testing.contract.closeness import SELF_ULPS, expect_close
from autograde.testing.contract.repeated_calls import (
    deterministic_in_eval,
    leading_dimensions,
    noncontiguous_input,
    rng_only_from,
)
from autograde.testing.contract.several import all_of
from autograde.testing.contract.single_call import (
    follows_device,
    gradient_reaches_inputs,
    input_unchanged,
    no_alias,
    same_dtype,
    written_by_hand,
)

__all__ = [
    "SELF_ULPS",
    "all_of",
    "deterministic_in_eval",
    "expect_close",
    "follows_device",
    "gradient_reaches_inputs",
    "input_unchanged",
    "leading_dimensions",
    "no_alias",
    "noncontiguous_input",
    "rng_only_from",
    "same_dtype",
    "written_by_hand",
]
