"""The name of an exception that people read and checks compare.

A class with a leading underscore is private to the library that raises it, and may differ between versions: Python 3.13
raises `_IncompleteInputError` where Python 3.12 raises its parent, `SyntaxError`. So the parent's name is used.
"""

from __future__ import annotations


def public_type(kind: type) -> type:
    """The nearest class in the order of inheritance, `kind` first, whose name has no leading underscore."""
    return next((cls for cls in kind.__mro__ if not str(cls.__name__).startswith("_")), object)


def public_names(error: BaseException) -> list[str]:
    """The public names of an exception's classes, its nearest first."""
    return [name for cls in type(error).__mro__ if not (name := str(cls.__name__)).startswith("_")]


def public_name(error: BaseException) -> str:
    """The name of an exception's nearest public class."""
    return public_type(type(error)).__name__
