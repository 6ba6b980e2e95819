"""A course, as `course_config.py` declares it, and its assignments bound to the course."""

from __future__ import annotations

import runpy
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from autograde.assignment import Assignment
from autograde.exception_names import public_name
from autograde.paths import AssignmentPaths
from autograde.policies import Confinement, Experiments, Late, Limits
from autograde.report import Reveal

__all__ = [
    "Assignment",
    "Confinement",
    "Course",
    "CourseError",
    "Experiments",
    "Late",
    "Limits",
    "Reveal",
    "Work",
    "find_root",
    "load_course",
    "load_or_start_course",
]

CONFIG_NAME = "course_config.py"
TERM = "term"
FORMGRADER = "http://localhost:8888/formgrader"


class CourseError(Exception):
    """A mistake in the course that the instructor can fix; the message says what, where and what to do."""


@dataclass(frozen=True)
class Course:
    """A course as `course_config.py` declares it."""

    name: str
    assignments: Sequence[Assignment]
    seed: int = 0
    """seed of all random inputs that the grader draws, so that grading again gives the same result"""
    timezone: str = "UTC"
    reveal: Reveal = Reveal.INPUT
    late: Late = field(default_factory=Late)
    limits: Limits = field(default_factory=Limits)
    device: str = "auto"
    """the default device for submissions: auto, cpu or cuda; the command line may override it"""
    confinement: Confinement = Confinement.REQUIRED
    experiments: Experiments = Experiments.AS_SUBMITTED
    db_url: str = ""
    """the gradebook's SQLAlchemy URL, e.g. 'postgresql+psycopg://grader@db/course'; empty: gradebook.db in `root`"""
    formgrader: str = FORMGRADER
    """formgrader's URL in the TAs' browsers; pages link to it for marking by hand"""
    root: Path = field(default_factory=Path.cwd)

    def __post_init__(self) -> None:
        self._check_types()
        slugs = [assignment.slug for assignment in self.assignments]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise CourseError(f"{CONFIG_NAME}: assignment {twice[0]!r} is listed twice; give each its own slug")
        for slug in slugs:
            if not slug.isidentifier():
                raise CourseError(f"{CONFIG_NAME}: slug {slug!r} must be letters, digits and underscores")
            if slug == TERM:
                raise CourseError(f"{CONFIG_NAME}: slug {slug!r} is the name of the term's page; choose another")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise CourseError(
                f"{CONFIG_NAME}: no time zone {self.timezone!r}; use a name such as 'Europe/Berlin' or 'UTC'"
            ) from None
        for slug in slugs:
            self.open(slug).extensions  # noqa: B018  # raises CourseError for an invalid date
        if self.device not in ("auto", "cpu", "cuda"):
            raise CourseError(f"{CONFIG_NAME}: device is {self.device!r}; use 'auto', 'cpu' or 'cuda'")

    def _check_types(self) -> None:
        """Refuse options of the wrong type, for example the string "nothing" instead of Reveal.NOTHING."""
        options = (("reveal", Reveal), ("confinement", Confinement), ("experiments", Experiments))
        choices = {name: [f"{kind.__name__}.{option.name}" for option in kind] for name, kind in options}
        for name, kind in (*options, ("late", Late), ("limits", Limits)):
            if not isinstance(value := getattr(self, name), kind):
                wanted = " or ".join(choices.get(name, [f"{kind.__name__}(...)"]))
                raise CourseError(f"{CONFIG_NAME}: {name} is {value!r}; write {wanted}")
        for assignment in self.assignments:
            if not isinstance(assignment, Assignment):
                raise CourseError(
                    f"{CONFIG_NAME}: {assignment!r} is not an assignment; write Assignment(slug, title=...)"
                )

    @property
    def slugs(self) -> list[str]:
        return [assignment.slug for assignment in self.assignments]

    @property
    def gradebook_url(self) -> str:
        return self.db_url or f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def log(self) -> Path:
        """The audit log: every grading and the user who started it; see `records.audit_log`."""
        return self.root / "gradings.jsonl"

    @property
    def term_page(self) -> Path:
        return self.root / "reports" / f"{TERM}.html"

    @property
    def data(self) -> Path:
        """The data files of all assignments, which notebooks read as `data/...`."""
        return self.root / "source" / "data"

    @property
    def stage(self) -> Path:
        """The folder of notebooks made from `source/`, which nbgrader reads."""
        return self.root / "build" / "source"

    def open(self, slug: str) -> Work:
        """Return the assignment `slug`, bound to this course. CourseError with similar slugs if it is unknown."""
        for assignment in self.assignments:
            if assignment.slug == slug:
                return Work(self, assignment)
        near = get_close_matches(slug, self.slugs, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it lists {', '.join(self.slugs) or 'none'}"
        raise CourseError(f"no assignment {slug!r} in {CONFIG_NAME}; {hint}")


@dataclass(frozen=True)
class Work:
    """An assignment bound to its course; made by `Course.open`. Settings for all assignments are in `course`."""

    course: Course
    assignment: Assignment

    @property
    def slug(self) -> str:
        return self.assignment.slug

    @property
    def title(self) -> str:
        return self.assignment.title

    @property
    def limits(self) -> Limits:
        return self.assignment.limits or self.course.limits

    @cached_property
    def paths(self) -> AssignmentPaths:
        return AssignmentPaths(self.course.root, self.slug)

    @cached_property
    def data(self) -> tuple[Path, ...]:
        """The data files that the notebook reads, in the author's folder `source/data/`."""
        return tuple(self.course.data / name for name in self.assignment.data)

    @cached_property
    def due(self) -> datetime | None:
        """The deadline in UTC, or None."""
        due = self.assignment.due
        return None if due is None else self._to_utc(due, f"due date {due!r} of {self.slug!r}")

    @cached_property
    def extensions(self) -> Mapping[str, timedelta]:
        """Student -> extension: the time after `due` until which their submission is on time."""
        own, due = self.assignment.extensions, self.due
        if own and due is None:
            raise CourseError(f"{CONFIG_NAME}: {self.slug!r} has extensions but no due date; give it one")
        later = {who: self._to_utc(local, f"extension of {who!r} for {self.slug!r}") for who, local in own.items()}
        for student, until in later.items():
            if due and until <= due:
                raise CourseError(
                    f"{CONFIG_NAME}: the extension of {student!r} for {self.slug!r} ends before the due date"
                )
        return {student: until - due for student, until in later.items() if due}

    def _to_utc(self, local: str, what: str) -> datetime:
        """Convert local time to UTC. A time that occurs twice, because the clocks go back, means the later one."""
        try:
            parsed = datetime.strptime(local, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(self.course.timezone))
        except (TypeError, ValueError) as error:
            raise CourseError(f"{CONFIG_NAME}: {what} is not a local time; write it as 2027-01-31 23:59") from error
        return max(parsed.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` that contains course_config.py. CourseError if there is none."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise CourseError(f"no {CONFIG_NAME} in {start} or above it; run the command inside a course's folder")


def load_or_start_course() -> Course:
    """Load the course of the working folder. In an empty folder outside a course, make one without assignments."""
    here = Path.cwd()
    try:
        find_root(here)
    except CourseError:
        if any(not path.name.startswith(".") for path in here.iterdir()):
            raise
        return Course(name=here.name, assignments=[], root=here)
    return load_course()


def _find_line(error: Exception, file: Path) -> str:
    """Return `:line` of the last call in `file` that raised `error`; empty if it was raised elsewhere."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f":{lines[-1]}" if lines else ""


def load_course(root: Path | None = None) -> Course:
    """Load COURSE from course_config.py in `root` (default: found from the working folder)."""
    root = find_root(root)
    config = root / CONFIG_NAME
    try:
        defined = runpy.run_path(str(config))
    except CourseError:
        raise
    except Exception as error:
        raise CourseError(f"{config}{_find_line(error, config)}: {public_name(error)}: {error}") from error
    if "COURSE" not in defined:
        raise CourseError(f"{config}: it does not define COURSE; write COURSE = Course(...)")
    course = defined["COURSE"]
    if not isinstance(course, Course):
        raise CourseError(f"{config}: COURSE is a {type(course).__name__}; write COURSE = Course(...)")
    return replace(course, root=root)
