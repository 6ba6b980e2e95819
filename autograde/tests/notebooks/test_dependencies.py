"""A report depends on the reference that its checks import, and on no other part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.course import Course, load_course
from autograde.grading.digests import hash_checks
from autograde.notebooks.dependencies import list_check_files
from autograde.tests.checked_course import make_checked_course
from autograde.tests.tiny_course import SLUG

FILES = {
    "__init__.py": "",
    "scaling.py": "from reference_impl.inner import deep\nimport torch\n",
    "inner/__init__.py": "from . import beside\n",
    "inner/deep.py": "from ..shared import unit\n",
    "inner/beside.py": "",
    "shared.py": "unit = 1\n",
    "server.py": "import reference_impl.scaling\n",
}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = make_checked_course(tmp_path)
    for name, text in FILES.items():
        file = tmp_path / "reference_impl" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    tests = course.open(SLUG).paths.hidden_tests / "test_scale.py"
    tests.write_text("import reference_impl.scaling as scaling\n" + tests.read_text())
    return course


def test_dependencies_include_indirect_imports_only(course: Course) -> None:
    found = {str(path.relative_to(course.root / "reference_impl")) for path in list_check_files(course.open(SLUG))[1:]}
    assert found == FILES.keys() - {"server.py"}


@pytest.mark.parametrize(("name", "counts"), [("inner/deep.py", True), ("shared.py", True), ("server.py", False)])
def test_dependencies_digest_changes_with_what_checks_can_see(course: Course, name: str, counts: bool) -> None:
    before = hash_checks(course.open(SLUG))
    with (course.root / "reference_impl" / name).open("a") as file:
        file.write("# edited\n")
    assert (hash_checks(course.open(SLUG)) != before) is counts


def test_dependencies_of_every_assignment_include_its_reference() -> None:
    course = load_course(Path(__file__).parents[3])
    for slug in course.slugs:
        parts = {path.parent.name for path in list_check_files(course.open(slug))}
        assert {"reference_impl", slug} <= parts
