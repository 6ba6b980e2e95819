"""tools/compare_gradings.py names every difference between two snapshots of grading, in its column."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from autograde.report import decode_report, encode_report
from autograde.tests.edits import edit
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG


def make_snapshot(folder: Path) -> Path:
    """A snapshot of one student, whose folder this returns."""
    kept = folder / SLUG
    for name in ("reports", "feedback"):
        (kept / name).mkdir(parents=True)
    run = {"statuses": {"grade": 0}, "submissions": {"ada": "0"}, "not_graded": {}, "folder": str(folder), "seconds": 1}
    (kept / "run.json").write_text(json.dumps(run))
    (kept / "reports" / "ada.json").write_bytes(encode_report(make_report(points=3.0)))
    (kept / "feedback" / "ada.html").write_bytes(b"<p>3 of 4</p>")
    (kept / "scores.csv").write_text("student,cell,auto_score\nada,scale-checks,3\n")
    return kept


COMPARED = {
    "points": ("reports/ada.json", '"points": 3.0', '"points": 2.5'),
    "outcomes": ("reports/ada.json", '"failed"', '"crashed"'),
    "hints": ("reports/ada.json", '"hint": ""', '"hint": "Multiply."'),
    "reproductions": ("reports/ada.json", '"replay": ""', '"replay": "scale(2, 3)"'),
    "other fields": ("reports/ada.json", "any number is scaled", "any number is scaled."),
    "exit statuses": ("run.json", '"grade": 0', '"grade": 1'),
    "programs": ("run.json", '"ada": "0"', '"ada": "1"'),
    "refusals": ("run.json", '"not_graded": {}', '"not_graded": {"ben": "no file"}'),
    "scores and exports": ("scores.csv", "checks,3", "checks,2"),
    "pages": ("feedback/ada.html", "3 of 4", "2 of 4"),
}


@pytest.mark.parametrize("column", COMPARED)
def test_compare_gradings_reports_each_kind_of_difference(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was changed is named in its column, and nothing else is; equal snapshots have no difference."""
    from tools import compare_gradings

    name, before, after = COMPARED[column]
    old, new = make_snapshot(tmp_path / "old"), make_snapshot(tmp_path / "new")
    monkeypatch.setattr(sys, "argv", ["compare_gradings", "compare", str(old.parent), str(new.parent)])
    assert compare_gradings.main() == 0
    assert "differences: 0" in capsys.readouterr().out
    edit(new / name, before, after)
    assert compare_gradings.main() == 1
    said = capsys.readouterr().out
    assert f"{SLUG}: {column}: " in said
    assert "differences: 1" in said


def test_compare_gradings_notices_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page or an assignment that is only in one of the snapshots is a difference; two empty folders are a mistake."""
    from tools import compare_gradings

    old, new = make_snapshot(tmp_path / "old"), make_snapshot(tmp_path / "new")
    monkeypatch.setattr(sys, "argv", ["compare_gradings", "compare", str(old.parent), str(new.parent)])
    (new / "feedback" / "ada.html").unlink()
    assert compare_gradings.main() == 1
    shutil.rmtree(new)
    assert compare_gradings.main() == 1
    shutil.rmtree(old)
    with pytest.raises(SystemExit):
        compare_gradings.main()


def test_compare_gradings_follows_the_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed field is compared under both names, with all that is below it; a field left out is not compared."""
    from tools import compare_gradings

    old, new = make_snapshot(tmp_path / "old"), make_snapshot(tmp_path / "new")
    report = new / "reports" / "ada.json"
    edit(report, '"verdicts"', '"results"')
    edit(report, '"title"', '"heading"')
    mapping = tmp_path / "mapping.json"
    command = ["compare_gradings", "compare", str(old.parent), str(new.parent), "--mapping", str(mapping)]
    monkeypatch.setattr(sys, "argv", command)
    renamed = {"exercises[].verdicts": "exercises[].results"}
    for more, status in (({}, 1), ({"exercises[].verdicts[].title": "exercises[].results[].heading"}, 0)):
        mapping.write_text(json.dumps({"renamed": renamed | more}))
        assert compare_gradings.main() == status
    edit(report, '"points": 3.0', '"points": 2.0')
    assert compare_gradings.main() == 1
    left_out = {"exercises[].results[].points": "a test of the mapping"}
    mapping.write_text(json.dumps({"renamed": renamed | more, "left_out": left_out}))
    assert compare_gradings.main() == 0


def test_compare_gradings_upgrades_old_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of an older version equals the same report in the present one, and differs from any other."""
    from tools import compare_gradings

    old, new = make_snapshot(tmp_path / "old"), make_snapshot(tmp_path / "new")
    before = (Path(__file__).parent / "data" / "report-2.json").read_bytes()
    same = decode_report(before)
    different = msgspec.structs.replace(same, exercises=same.exercises[1:])
    (old / "reports" / "ada.json").write_bytes(before)
    monkeypatch.setattr(sys, "argv", ["compare_gradings", "compare", str(old.parent), str(new.parent)])
    for report, status in ((same, 0), (different, 1)):
        (new / "reports" / "ada.json").write_bytes(encode_report(report))
        assert compare_gradings.main() == status
