"""The paths of an assignment's files. Other modules do not build these paths themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AssignmentPaths:
    """The paths of one assignment's files."""

    root: Path
    slug: str

    @property
    def source(self) -> Path:
        return self.root / "source" / f"{self.slug}.py"

    @property
    def hidden_tests(self) -> Path:
        return self.root / "hidden_tests" / self.slug

    @property
    def wrong(self) -> Path:
        return self.hidden_tests / "wrong"

    @property
    def right(self) -> Path:
        return self.hidden_tests / "right"

    @property
    def release(self) -> Path:
        return self.root / "release" / self.slug

    @property
    def released_notebook(self) -> Path:
        return self.release / f"{self.slug}.ipynb"

    @property
    def reports(self) -> Path:
        return self.root / "reports" / self.slug

    @property
    def class_page(self) -> Path:
        return self.root / "reports" / f"{self.slug}.html"

    @property
    def check_cache(self) -> Path:
        """The check cache: as secret as the checks, and rebuilt if it is missing."""
        return self.root / "build" / "prepared" / self.slug

    @property
    def verified(self) -> Path:
        """Reports of the assignment's own programs: as secret as the checks, and made again if they are missing."""
        return self.root / "build" / "verified" / self.slug

    def recorded(self, student: str) -> Path:
        """Digest of the data last written to the gradebook; rebuilt if it is missing."""
        return self.root / "build" / "recorded" / self.slug / f"{student}.sha256"

    @property
    def changes(self) -> Path:
        """The changes made by a regrade, as CSV for programs; `changes_page` shows them for review."""
        return self.root / "reports" / f"{self.slug}-changes.csv"

    @property
    def changes_page(self) -> Path:
        return self.changes.with_suffix(".html")

    def report(self, student: str) -> Path:
        return self.reports / f"{student}.json"

    def submitted(self, student: str) -> Path:
        return self.root / "submitted" / student / self.slug

    def autograded(self, student: str) -> Path:
        return self.root / "autograded" / student / self.slug

    def feedback(self, student: str) -> Path:
        return self.root / "feedback" / student / self.slug / f"{self.slug}.html"
