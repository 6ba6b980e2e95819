"""The instructor's formulas as MathML, which a browser draws without a script and a screen reader speaks.

A student's prose keeps its TeX as text: nobody has read it before it is parsed.
"""

from __future__ import annotations

import nh3
from latex2mathml.converter import convert

MATH_TAGS = {
    "math", "mfrac", "mi", "mn", "mo", "mover", "mroot", "mrow", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup",
    "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
}  # fmt: skip
MATH_ATTRIBUTES = {
    "math": {"display"},
    "mo": {"fence", "form", "maxsize", "minsize", "movablelimits", "stretchy"},
    "mover": {"accent"},
    "mspace": {"width"},
    "mstyle": {"displaystyle", "scriptlevel"},
}


def mathml(tex: str, block: bool = False) -> str:
    """The formula as a <math> element, with layout and nothing else in it; empty if it cannot be converted."""
    try:
        drawn = convert(tex, display="block" if block else "inline")
    except Exception:  # the library raises whatever its parser meets, IndexError among it
        return ""
    cleaned: str = nh3.clean(drawn, tags=MATH_TAGS, attributes=MATH_ATTRIBUTES)
    return "" if "\\" in cleaned else cleaned  # a command that it did not know
