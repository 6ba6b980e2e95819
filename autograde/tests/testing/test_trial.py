"""What a comparison knows of the trial that it belongs to, and of no other."""

from __future__ import annotations

import pytest
import torch

from autograde.testing import Mismatch, Oracle
from autograde.testing.decoys import find_decoy
from autograde.testing.trial import Trial, current_trial, run_trial

ORACLE = Oracle(lambda x: x * 2)


def test_trial_outside_a_check_keeps_nothing() -> None:
    ORACLE.compare(torch.tensor(2.0), torch.tensor(1.0))
    assert current_trial().evidence.observations == []
    assert current_trial() is not current_trial()


def test_running_collects_evidence_and_errors_in_its_own_trial_only() -> None:
    outer, inner = Trial(), Trial()
    with run_trial(outer):
        ORACLE.compare(torch.tensor(2.0), torch.tensor(1.0))
        with run_trial(inner), pytest.raises(Mismatch):
            ORACLE.compare(torch.tensor(3.0), torch.tensor(1.0))
        assert current_trial() is outer
    assert (len(outer.evidence.observations), outer.error_ratios) == (1, [0.0])
    assert len(inner.evidence.observations) == 1
    assert inner.error_ratios[0] > 1


def test_running_restores_the_trial_after_an_exception() -> None:
    outer = Trial()
    with run_trial(outer):
        with pytest.raises(KeyError), run_trial(Trial()):
            raise KeyError
        assert current_trial() is outer


def test_decoy_of_a_trial_replaces_the_answer_there_only() -> None:
    with run_trial(Trial(decoy=find_decoy("zeros"))), pytest.raises(Mismatch):
        ORACLE.compare(torch.tensor(2.0), torch.tensor(1.0))
    with run_trial(Trial()):
        ORACLE.compare(torch.tensor(2.0), torch.tensor(1.0))


def test_restart_keeps_evidence_and_decoy_but_no_error_ratios() -> None:
    first = Trial(decoy=find_decoy("zeros"), error_ratios=[0.5])
    second = first.restart(None)  # type: ignore[arg-type]
    assert (second.evidence, second.decoy, second.error_ratios) == (first.evidence, first.decoy, [])
    assert first.error_ratios == [0.5]
