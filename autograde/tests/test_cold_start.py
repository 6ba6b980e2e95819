"""What a command need not import, it does not; what torch would import in the middle of a check is there before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autograde.course import Course, CourseError
from autograde.grading.pool import list_grader_modules
from autograde.isolation.preimports import FIRST_USES, list_zygote_modules
from autograde.isolation.zygote_client import Zygote, list_site_folders
from autograde.notebooks.release import read_points
from autograde.tests.conftest import Run
from autograde.tests.edits import edit
from autograde.tests.tiny_course import SLUG

CHECK = "console grading.pool grading.digests notebooks.extract pages.feedback reports.ci_formats"
SLOW = {"torch", "nbgrader", "jupytext", "sqlalchemy", "pytest", "hypothesis", "matplotlib", "IPython"}
USES = [
    ("torch._dynamo", "torch.optim.AdamW([weight]).step()"),
    ("torch._dynamo", "(torch.ones(2, 2, device='meta') @ weight.to('meta') / 3).softmax(-1)"),
    ("torch.distributed.tensor", "torch.testing.assert_close(weight, weight)"),
    ("torch.fx.experimental.symbolic_shapes", "torch.autograd.grad(weight * 2, weight, torch.ones(2))"),
]


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded when a fresh Python has run `code`, which prints those of interest."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_cold_start_check_command_does_not_import_the_grader() -> None:
    names = [f"autograde.{'cli.' if name == 'console' else ''}{name}" for name in CHECK.split()]
    assert not SLOW & loaded_by(f"import sys, autograde.cli, {', '.join(names)}\nprint(*sys.modules)")


@pytest.mark.parametrize(("module", "use"), USES)
def test_cold_start_torch_imports_nothing_more_at_first_use(module: str, use: str) -> None:
    ready = f"import sys, torch, {module}\nweight = torch.zeros(2, requires_grad=True)\nbefore = set(sys.modules)"
    assert len(loaded_by(f"{ready}\n{use}\nprint(*set(sys.modules) - before)")) <= 2
    assert {module for module, _ in USES} == set(FIRST_USES.values())


def test_cold_start_grader_does_not_read_the_source(released: Course) -> None:
    code = f"""
import sys, pathlib, autograde.grading.grader
from autograde.course import load_course
from autograde.notebooks.release import read_points
assert read_points(load_course(pathlib.Path({str(released.root)!r})).open({SLUG!r})) == {{'scale': 4.0}}
print(*sys.modules)"""
    assert "jupytext" not in loaded_by(code)
    edit(released.open(SLUG).paths.source, '"points": 4', '"points": 3')
    assert read_points(released.open(SLUG)) == {"scale": 3.0}, "changed since"


def test_preimports_include_the_meta_device(tiny_course: Course) -> None:
    with Path(tiny_course.open(SLUG).paths.hidden_tests / "test_scale.py").open("a") as file:
        file.write("# contract.follows_device\n")
    assert "torch._dynamo" in list_zygote_modules(tiny_course.open(SLUG))
    assert "torch._dynamo" not in list_grader_modules(tiny_course.open(SLUG)), "the reference is not asked"


def test_preimports_include_only_what_is_used(tiny_course: Course) -> None:
    paths = tiny_course.open(SLUG).paths
    assert list_zygote_modules(tiny_course.open(SLUG)) == ("math",)
    assert not set(FIRST_USES.values()) & set(list_grader_modules(tiny_course.open(SLUG)))
    with Path(paths.hidden_tests / "test_scale.py").open("a") as file:
        file.write("# student.gradients\n")
    assert "torch.fx.experimental.symbolic_shapes" in list_grader_modules(tiny_course.open(SLUG))
    assert "torch.fx.experimental.symbolic_shapes" in list_zygote_modules(tiny_course.open(SLUG))
    with paths.source.open("a") as file:
        file.write("\n# %%\nimport json, torch\noptimizer = torch.optim.SGD\n")
    assert list_zygote_modules(tiny_course.open(SLUG)) == (
        "json",
        "math",
        "torch",
        "torch._dynamo",
        "torch.fx.experimental.symbolic_shapes",
    )


@pytest.mark.parametrize("cell", ["%matplotlib inline", "x = (", "\0", "# ### BEGIN SOLUTION"])
def test_preimports_accept_a_source_that_is_being_edited(released: Course, cell: str) -> None:
    source = released.open(SLUG).paths.source
    source.write_text(f"{source.read_text()}\n# %%\n{cell}\n")
    list_zygote_modules(released.open(SLUG))
    assert read_points(released.open(SLUG)) == {"scale": 4.0}


def test_preimports_accept_a_missing_source(released: Course) -> None:
    released.open(SLUG).paths.source.unlink()
    assert list_zygote_modules(released.open(SLUG)) == ()
    assert read_points(released.open(SLUG)) == {"scale": 4.0}
    released.open(SLUG).paths.released_notebook.unlink()
    with pytest.raises(CourseError, match="no such file"):
        read_points(released.open(SLUG))


def test_preimports_ignore_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "broken_here.py").write_text("raise RuntimeError('built for another torch')")
    with Zygote(("broken_here", "not_there"), sites=(*list_site_folders(), str(tmp_path))) as zygote:
        zygote.wait_until_ready()


def test_zygote_has_formatted_an_error_before_the_first_submission(run: Run) -> None:
    """IPython reads its own source to tell of the first, which is done before."""
    first = (
        "import sys\nassert 'executing' in sys.modules\nassert not hasattr(sys, 'last_value')\nassert In == ['', In[1]]"
    )
    (told,) = run(first).cells
    assert told.error == ""
