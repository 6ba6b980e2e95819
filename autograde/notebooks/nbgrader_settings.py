"""Configures nbgrader for a course. Our steps are given by name; nbgrader imports them when it runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from traitlets.config import Config

from autograde.course import Course, CourseError, load_course
from autograde.notebooks.stage import stage_if_stale

HOOKS = "autograde.records.nbgrader_hooks"
_COURSES: dict[Path, Course] = {}


def configure(c: Config, course: Course) -> None:
    """Set all options that nbgrader needs for `course`; called by nbgrader_config.py."""
    _COURSES[course.root.resolve()] = course
    _add_programs_to_path()
    c.CourseDirectory.root = str(course.root.resolve())
    c.CourseDirectory.course_id = course.name
    c.CourseDirectory.db_url = course.gradebook_url
    c.CourseDirectory.source_directory = str(course.stage.relative_to(course.root))
    _configure_release(c)
    _configure_grading(c)
    c.ZipCollectApp.extractor_plugin = "autograde.cli.zip_collect.SafeExtractor"
    c.ZipCollectApp.collector_plugin = "autograde.cli.zip_collect.FolderCollector"
    c.GenerateFeedback.exporter_class = "autograde.pages.inert.InertHTMLExporter"
    c.GenerateFeedback.preprocessors = ["autograde.pages.inert.Marks", "nbgrader.preprocessors.ClearHiddenTests"]
    _stage_sources(course)


def _add_programs_to_path() -> None:
    """Add this environment's programs to PATH, because nbgrader calls `alembic` by name."""
    binaries = str(Path(sys.executable).parent)
    if binaries not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)])


def _configure_release(c: Config) -> None:
    c.GenerateAssignment.preprocessors = list_release_steps()
    # Written answers have mark schemes too; by default nbgrader allows them in task cells only.
    c.ClearMarkScheme.enforce_metadata = False


def _configure_grading(c: Config) -> None:
    c.Exporter.optimistic_validation = True  # validate once after all steps instead of after each
    c.Autograde.exporter_class = f"{HOOKS}.SubmissionExporter"
    # No CheckCellMetadata: all metadata comes from the release, and the check would take a quarter of the time.
    c.Autograde.sanitize_preprocessors = [
        f"nbgrader.preprocessors.{name}" for name in ("ClearOutput", "OverwriteCells")
    ]
    c.Autograde.autograde_preprocessors = [
        f"{HOOKS}.SetDueDate",
        f"{HOOKS}.IsolatedGrade",
        *(f"nbgrader.preprocessors.{name}" for name in ("SaveAutoGrades", "AssignLatePenalties")),
        # Last, because SaveAutoGrades needs the student's exact text to tell an answer from an untouched stub.
        f"{HOOKS}.NeutralizeMarkup",
    ]
    c.AssignLatePenalties.plugin_class = f"{HOOKS}.CourseLate"


def _stage_sources(course: Course) -> None:
    for slug in course.slugs:
        try:
            stage_if_stale(course.open(slug))
        except CourseError as error:
            # Other assignments, and commands that need no source, must still work.
            print(f"warning: {error}", file=sys.stderr)


def list_release_steps() -> list[str]:
    """Return the names of nbgrader's steps, followed by ours."""
    names = [step.__name__ for step in GenerateAssignment.class_traits()["preprocessors"].default()]
    # ClearMarkScheme must run before the checksums are computed: a checksum that includes the mark scheme never matches
    # the released stub, so nbgrader would take an untouched stub for an answer.
    names.remove("ClearMarkScheme")
    names.insert(names.index("ClearSolutions"), "ClearMarkScheme")
    return [*(f"nbgrader.preprocessors.{name}" for name in names), f"{HOOKS}.SetDueDate", f"{HOOKS}.RefuseLeaks"]


def load_course_here() -> Course:
    """Return the course in the current folder, where nbgrader's converters run."""
    root = Path.cwd().resolve()
    return _COURSES.get(root) or load_course(root)
