"""The reader of submissions: any bytes in, a safe notebook or a clear sentence out."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograde.course import CourseError
from autograde.notebooks.extract import (
    Submission,
    SubmissionError,
    read_submission,
    submission_from_notebook,
    submission_from_text,
)
from autograde.notebooks.repair import is_locked, read_nbgrader_metadata
from autograde.tests.tiny_course import SLUG, make_course


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released notebook; made without a gradebook, which is quicker."""
    from autograde.notebooks.release import draft

    return draft(make_course(tmp_path_factory.mktemp("course")).open(SLUG))


@pytest.fixture
def notebook(release: Path) -> Any:
    return nbformat.read(release, as_version=4)


def read(data: bytes | str, release: Path) -> Submission:
    return submission_from_text(data, release, "ada", SLUG)


def locked(notebook: Any) -> dict[str, Any]:
    return {cell.id: cell for cell in notebook.cells if is_locked(cell)}


def test_repair_leaves_an_untouched_release_alone(release: Path) -> None:
    submission = read(release.read_bytes(), release)
    assert submission.problems == []
    assert [name for name, _ in submission.cells] == ["imports", "scale", "scale-checks"]
    assert submission.notebook.cells == nbformat.read(release, as_version=4).cells


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("code") | st.just("scale"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["cells", "cell_type", "source", "metadata", "nbgrader", "grade_id", "id", "worksheets", "input",
                         "outputs", "x"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_extract_reads_or_refuses_any_bytes(release: Path, data: bytes) -> None:
    for suffix in (".ipynb", ".py"):
        try:
            submission = submission_from_text(data, release, "ada", SLUG, suffix)
        except SubmissionError as refusal:
            assert str(refusal)
        else:
            assert locked(submission.notebook) == locked(nbformat.read(release, as_version=4))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 4, 4, 5, "4", True]), st.lists(json_values, max_size=5))
def test_extract_reads_or_refuses_any_json(release: Path, version: Any, cells: list[Any]) -> None:
    content = {"nbformat": version, "cells": cells, "worksheets": [{"cells": cells}], "metadata": {}}
    try:
        submission = read(json.dumps(content), release)
    except SubmissionError as refusal:
        assert str(refusal)
    else:
        nbformat.validate(submission.notebook)
        submission.notebook.cells[0].source.encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_repair_restores_locked_cells_after_any_shuffling(release: Path, data: st.DataObject) -> None:
    original = nbformat.read(release, as_version=4)
    cells = [copy.deepcopy(cell) for cell in data.draw(st.lists(st.sampled_from(original.cells), max_size=10))]
    for cell in cells:
        damage = data.draw(st.sampled_from(["none", "source", "metadata", "id", "type", "points"]))
        if damage == "source":
            cell["source"] = "print('mine')"
        elif damage == "metadata":
            cell["metadata"] = {"nbgrader": {"grade": "yes", "extra": [1]}}
        elif damage == "id":
            cell["id"] = "another"
        elif damage == "type":
            cell["cell_type"] = "markdown"
        elif damage == "points" and "nbgrader" in cell.metadata:
            cell.metadata.nbgrader["points"] = 1000
    text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    submission, again = read(text, release), read(text, release)
    assert submission == again
    assert locked(submission.notebook) == locked(original)
    assert len({cell.id for cell in submission.notebook.cells}) == len(submission.notebook.cells)
    points = {
        c.id: read_nbgrader_metadata(c).get("points")
        for c in submission.notebook.cells
        if read_nbgrader_metadata(c).get("grade")
    }
    assert points == {"scale-checks": 4, "why": 2}


def test_repair_keeps_a_copied_answer(release: Path, notebook: Any) -> None:
    second = copy.deepcopy(notebook.cells[2])
    second["source"], second["id"] = "def scale(x, factor): return 0", "copy"
    notebook.cells.insert(3, second)
    submission = submission_from_notebook(notebook, release, "ada", SLUG)
    assert [source for _, source in submission.cells][2] == second["source"]
    assert [problem.text for problem in submission.problems] == [
        "Cell 'scale' (cell 4) is a copy: it runs as an ordinary cell."
    ]


def test_repair_does_not_replace_a_deleted_answer_by_its_stub(release: Path, notebook: Any) -> None:
    notebook.cells[2] = nbformat.v4.new_code_cell("def scale(x, factor): return x * factor")
    submission = submission_from_notebook(notebook, release, "ada", SLUG)
    assert not any("NotImplementedError" in source for _, source in submission.cells)
    assert [problem.text for problem in submission.problems] == ["Cell 'scale', where an answer belongs, is missing."]


def test_extract_drops_outputs_attachments_and_kernel(release: Path, notebook: Any) -> None:
    notebook.cells[2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "SECRET"}]
    notebook.cells[5]["attachments"] = {"a.png": {"image/png": "SECRET"}}
    notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "SECRET"}
    notebook.metadata["widgets"] = "SECRET"
    submission = submission_from_notebook(notebook, release, "ada", SLUG)
    assert "SECRET" not in nbformat.writes(submission.notebook)
    assert [problem.text for problem in submission.problems] == [
        "Cell 'why' had files pasted into it; they were dropped."
    ]


def test_extract_reads_a_percent_script(release: Path) -> None:
    script = '# %% nbgrader={"grade_id": "scale"}\ndef scale(x, factor):\n    return x * factor\n'
    submission = submission_from_text(script, release, "ada", SLUG, ".py")
    assert ("scale", "def scale(x, factor):\n    return x * factor") in submission.cells


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "too deeply"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[]", "not a notebook"),
        (b'{"nbformat": 99, "cells": []}', "format is '99'"),
        (b'{"nbformat": 4, "cells": 3}', "no list of cells"),
    ],
)
def test_extract_names_unreadable_files(release: Path, data: bytes, words: str) -> None:
    with pytest.raises(SubmissionError, match=words):
        read(data, release)


def test_extract_upgrades_an_old_notebook(release: Path) -> None:
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": [], "language": "python", "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell], "metadata": {}}]}
    assert "x = 1" in [source for _, source in read(json.dumps(old), release).cells]


def test_extract_refuses_links_pipes_and_large_files(release: Path, tmp_path: Path) -> None:
    link, pipe, missing = tmp_path / "link.ipynb", tmp_path / "pipe.ipynb", tmp_path / "none.ipynb"
    link.symlink_to(release)
    os.mkfifo(pipe)
    for path, limit, words in [(link, 10**6, "link"), (pipe, 10**6, "not a plain"), (missing, 10**6, "No file"),
                               (release, 10, "larger than")]:  # fmt: skip
        with pytest.raises(SubmissionError, match=words):
            read_submission(path, release, "ada", SLUG, limit)


def test_extract_of_an_unreleased_assignment_is_a_mistake_of_the_instructor(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="course release"):
        read(b'{"nbformat": 4, "cells": []}', tmp_path / "x.ipynb")
