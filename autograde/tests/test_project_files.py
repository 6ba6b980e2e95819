"""What contributors and packagers read agrees with the project: versions, hooks, the CI workflow, the wheel's contents."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from click.testing import CliRunner

from autograde import __version__
from autograde.cli import main

ROOT = Path(__file__).parents[2]
YAML_FILES = [
    ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml", ROOT / ".github/workflows/ci.yml",
    *sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")),
]  # fmt: skip
MARKDOWN = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_project_version_is_the_same_everywhere() -> None:
    """It is written in autograde/__init__.py, and in CITATION.cff, which no program fills in."""
    assert read_yaml("CITATION.cff")["version"] == __version__
    assert METADATA["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "autograde.__version__"}
    assert "version" not in METADATA["project"]
    assert CliRunner().invoke(main, ["--version"]).output == f"course, version {__version__}\n"


def test_project_licence_and_title_are_the_same_everywhere() -> None:
    citation, project = read_yaml("CITATION.cff"), METADATA["project"]
    assert (citation["license"], citation["title"]) == (project["license"], project["name"])
    assert citation["abstract"] == project["description"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert (ROOT / "LICENSE").read_text().startswith(f"{project['license']} License\n")


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_project_yaml_files_parse(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_project_issue_forms_have_what_the_forge_requires() -> None:
    """A name, a description, and a body in which every question has an id of its own and a label."""
    forms = [path for path in YAML_FILES if path.parent.name == "ISSUE_TEMPLATE" and path.name != "config.yml"]
    assert len(forms) == 3
    for form in (read_yaml(str(path)) for path in forms):
        assert form["name"]
        assert form["description"]
        questions = [part for part in form["body"] if part["type"] != "markdown"]
        assert all(part["attributes"]["label"] for part in questions)
        assert len({part["id"] for part in questions}) == len(questions)


def test_project_hooks_call_what_make_setup_installs() -> None:
    hooks = [hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {hook["entry"].split()[0] for hook in hooks} == {".venv/bin/ruff", ".venv/bin/mypy"}
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        found = shutil.which(Path(program).name, path=str(Path(sys.executable).parent))
        assert found, f"{program} of hook {hook['id']} is not installed"
        shown = subprocess.run([found, *arguments, "--help"], capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stderr


def test_project_ci_calls_targets_of_the_makefile() -> None:
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    made = {target for command in commands for target in re.findall(r"\bmake (\w+)", command)}
    assert made == {"check", "test"}
    assert made <= TARGETS


def test_project_ci_runs_the_pythons_that_it_claims() -> None:
    claimed = [
        name.rpartition(" ")[2]
        for name in METADATA["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
    ]
    assert read_yaml(".github/workflows/ci.yml")["jobs"]["check"]["strategy"]["matrix"]["python"] == claimed
    assert METADATA["project"]["requires-python"] == f">={claimed[0]}"


def test_project_ci_pins_official_actions_and_uses_no_secret() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)
    assert "secrets." not in text


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_docs_named_files_exist(path: Path) -> None:
    """Links, and paths in code quotes."""
    text = path.read_text()
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if not target.startswith("https://")]
    quoted = re.findall(r"`([\w./-]+(?:/|\.py|\.md|\.txt|\.cff|\.toml))`", text)
    missing = [name for name in links + quoted if not (ROOT / name).exists()]
    assert not missing


def test_docs_contributing_quotes_targets_of_the_makefile() -> None:
    quoted = set(re.findall(r"(?:`|^    )make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert {"setup", "check", "test"} <= quoted <= TARGETS


def test_project_wheel_has_types_and_templates_and_no_tests(tmp_path: Path) -> None:
    """Built from a copy of the package alone, without a network."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "autograde", tmp_path / "autograde", ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"
    built = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert built.returncode == 0, built.stderr
    with ZipFile(tmp_path / "dist" / built.stdout.splitlines()[-1]) as wheel:
        names = set(wheel.namelist())
    templates = [path for path in (ROOT / "autograde/templates").rglob("*") if path.is_file()]
    assert {path.relative_to(ROOT).as_posix() for path in [*templates, ROOT / "autograde/py.typed"]} <= names
    assert f"llm_course_kit-{__version__}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if name.startswith("autograde/tests/")]
