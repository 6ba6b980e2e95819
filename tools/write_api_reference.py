"""Writes docs/api.md from the docstrings of `autograde.testing`: `make docs`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from autograde import testing
from tools.docstrings import Documented, Example

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
COMMAND = "make docs"
IMPORTS = f"""import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import (
    {", ".join(testing.__all__[:8])},
    {", ".join(testing.__all__[8:14])},
    {", ".join(testing.__all__[14:])},
)
"""
TITLE = f"""# What a hidden test may use

Generated from the docstrings by `{COMMAND}`; a test runs every example. The guide is
[Writing an assignment](writing-an-assignment.md).

Import from `autograde.testing` and from nowhere else in the engine; `Assignment` alone is for `course_config.py`. In
the examples, a hidden test begins with these imports, and the notebook with `import torch`:

```python
{IMPORTS}```

`Target` in a signature is a function of the submission's, `student.f`, or an object that it returned, `layer`.
"""


@dataclass(frozen=True)
class Section:
    """Names that an author looks for together."""

    title: str
    introduction: str
    names: str
    """separated by white space"""

    @property
    def entries(self) -> list[Documented]:
        return list(map(Documented, self.names.split()))


SECTIONS = [
    Section("Declare a check", "A check is a pytest function with points.", "check"),
    Section(
        "Draw inputs",
        "Hypothesis draws the inputs, the same for every submission, and shrinks those that fail.",
        "tensors Generator",
    ),
    Section(
        "Call the student's code",
        "The submission runs in a process of its own. A check holds proxies of it; values are copied between the two.",
        "Student Function Student.value Student.seed Student.device Student.raises Student.hint StudentError"
        " Student.supply Supplies",
    ),
    Section(
        "Compare with the reference",
        "The oracle runs the reference implementation on the inputs that the student's code received.",
        "Oracle Oracle.compare Oracle.compare_gradients Oracle.misconception Student.gradients widened through_float32",
    ),
    Section("Fail in your own words", "For properties that no reference states.", "expect expect_like Mismatch"),
    Section(
        "Modules and parameters",
        "Call a class of the notebook to construct an object, which stays in the submission's process.",
        "Student.module RemoteObject RemoteObject.load_state_dict RemoteObject.state_dict RemoteObject.named_parameters"
        " RemoteObject.named_buffers RemoteObject.train RemoteObject.eval expect_parameters",
    ),
    Section(
        "Facets",
        "What a good function or module does besides returning the right value.",
        "contract contract.all_of contract.input_unchanged contract.no_alias contract.same_dtype"
        " contract.follows_device"
        " contract.gradient_reaches_inputs contract.noncontiguous_input contract.leading_dimensions"
        " contract.deterministic_in_eval contract.rng_only_from contract.expect_close contract.written_by_hand"
        " builtin_operators",
    ),
    Section("Costs", "Costs are counted, never timed, so they are the same on every machine.", "Student.cost Cost"),
    Section("Files that an assignment ships", "A notebook may read files, if its assignment lists them.", "Assignment"),
]


def render() -> str:
    """The whole page."""
    contents = "\n".join(f"- {section.title}: {', '.join(map(_link, section.entries))}" for section in SECTIONS)
    return "\n".join([TITLE, contents, "", *map(_section, SECTIONS)])


def examples() -> dict[str, Example]:
    """Every example; its key is the name that it is of, with a number from the second on."""
    return {
        entry.name + (f" {number}" if number > 1 else ""): example
        for section in SECTIONS
        for entry in section.entries
        for number, example in enumerate(entry.examples, start=1)
    }


def _section(section: Section) -> str:
    return "\n".join([f"## {section.title}\n\n{section.introduction}\n", *map(_entry, section.entries)])


def _entry(entry: Documented) -> str:
    fields = [f"- `{field}`" + (f": {text}" if text else "") for field, text in entry.fields.items()]
    rows = [
        f"| `{name}` | {'<br>'.join(f'`{value}`' for value in values)} |" for name, values in entry.constants.items()
    ]
    parts = [
        f"### `{entry.title}`",
        _code(entry.signature),
        entry.text,
        "\n".join(fields),
        "\n".join(["| constant | names |", "|---|---|", *rows] if rows else []),
        *(part for example in entry.examples for part in (_caption(example), _code(example.source))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _code(source: str) -> str:
    return f"```python\n{source}\n```" if source else ""


def _caption(example: Example) -> str:
    return example.caption and f"{example.caption[0].upper()}{example.caption[1:]}:"


def _link(entry: Documented) -> str:
    """To the heading, by the name that forges give it."""
    return f"[`{entry.title}`](#{re.sub(r'[^a-z0-9_]', '', entry.title.lower())})"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
