"""The course's formulas as MathML, which a browser draws without a script and a screen reader speaks.

A student's prose keeps its TeX as text: it is untrusted.
"""

from __future__ import annotations

import html
import re

import nh3
from math_core import LatexError, LatexToMathML

MATH_TAGS = {
    "math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "mspace", "msqrt",
    "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
}  # fmt: skip
MATH_ATTRIBUTES = {
    # Around a formula that may be wider than a phone, and is scrolled by keyboard too.
    "div": {"tabindex"},
    "span": {"tabindex"},
    "math": {"display"},
    "menclose": {"notation"},
    "mfrac": {"linethickness"},
    "mi": {"mathvariant"},
    "mo": {"form", "lspace", "maxsize", "minsize", "movablelimits", "rspace", "stretchy", "symmetric"},
    "mover": {"accent"},
    "mspace": {"width"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"displaystyle", "scriptlevel"},
    "munder": {"accentunder"},
}
TAG = re.compile("<[^>]*>")
_CONVERTER = LatexToMathML(fancy_error=False)


def to_mathml(tex: str, block: bool = False) -> str:
    """The formula as a <math> element with its layout and nothing else in it; empty if it cannot be converted."""
    try:
        drawn = _CONVERTER.convert_with_local_state(tex, displaystyle=block)
    except LatexError:
        return ""
    cleaned: str = nh3.clean(drawn, tags=MATH_TAGS, attributes=MATH_ATTRIBUTES)
    return cleaned


def extract_symbols(drawn: str) -> str:
    """The symbols and text that a reader sees of a formula in MathML."""
    return "".join(html.unescape(TAG.sub("", drawn)).split())
