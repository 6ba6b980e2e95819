"""DPO raises the probability of chosen responses over rejected ones, and continues after an interruption."""

import copy
from functools import partial
from pathlib import Path

import torch

from reference_impl.alignment.dpo_training import DPOTrainer, collate_preferences
from reference_impl.alignment.grpo import token_logprobs
from reference_impl.alignment.reward_training import Pair
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.data import Batches
from reference_impl.training.loop import TrainConfig

QUESTIONS = ["a", "bc", "de", "f"]


def make_trainer(
    policy: LanguageModel,
    chat: ChatTokenizer,
    pairs: list[Pair],
    reference: LanguageModel,
    *,
    steps: int,
    folder: Path | None = None,
) -> DPOTrainer:
    batches = Batches(pairs, 4, partial(collate_preferences, pad=chat.pad, device=torch.device("cpu")))
    config = TrainConfig(steps, 5e-3, warmup=2, weight_decay=0.0, log_every=1, checkpoint_every=2)
    return DPOTrainer(policy, reference, batches, config, folder=folder)


def test_dpo_trainer_prefers_the_chosen_and_keeps_the_reference(policy: LanguageModel, chat: ChatTokenizer) -> None:
    reference = copy.deepcopy(policy)
    before = {name: value.clone() for name, value in reference.state_dict().items()}
    pairs = [Pair(chat.prompt(question), chat.response("e"), chat.response("xyz")) for question in QUESTIONS]
    batch = collate_preferences(pairs, chat.pad, torch.device("cpu"))
    assert batch["chosen_mask"].sum() == 4 * len(chat.response("e"))
    make_trainer(policy, chat, pairs, reference, steps=24).run()
    margins = []
    for model in (reference, policy):
        with torch.no_grad():
            chosen, rejected = (
                (token_logprobs(model, batch[side]) * batch[f"{side}_mask"][:, 1:]).sum() / 4
                for side in ("chosen", "rejected")
            )
        margins.append((chosen - rejected).item())
    assert margins[1] > margins[0] + 5
    assert all(torch.equal(value, before[name]) for name, value in reference.state_dict().items())


def test_dpo_trainer_resumed_run_is_bit_identical(policy: LanguageModel, chat: ChatTokenizer, tmp_path: Path) -> None:
    """The run is interrupted after the checkpoint of step 2."""
    pairs = [
        Pair(chat.prompt(question), chat.response("e" * n), chat.response("xyz"))
        for question in QUESTIONS
        for n in (1, 2)
    ]
    whole = make_trainer(copy.deepcopy(policy), chat, pairs, policy, steps=4)
    history = whole.run()
    interrupted = make_trainer(copy.deepcopy(policy), chat, pairs, policy, steps=4, folder=tmp_path)
    for _ in range(2):
        interrupted.take_step()
    interrupted.history = history[:2]
    interrupted.save()
    resumed = make_trainer(copy.deepcopy(policy), chat, pairs, policy, steps=4, folder=tmp_path)
    assert resumed.resume()
    assert resumed.run() == history
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
