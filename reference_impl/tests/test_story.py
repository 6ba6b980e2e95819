"""The story of the pipeline runs, and its model has learnt the last task."""

from pathlib import Path

import pytest

from reference_impl.story import tell


@pytest.mark.long
def test_story_ends_with_a_model_that_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(tmp_path)
    told = capsys.readouterr().out
    assert [line.partition(":")[0] for line in told.splitlines() if not line.startswith(" ")] == [
        "pretraining", "finetuning", "reward model", "DPO", "GRPO", "LoRA and int8",
    ]  # fmt: skip
    assert told.splitlines()[-1].endswith("!'")  # the task is to repeat the words with an exclamation mark
