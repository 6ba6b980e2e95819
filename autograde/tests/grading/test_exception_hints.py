"""The hint for an exception is given only where it is true, whatever led to the message."""

from __future__ import annotations

import pytest

from autograde.grading.exception_hints import (
    CALLED_BY_CHECKS,
    CALLED_BY_STUDENT,
    NO_ATTRIBUTE,
    OTHER_TYPE,
    OWN_ASSERT,
    find_hint,
    find_hint_for_cell,
)

LOADING = (
    "Error(s) in loading state_dict for Head:\n\tsize mismatch for query.weight: copying a param with shape "
    "torch.Size([3, 2]) from checkpoint, the shape in current model is torch.Size([2, 3])."
)


@pytest.mark.parametrize(
    "message",
    [
        "f() takes 1 positional argument but 2 were given",
        "f() missing 1 required positional argument: 'k'",
        "f() got an unexpected keyword argument 'dims'",
        "f() got multiple values for argument 'x'",
        'softmax() missing 1 required positional arguments: "dim"',
    ],
)
def test_find_hint_blames_the_signature_only_for_the_call_of_the_check(message: str) -> None:
    """With a line of the notebook the call is the student's own, and the declared signature may be right."""
    assert find_hint(["TypeError"], message) == CALLED_BY_CHECKS
    assert find_hint(["TypeError"], message, "    return g(x, 1)") == CALLED_BY_STUDENT


def test_find_hint_tells_loading_weights_from_a_matrix_product() -> None:
    hint = find_hint(["RuntimeError"], LOADING)
    assert "__init__" in hint
    assert "product" not in hint
    assert "product" in find_hint(["RuntimeError"], "size mismatch, got input (3), mat (3x2), vec (4)")


def test_find_hint_about_an_attribute_needs_its_name_in_the_line() -> None:
    message = "'int' object has no attribute 'detach'"
    assert find_hint(["AttributeError"], message, "x.detach()") == NO_ATTRIBUTE
    assert find_hint(["AttributeError"], message, "nn.Parameter(3)") == OTHER_TYPE
    assert "`return`" in find_hint(["AttributeError"], "'NoneType' object has no attribute 'shape'", "y.shape")


def test_find_hint_about_an_assert_needs_one_in_the_line() -> None:
    assert find_hint(["AssertionError", "Exception"], "", "    assert x.dim() == 2") == OWN_ASSERT
    assert (
        find_hint(["AssertionError", "Exception"], "padding_idx must be within num_embeddings", "nn.Embedding(3)") == ""
    )


@pytest.mark.parametrize("message", ["\"softmax\" not implemented for 'Long'", "mean(): could not infer output dtype."])
def test_find_hint_about_a_dtype_that_torch_does_not_take(message: str) -> None:
    assert "floating numbers" in find_hint(["RuntimeError"], message)


def test_find_hint_about_a_local_variable_does_not_speak_of_a_missing_name() -> None:
    types = ["UnboundLocalError", "NameError", "Exception"]
    assert "before the function" in find_hint(types, "cannot access local variable 'y'")


def test_find_hint_for_a_cell_that_stopped() -> None:
    assert (
        find_hint_for_cell("TypeError in line 2: f() takes 1 positional argument but 2 were given") == CALLED_BY_STUDENT
    )
