"""The demo writes every page and export, and says where each lies."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from autograde.course import load_course
from autograde.tests.checked_course import CONFIG, make_checked_course
from autograde.tests.tiny_course import SLUG

TOOLS = Path(__file__).parents[2] / "tools"
WRITTEN = (
    f"verified/{SLUG}.html", f"verified/{SLUG}.json", f"reports/{SLUG}.html", f"reports/{SLUG}-changes.html",
    f"reports/{SLUG}-changes.csv", f"reports/{SLUG}.csv", f"reports/{SLUG}-checks.csv", f"reports/{SLUG}-ideas.csv",
    "reports/term.html", "reports/term.csv", "gradings.jsonl", "grades-canvas.csv", "grades-moodle.csv", "results.json",
    "junit.xml", f"feedback/half-done/{SLUG}/{SLUG}.html",
)  # fmt: skip


def dead_links(root: Path) -> list[str]:
    """Links between the staff's pages and to feedback that lead nowhere."""
    dead = []
    for page in (*root.glob("reports/*.html"), *root.glob("verified/*.html")):
        for link in BeautifulSoup(page.read_text(), "html.parser").find_all("a", href=True):
            target = unquote(link["href"])
            if not target.startswith(("http", "#")) and not (page.parent / target).exists():
                dead.append(f"{page.name}: {target}")
    return dead


@pytest.mark.long
def test_the_demo_produces_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import simulate_class

    course = make_checked_course(tmp_path / "course")
    (course.root / "reference_impl").mkdir()
    config = course.root / "course_config.py"
    quick = CONFIG.replace("import Assignment", "import Limits, Assignment")
    config.write_text(quick.replace("late=", "limits=Limits(check_cpu_s=1, cell_wall_s=2), late="))
    monkeypatch.setenv("PYTHONPATH", str(TOOLS.parent))
    monkeypatch.setattr(simulate_class, "ROOT", course.root)
    into = tmp_path / "demo"
    status = simulate_class.main(into, 1, [SLUG])
    said = capfd.readouterr().out
    assert status == 0, said
    assert [name for name in WRITTEN if not (into / name).is_file()] == []
    for places in simulate_class.where_to_look(load_course(into), SLUG).values():
        for place in places:
            assert (into / place).is_file()
            assert place in said
    assert dead_links(into) == []
    class_page = (into / "reports" / f"{SLUG}.html").read_text()
    assert "1 student would see other points than before" in class_page
    assert simulate_class.main(tmp_path / "course", 1, [SLUG]) == 2, "no demo is there: nothing is overwritten"
