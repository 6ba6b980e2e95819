"""The command line: every command explains itself, mistakes are one sentence, programs get JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograde.cli import main
from autograde.course import Course
from autograde.isolation.zygote_client import Zygote, ZygoteError
from autograde.records.gradebook import record
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, submit


def run(course: Course, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(course.root)
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", sorted(main.commands))
def test_cli_help_of_every_command_has_an_example(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert f"Example: course {name}" in shown.output
    summary = main.commands[name].get_short_help_str(limit=60)
    assert not summary.endswith("..."), "the list of commands would cut it off"
    for option in main.commands[name].params:
        assert option.param_type_name == "argument" or getattr(option, "help", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "a01_scal"], "no assignment 'a01_scal' in course_config.py; did you mean a01_scale?"),
        (["grade", SLUG], "no submissions in"),
        (["grade", SLUG, "--student", "nobody"], "no submission of 'nobody'"),
        (["feedback", SLUG], "run `course grade a01_scale`"),
        (["check", "gone.ipynb", "--assignment", SLUG], "gone.ipynb: no such file"),
        (
            ["check", "gone.ipynb", "--assignment", "other"],
            "no assignment 'other' in course_config.py; it lists a01_scale",
        ),
        (["new", "Bad Slug", "--title", "x"], "lower-case letters"),
        (["verify", SLUG, "--exercise", "scal"], "a01_scale has no exercise 'scal'; it has scale"),
    ],
)
def test_cli_reports_a_mistake_in_one_sentence_with_status_2(
    released: Course, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    submit(released, "ada") if "nobody" in arguments else None
    result = run(released, monkeypatch, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("COURSE = (", "SyntaxError"),
        ("x = 1", "it does not define COURSE"),
        ("x = {}['grader']", "KeyError: 'grader'"),
        (
            "from autograde.course import Assignment, Course\nCOURSE = Course('c', [Assignment('term', title='T')])",
            "term",
        ),
        (
            "from autograde.course import Limits\nLimits(memory_bytes=2e9)",
            "memory_bytes=2000000000.0; a number of bytes must be an int",
        ),
        ("from autograde.course import Limits\nLimits(check_cpu_s=0)", "check_cpu_s=0; a limit must be greater than 0"),
        ("from autograde.course import Late\nLate(per_day=10)", "per_day=10; it must be a share of the score"),
        ("from autograde.course import Late\nLate(grace_minutes=-1)", "grace_minutes=-1; it must not be negative"),
        ("COURSE = 5", "COURSE is a int; write COURSE = Course"),
        (
            "from autograde.course import Assignment, Course\nCOURSE = Course('c', [Assignment('a', title='A')] * 2)",
            "listed twice",
        ),
        ("from autograde.course import Course\nCOURSE = Course('c', [], device='gpu')", "use 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_cli_names_a_broken_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, said: str) -> None:
    (tmp_path / "course_config.py").write_text(config)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert said in result.stderr
    assert "course_config.py" in result.stderr


def test_cli_reports_a_zygote_that_does_not_start(released: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(self: Zygote) -> None:
        raise ZygoteError("the zygote was not ready within 120 s")

    monkeypatch.setattr(Zygote, "wait_until_ready", late)
    submit(released, "ada")
    result = run(released, monkeypatch, "grade", SLUG)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: the zygote was not ready within 120 s; run `course doctor`\n"
    shown = run(released, monkeypatch, "doctor")
    assert shown.exit_code == 1
    assert "confinement: MISSING: the zygote was not ready" in shown.stdout


def test_cli_outside_a_course_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor"])
    assert (result.exit_code, str(tmp_path) in result.stderr) == (2, True)


def test_cli_release_and_doctor_print_json(released: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run(released, monkeypatch, "release", "--json").stdout) == [
        str(released.open(SLUG).paths.released_notebook)
    ]
    found = json.loads(run(released, monkeypatch, "doctor", "--json").stdout)
    assert found["gradebook"] == "exists"
    assert found["confinement"].startswith(("level ", "MISSING: "))


def test_doctor_fails_when_something_is_missing(released: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograde.cli.doctor.PACKAGES", ("torch", "a-package-that-is-not-there"))
    result = run(released, monkeypatch, "doctor")
    assert result.exit_code == 1
    assert "a-package-that-is-not-there: MISSING" in result.stdout


def test_export_writes_grades(released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(released, "ada")
    fake_grader.reports = {"ada": make_report(points=2.5)}
    assert record(released.open(SLUG), ["ada"]) == {}
    assert run(released, monkeypatch, "export", "--to", "marks.csv").exit_code == 0
    header, row = (released.root / "marks.csv").read_text().splitlines()
    marks = dict(zip(header.split(","), row.split(","), strict=True))
    assert (marks["student_id"], marks["raw_score"], marks["max_score"]) == ("ada", "2.5", "6.0")


def test_export_refuses_without_a_gradebook(tiny_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(tiny_course, monkeypatch, "export")
    assert (result.exit_code, "run `course release`" in result.stderr) == (2, True)
