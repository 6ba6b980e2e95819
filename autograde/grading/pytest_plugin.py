"""The pytest plug-in: collects the checks, provides their `student`, and runs each with the course's seed.

`pytest hidden_tests/<slug>` grades the instructor's own solution, `--submission FILE` another file. The engine uses the
same plug-in: it collects once and then runs the same items again for every submission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograde import startup  # noqa: F401  # first
from autograde.client.student import Student
from autograde.grading.check_forks import SPARE, CheckForks
from autograde.grading.collection_errors import report_errors
from autograde.grading.verdicts import judge_exception
from autograde.report import Outcome, Reveal
from autograde.testing.checks import Check
from autograde.testing.decoys import KINDS, find_decoy
from autograde.testing.diagnosis import Evidence


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("autograde")
    group.addoption("--submission", help="grade this notebook or .py instead of the instructor's solution")
    group.addoption("--device", default="cpu", help="where the submission computes: cpu or cuda")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Report what is wrong with a test file in a sentence, before anything is graded."""
    outcome: Any = yield
    report_errors(collector, outcome.get_result())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a check on the student of its item; pytest runs any other test."""
    check = getattr(pyfuncitem.obj, "check", None)
    if check is None:
        return None
    stash = pyfuncitem.config.stash
    evidence = stash.setdefault(EVIDENCE, Evidence())
    earlier = stash.setdefault(EARLIER, {}).setdefault(pyfuncitem.path, {})
    name, seed = stash.get(DECOY, ""), stash.get(SEED, 0)
    before, earlier[check.name] = dict(earlier), False
    check.run(pyfuncitem.funcargs["student"], seed, evidence, find_decoy(name), before, KINDS.get(name))
    earlier[check.name] = True
    return True


SEED: pytest.StashKey[int] = pytest.StashKey()
EVIDENCE: pytest.StashKey[Evidence] = pytest.StashKey()
"""What the submission has answered so far, in all checks."""
EARLIER: pytest.StashKey[dict[Path, dict[str, bool]]] = pytest.StashKey()
"""Test file -> check -> did the submission pass it; in the order in which they ran."""
DECOY: pytest.StashKey[str] = pytest.StashKey()
"""The name of what is compared instead of the submission's answers, if anything."""
RAISED: pytest.StashKey[BaseException | None] = pytest.StashKey()
"""The first exception that the check raised, in any phase; None if it passed."""
STUDENT: pytest.StashKey[Callable[[pytest.Item], Any]] = pytest.StashKey()
"""Opens the student of an item; absent if an author runs pytest directly."""


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Iterator[Student]:
    """The submission under test, in its own worker."""
    open_student = request.config.stash.get(STUDENT, None)
    if open_student is not None:
        with open_student(request.node) as proxy:
            yield proxy
        return
    forks: CheckForks = request.getfixturevalue("_forks")
    with forks.open_student() as proxy:
        yield proxy
    forks.close()  # an author who runs one check wants the result of that check alone


@pytest.fixture(scope="session")
def _zygote() -> Iterator[Any]:
    from autograde.isolation.preimports import FIRST_USES
    from autograde.isolation.zygote_client import Zygote

    with Zygote(modules=tuple(FIRST_USES.values())) as zygote:
        zygote.wait_until_ready()
        yield zygote


@pytest.fixture(scope="module")
def _forks(request: pytest.FixtureRequest, _zygote: Any) -> Iterator[CheckForks]:
    """The instructor's solution (or --submission), run once for all checks of a test file."""
    from autograde.course import CourseError, load_course
    from autograde.isolation.confinement_probes import probe_confinement
    from autograde.isolation.launch import open_submission
    from autograde.notebooks.extract import SubmissionError
    from autograde.notebooks.load import load_submission

    slug, file = request.path.parent.name, request.config.getoption("--submission")
    checks = sum(hasattr(getattr(item, "obj", None), "check") for item in request.session.items)
    device = request.config.getoption("--device")
    try:
        work = load_course(Path(str(request.path)).parent).open(slug)
        submission = load_submission(work, file)
        probe_confinement(_zygote, work.course, untrusted=file is not None)
    except (CourseError, SubmissionError) as error:
        pytest.exit(str(error), returncode=2)
    with (
        open_submission(work, submission, _zygote.control, checks + SPARE, device) as running,
        CheckForks(running, running.limits, device) as forks,
    ):
        yield forks


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Report a failed check as feedback does, without the grader's traceback."""
    outcome: Any = yield
    check: Check | None = getattr(getattr(item, "obj", None), "check", None)
    if check is None or call.excinfo is None:
        return
    if item.stash.get(RAISED, None) is None:
        item.stash[RAISED] = call.excinfo.value
    verdict = judge_exception(check, call.excinfo.value, Reveal.EXPECTED)
    if verdict.outcome is not Outcome.BROKEN:
        hint = verdict.hint and f"hint: {verdict.hint}"
        parts = [verdict.outcome.name, verdict.title, verdict.reason, hint, verdict.replay]
        outcome.get_result().longrepr = "\n".join(part for part in parts if part)
