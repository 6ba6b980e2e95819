"""A model with its tokenizer on disk: weights and sizes in model.pt, the tokenizer in tokenizer.json."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from reference_impl.config import Config
from reference_impl.model import LanguageModel
from reference_impl.tokenizer import BPE

__all__ = ["load_model", "save_model"]

WEIGHTS, TOKENIZER = "model.pt", "tokenizer.json"


def save_model(model: LanguageModel, tokenizer: BPE, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"config": asdict(model.config), "weights": model.state_dict()}, folder / WEIGHTS)
    tokenizer.save(folder / TOKENIZER)


def load_model(folder: Path, device: torch.device | str = "cpu", **changes: Any) -> tuple[LanguageModel, BPE]:
    """What `save_model` wrote, with `changes` to the model's config, such as dropout=0.0.

    The file can hold nothing but numbers and sizes, so reading it runs nothing.
    """
    found = torch.load(folder / WEIGHTS, map_location=device, weights_only=True)
    model = LanguageModel(Config(**found["config"] | changes)).to(device)
    model.load_state_dict(found["weights"])
    return model.eval(), BPE.load(folder / TOKENIZER)
