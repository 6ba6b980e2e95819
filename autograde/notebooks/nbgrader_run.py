"""Runs nbgrader's converters in this process without printing, and collects their errors."""

from __future__ import annotations

import glob
import logging

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograde.course import CourseError, Work
from autograde.notebooks.nbgrader_settings import configure, list_release_steps


class ErrorCollector(logging.Handler):
    """Collects nbgrader's messages instead of printing them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def make_quiet_logger() -> tuple[logging.Logger, ErrorCollector]:
    """Return a logger for converters that prints nothing, and the handler that collects its errors."""
    logger = logging.Logger("autograde.nbgrader", logging.ERROR)
    handler = ErrorCollector()
    logger.addHandler(handler)
    return logger, handler


def generate_assignment(work: Work, folder: str, *, no_database: bool) -> None:
    """Run nbgrader's generate_assignment from the stage to `folder`/<slug>. CourseError with its message on failure."""
    if glob.escape(str(work.course.root)) != str(work.course.root):
        raise CourseError(
            f"{work.course.root}: nbgrader reads *, ? and [ in a folder's name as a pattern; rename the folder"
        )
    config = Config()
    configure(config, work.course)
    config.CourseDirectory.release_directory = folder
    config.CourseDirectory.assignment_id = work.slug
    if no_database:
        config.GenerateAssignment.preprocessors = [
            step for step in list_release_steps() if not step.endswith(("SaveCells", "SetDueDate"))
        ]
    logger, log = make_quiet_logger()
    coursedir = CourseDirectory(config=config, log=logger)
    converter = GenerateAssignment(coursedir=coursedir, config=config, log=logger)
    converter.force, converter.no_database = True, no_database
    try:
        converter.start()
    except (NbGraderException, SystemExit) as error:
        lines = [line for text in log.lines for line in text.strip().splitlines()[-1:]]
        raise CourseError(f"{work.slug}: nbgrader generate_assignment failed: {'; '.join(lines) or error}") from error
