"""Which modules the zygote and the graders' server import before the first submission.

Some of torch's functions import hundreds of further modules when they are first called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from autograde.course import Work

FIRST_USES = {
    r"optim": "torch._dynamo",
    r"assert_close": "torch.distributed.tensor",
    r"gradient|backward|autograd": "torch.fx.experimental.symbolic_shapes",
}
"""pattern of a word in a notebook or its checks -> what torch 2.13 imports when that is first called (0.5 s each)"""
FIRST_USES_BY_WORKER = {r"follows_device": "torch._dynamo"}
"""the same for words in checks alone: `follows_device` calls the submission on the meta device"""


def list_zygote_modules(work: Work) -> tuple[str, ...]:
    """For the zygote: modules that the notebook imports, and those that it or a check makes torch import.

    A source that is being edited or missing only makes their first use slower.
    """
    source = work.paths.source
    text = source.read_text(encoding="utf-8", errors="replace") if source.exists() else ""
    checks = _read_checks(work)
    first_uses = _find_first_uses(text + checks, FIRST_USES) | _find_first_uses(checks, FIRST_USES_BY_WORKER)
    return tuple(sorted(_list_imports(text) | first_uses))


def list_check_modules(work: Work) -> set[str]:
    """For the graders' server: modules that the checks make torch import in the process that runs them."""
    return _find_first_uses(_read_checks(work), FIRST_USES)


def _list_imports(text: str) -> set[str]:
    """Modules that a source imports; none if it is not plain Python, for example because of a `%magic`."""
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


def _read_checks(work: Work) -> str:
    return "".join(
        path.read_text(encoding="utf-8", errors="replace") for path in sorted(work.paths.hidden_tests.glob("test_*.py"))
    )


def _find_first_uses(text: str, uses: Mapping[str, str]) -> set[str]:
    return {module for pattern, module in uses.items() if re.search(pattern, text)}
