"""One submission's gradebook entry, fetched in advance and served to nbgrader's steps, which query it in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import Comment, Grade, GradeCell, MissingEntry, SourceCell, TaskCell


@dataclass
class Lookup:
    """Used by nbgrader's steps as their gradebook: answers from the fetched entry, and commits nothing."""

    source: Mapping[str, SourceCell]
    graded: Mapping[str, GradeCell | TaskCell]
    grades: Mapping[str, Grade] = field(default_factory=dict)
    comments: Mapping[str, Comment] = field(default_factory=dict)

    def find_source_cell(self, name: str, *_: str) -> SourceCell:
        return _known(self.source, name)

    def find_graded_cell(self, name: str, *_: str) -> GradeCell | TaskCell:
        return _known(self.graded, name)

    def find_grade(self, name: str, *_: str) -> Grade:
        return _known(self.grades, name)

    def find_comment(self, name: str, *_: str) -> Comment:
        return _known(self.comments, name)

    @property
    def db(self) -> Lookup:
        return self

    def commit(self) -> None:
        """Do nothing: the complete submission is committed at once, later."""


def by_name(cells: list[Any]) -> dict[str, Any]:
    return {cell.name: cell for cell in cells}


def _known(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise MissingEntry(f"the gradebook knows no cell {name!r}; run `course release`")
    return found[name]
