"""What a module must own."""

from __future__ import annotations

import torch

from autograde.mismatch import Mismatch
from autograde.remote import RemoteObject


def expect_parameters(layer: RemoteObject, **expected: torch.Tensor) -> None:
    """The trainable parameters of `layer` are exactly these, by name, with these shapes and starting values."""
    found = layer.named_parameters()
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    if missing:
        hint = "A learnable tensor is an nn.Parameter that is assigned to self in __init__; a plain tensor or a buffer is not trained."
        raise Mismatch(f"parameter {', '.join(f'`{name}`' for name in missing)} is missing", hint)
    if extra:
        raise Mismatch(
            f"parameter {', '.join(f'`{name[:40]}`' for name in extra[:3])} should not be there",
            "The module owns only the parameters that the exercise names.",
        )
    for name, value in expected.items():
        mine = found[name]
        if mine.shape != value.shape:
            raise Mismatch(f"`{name}` must have shape {tuple(value.shape)}, but yours has {tuple(mine.shape)}")
        if not torch.equal(mine, value.to(mine.dtype)):
            raise Mismatch(f"`{name}` does not start at the values that the exercise names")
