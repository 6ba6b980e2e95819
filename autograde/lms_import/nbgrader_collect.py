"""Plugins that let nbgrader's zip_collect read downloaded/<slug>/archive/*.zip as `course collect` does."""

from __future__ import annotations

from pathlib import Path

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from autograde.course import CourseError
from autograde.lms_import.collect import Collected, handed_in_through
from autograde.notebooks.nbgrader_settings import load_course_here


class SafeExtractor(ExtractorPlugin):  # type: ignore[misc]
    """Unpacks only the files that `course collect` imports, to extracted/<student>/<slug>.ipynb or .py."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        slug = self.parent.coursedir.assignment_id
        for archive in sorted(Path(archive_path).glob("*.zip")):
            done = Collected()
            try:
                for handed_in in handed_in_through(load_course_here().open(slug), archive, done):
                    folder = Path(extracted_path) / handed_in.student
                    folder.mkdir(exist_ok=True)
                    (folder / f"{slug}{handed_in.suffix}").write_bytes(handed_in.data)
                    if handed_in.timestamp:
                        (folder / "timestamp.txt").write_text(handed_in.timestamp, encoding="utf-8")
            except CourseError as error:
                done.refused.append(str(error))
            for sentence in (*done.refused, *done.notes):
                self.log.warning("%s: %s", archive.name, sentence)


class FolderCollector(FileNameCollectorPlugin):  # type: ignore[misc]
    """Finds a file's student from the name of the folder that SafeExtractor wrote it to."""

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        file = Path(submitted_file)
        if file.name == "timestamp.txt":
            return None
        when = file.with_name("timestamp.txt")
        said = {"timestamp": when.read_text(encoding="utf-8")} if when.exists() else {}
        return {"student_id": file.parent.name, "file_id": file.name, **said}
