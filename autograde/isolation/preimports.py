"""What to import before the first submission comes, once for all: in the warm process, and where graders are forked.

Importing torch is not all: some of its functions import hundreds of modules more when they are first called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from autograde.course import Course

FIRST_USES = {
    r"optim": "torch._dynamo",
    r"assert_close": "torch.distributed.tensor",
    r"gradient|backward|autograd": "torch.fx.experimental.symbolic_shapes",
}
"""pattern of a word in a notebook or its checks -> what torch 2.13 imports when that is first called (0.5 s each)"""
ASKED = {r"follows_device": "torch._dynamo"}
"""the same of what checks ask of the submission alone: `follows_device` calls it on the meta device"""


def notebook_modules(course: Course, slug: str) -> tuple[str, ...]:
    """For the warm process: modules that the notebook imports, and those that it or a check makes torch import.

    A source that is being edited, or is gone, only makes the first use of them slower: students have an earlier one.
    """
    source = course.paths(slug).source
    text, checks = (
        source.read_text(encoding="utf-8", errors="replace") if source.exists() else "",
        _checks(course, slug),
    )
    return tuple(sorted(_imported(text) | _first_uses(text + checks, FIRST_USES) | _first_uses(checks, ASKED)))


def first_uses_of_checks(course: Course, slug: str) -> set[str]:
    """What the checks of an assignment make torch import in the process that runs them."""
    return _first_uses(_checks(course, slug), FIRST_USES)


def _imported(text: str) -> set[str]:
    """Modules that a source names; none if it is no plain Python, as with a `%magic` in a cell."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            words |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            words.add(node.module)
    return words


def _checks(course: Course, slug: str) -> str:
    return "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(course.paths(slug).hidden_tests.glob("test_*.py"))
    )


def _first_uses(text: str, uses: Mapping[str, str]) -> set[str]:
    return {module for pattern, module in uses.items() if re.search(pattern, text)}
