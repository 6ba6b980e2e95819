"""Rounds down."""

# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    return 8 * d_model // (3 * multiple_of) * multiple_of


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    return 8 * d_model**2, 3 * d_model * swiglu_width(d_model, multiple_of)
