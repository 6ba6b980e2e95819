"""A package that tests compare with: without it a test is skipped, and fails where `make test` asks for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HIDES = "import sys\nsys.modules['transformers'] = None  # what an import finds where it is not installed\n"
TESTS = """
import pytest

pytestmark = pytest.mark.needs("pytest")


@pytest.fixture
def model():
    import transformers


@pytest.mark.needs("transformers")
def test_compares(model): ...


def test_compares_with_nothing(): ...
"""


def pytest_on(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest, with the project's own settings, on TESTS, where transformers cannot be imported."""
    (folder / "hides.py").write_text(HIDES)
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "hides", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), str(folder / "test_it.py")],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_needed_packages_skips_a_test_whose_package_is_missing(tmp_path: Path) -> None:
    """It says which package; a test that needs none runs."""
    done = pytest_on(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 skipped" in done.stdout
    assert "not installed: transformers;" in done.stdout


@pytest.mark.parametrize("processes", [[], ["-p", "xdist", "-n", "1"]])
def test_needed_packages_fails_under_require_all(tmp_path: Path, processes: list[str]) -> None:
    done = pytest_on(tmp_path, "--require-all", *processes)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert "not installed: transformers;" in done.stdout


def test_needed_packages_are_all_required_by_make_test() -> None:
    """And `make check` does not: it must run in an environment with the packages of development alone."""
    runs = {
        target: [line for line in dry_run(target).splitlines() if "/pytest " in line] for target in ("test", "check")
    }
    assert len(runs["test"]) == 2
    assert all(" --require-all " in line for line in runs["test"])
    assert not any("--require-all" in line for line in runs["check"])


def dry_run(target: str) -> str:
    """What `make TARGET` would do."""
    done = subprocess.run(["make", "-n", "-C", ROOT, target], capture_output=True, text=True, check=True)
    return done.stdout
