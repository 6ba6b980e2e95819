"""release/ in this repository is what `course release` makes of source/, byte for byte, on any machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograde.course import load_course
from autograde.demo.course_copy import copy_course
from autograde.tests.commands import ROOT

COURSE = load_course(ROOT)
EDITOR_COPIES = ".ipynb_checkpoints"


def files_in(folder: Path) -> list[str]:
    """Relative paths of all files, but for what Jupyter keeps beside a notebook that was opened."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(file.as_posix() for file in files if EDITOR_COPIES not in file.parts)


@pytest.fixture(scope="module")
def released_now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All assignments released by the real command, under another account's settings and in another time zone."""
    root = tmp_path_factory.mktemp("fresh")
    copy_course(COURSE, root)
    settings = {"PATH": "/usr/bin:/bin", "HOME": str(root / "home"), "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-P", "-m", "autograde.cli", "release"]
    done = subprocess.run(
        command,
        cwd=root,
        env={**settings, "LANG": "C", "PYTHONHASHSEED": "7"},
        umask=0o077,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return root / "release"


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_committed_release_is_current(released_now: Path, slug: str) -> None:
    """An edit of source/ is committed together with the release that it makes."""
    advice = f"run `course release {slug}` and commit release/{slug}; never edit it by hand"
    now, committed = released_now / slug, COURSE.open(slug).paths.release
    assert files_in(now) == files_in(committed), advice
    for name in files_in(now):
        assert (now / name).read_bytes() == (committed / name).read_bytes(), f"release/{slug}/{name} differs: {advice}"


def test_committed_release_contains_nothing_else() -> None:
    """Neither an assignment that the course no longer lists nor a stray file."""
    assert sorted(path.name for path in (ROOT / "release").iterdir()) == sorted(COURSE.slugs)


@pytest.mark.parametrize("slug", COURSE.slugs)
def test_committed_release_names_no_machine(slug: str) -> None:
    """The format is valid, code was not run, and neither Python's version nor a kernel of the author's is named."""
    notebook = nbformat.read(COURSE.open(slug).paths.released_notebook, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None and cell.outputs == [] for cell in code)
    assert not os.access(COURSE.open(slug).paths.released_notebook, os.X_OK)
