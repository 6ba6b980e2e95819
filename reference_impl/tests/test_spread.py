"""Every bound of the pipeline is judged by measured seeds, and the docs show those measurements."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest
import torch

from reference_impl.claims import CLAIMS, Claim
from reference_impl.milestones import Milestone, write
from reference_impl.presets import PRESETS
from reference_impl.run import Run
from reference_impl.spread import T_99, Spread, collect, fingerprint, record, recorded, spreads
from reference_impl.tables import as_markdown

DOCS = Path(__file__).parents[2] / "docs" / "reference.md"
RISE = Claim("DPO", "raises the reward", "score", "above", 0.02, 1.0)
MEASURED = spreads("tiny")


@pytest.mark.parametrize("name", MEASURED, ids=" ".join)
def test_recorded_bound_is_safe(name: tuple[str, str]) -> None:
    one = MEASURED[name]
    assert one.is_safe, f"the room inside the bound is {one.safety:.2f} of what its spread asks for: {one.room}"


def test_recorded_figures_are_of_the_current_settings() -> None:
    found = recorded("tiny")
    assert found["settings"] == fingerprint(PRESETS["tiny"]), "measure again: python -m reference_impl spread"
    assert len(found["runs"]) >= 5


def test_recorded_figures_are_of_every_claim() -> None:
    """Of those that the preset makes: it leaves out PPO and two of the tasks."""
    left_out = {"PPO", *(f"follows instructions: {task}" for task in ("add", "shout"))}
    assert {claim.part for claim in CLAIMS} - {part for part, _ in MEASURED} == {"PPO"}
    assert {claim.says for claim in CLAIMS if claim.part not in left_out} - {says for _, says in MEASURED} <= left_out


def test_docs_show_the_recorded_figures() -> None:
    assert as_markdown(MEASURED.values()) in DOCS.read_text()


def test_spread_safety_is_mean_room_over_what_its_spread_needs() -> None:
    """By hand: mean 0.04, standard deviation 0.01, and 6.965 · 0.01 · √(4/3) needed."""
    found = Spread(RISE, [0.5, 0.5, 0.5], [0.55, 0.56, 0.57])
    assert found.room == pytest.approx([0.03, 0.04, 0.05])
    assert found.safety == pytest.approx(0.04 / 0.0804, rel=1e-3)
    assert not found.is_safe
    assert Spread(RISE, [0.5, 0.5, 0.5], [0.559, 0.56, 0.561]).is_safe


@pytest.mark.parametrize("degrees", range(1, 10))
def test_t_99_is_exceeded_once_in_a_hundred_times(degrees: int) -> None:
    """By the density of Student's t, integrated from −t to t; the substitution x = tan(u) makes the range finite."""
    u = torch.linspace(-math.atan(T_99[degrees - 1]), math.atan(T_99[degrees - 1]), 100_001, dtype=torch.float64)
    density = torch.distributions.StudentT(torch.tensor(float(degrees), dtype=torch.float64)).log_prob(u.tan()).exp()
    inside = torch.trapezoid(density / u.cos().square(), u).item()
    assert (1 - inside) / 2 == pytest.approx(0.01, rel=1e-3)


def test_a_bound_that_is_just_safe_is_missed_once_in_a_hundred_times() -> None:
    """Simulated: five seeds set the bound, a sixth meets it or not."""
    draws = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    number = Claim("p", "c", "m", "at least", 0.0)
    factors = []
    for row in draws[:200].tolist():
        spread = Spread(number, [None] * 5, [figure + 100 for figure in row[:5]])
        factors.append((statistics.fmean(row[:5]) + 100) / spread.safety / statistics.stdev(row[:5]))
    assert factors == pytest.approx([factors[0]] * 200)
    bounds = draws[:, :5].mean(dim=1) - factors[0] * draws[:, :5].std(dim=1)
    assert (draws[:, 5] < bounds).double().mean().item() == pytest.approx(0.01, abs=0.003)


def test_spread_of_exact_figures_is_safe_on_the_right_side_only() -> None:
    exact = Claim("serving", "answers over HTTP", "share", "at least", 1.0)
    assert Spread(exact, [None, None], [1.0, 1.0]).is_safe
    assert not Spread(exact, [None, None], [0.8, 0.8]).is_safe
    rise = Claim("classification", "does better", "accuracy", "above", 0.0, 1.0)
    assert not Spread(rise, [0.5, 0.5], [0.5, 0.5]).is_safe
    assert Spread(rise, [0.5, 0.5], [0.6, 0.6]).is_safe


def test_spread_that_a_run_does_not_meet_is_not_safe() -> None:
    """Not even where a hundred other runs do by far."""
    assert not Spread(RISE, [0.5] * 100, [0.51] + [0.6] * 99).is_safe
    assert Spread(RISE, [0.5] * 100, [0.57] + [0.6] * 99).is_safe


def test_spread_of_one_seed_says_nothing() -> None:
    one = Spread(RISE, [0.5], [0.9])
    assert math.isnan(one.safety)
    assert not one.is_safe
    assert "unknown" in as_markdown([one])


def fake_run(folder: Path, seed: int, stages: dict[str, list[Milestone]]) -> Path:
    for stage, found in stages.items():
        (folder / stage).mkdir(parents=True)
        write(folder / stage / "milestones.json", found)
    run = Run(folder, "tiny", torch.device("cpu"), seed=seed)
    (folder / "run.json").write_text(json.dumps(run.describe()))
    return folder


def test_record_keeps_a_run_that_has_not_done_every_stage(tmp_path: Path) -> None:
    dpo, lora = (next(claim for claim in CLAIMS if claim.part == part) for part in ("DPO", "LoRA"))
    whole = fake_run(tmp_path / "a", 0, {"dpo": [Milestone(dpo, 0.5, 0.6)], "lora": [Milestone(lora, 0.0, 1.0)]})
    half = fake_run(tmp_path / "b", 7, {"dpo": [Milestone(dpo, 0.4, 0.123456789)]})
    data = tmp_path / "spread.json"
    data.write_text(json.dumps({"gpu": {"settings": "other", "runs": [], "figures": []}}))
    record("tiny", [whole, half], data)
    assert recorded("tiny", data) == collect("tiny", [whole, half])
    assert recorded("gpu", data)["settings"] == "other"
    assert [run["seed"] for run in recorded("tiny", data)["runs"]] == [0, 7]
    found = spreads("tiny", data)
    assert found["DPO", dpo.says] == Spread(dpo, [0.5, 0.4], [0.6, 0.123457])
    assert found["LoRA", lora.says].after == [1.0]
    assert [row["seeds"] for row in recorded("tiny", data)["figures"]] == [[0, 7], [0]]


def test_fingerprint_changes_with_a_setting() -> None:
    assert len({fingerprint(preset) for preset in PRESETS.values()}) == len(PRESETS)
    assert fingerprint(PRESETS["tiny"]) == fingerprint(PRESETS["tiny"])


def test_a_preset_that_was_not_measured_has_no_spread(tmp_path: Path) -> None:
    assert spreads("gpu", tmp_path / "none.json") == {}
