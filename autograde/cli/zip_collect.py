"""Plugins that let nbgrader's zip_collect read downloaded/<slug>/archive/*.zip as `course collect` does."""

from __future__ import annotations

from pathlib import Path

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from traitlets import Bool

from autograde.cli.collect_text import describe_outcome
from autograde.course import CourseError
from autograde.lms_import.collect import Collection, read_submissions
from autograde.lms_import.options import Options
from autograde.notebooks.nbgrader_settings import load_course_here


class SafeExtractor(ExtractorPlugin):  # type: ignore[misc]
    """Unpacks only the files that `course collect` imports, to extracted/<student>/<slug>.ipynb or .py."""

    accept_unknown = Bool(False, help="Whether to collect people who are not in the roster.").tag(config=True)

    def extract(self, archive_path: str, extracted_path: str) -> None:
        slug = self.parent.coursedir.assignment_id
        options = Options(accept_unknown=self.accept_unknown)
        for archive in sorted(Path(archive_path).glob("*.zip")):
            done = Collection()
            try:
                for submission in read_submissions(load_course_here().open(slug), archive, options, done):
                    folder = Path(extracted_path) / submission.student
                    folder.mkdir(exist_ok=True)
                    (folder / f"{slug}{submission.suffix}").write_bytes(submission.data)
                    if submission.timestamp:
                        (folder / "timestamp.txt").write_text(submission.timestamp, encoding="utf-8")
            except CourseError as error:
                self.log.warning("%s: %s", archive.name, error)
            for outcome in done.outcomes:
                self.log.warning("%s: %s", archive.name, describe_outcome(outcome))


class FolderCollector(FileNameCollectorPlugin):  # type: ignore[misc]
    """Finds a file's student from the name of the folder that SafeExtractor wrote it to."""

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        file = Path(submitted_file)
        if file.name == "timestamp.txt":
            return None
        when = file.with_name("timestamp.txt")
        time = {"timestamp": when.read_text(encoding="utf-8")} if when.exists() else {}
        return {"student_id": file.parent.name, "file_id": file.name, **time}
