"""Saves a model with its tokenizer: weights and config in model.pt, the tokenizer in tokenizer.json."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from reference_impl.model.config import Config
from reference_impl.model.language_model import LanguageModel
from reference_impl.tokenizer import BPE

__all__ = ["load_model", "save_model"]

WEIGHTS, TOKENIZER = "model.pt", "tokenizer.json"


def save_model(model: LanguageModel, tokenizer: BPE, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"config": asdict(model.config), "weights": model.state_dict()}, folder / WEIGHTS)
    tokenizer.save(folder / TOKENIZER)


def load_model(folder: Path, device: torch.device | str = "cpu", **changes: Any) -> tuple[LanguageModel, BPE]:
    """Loads what `save_model` wrote, in evaluation mode, with `changes` to the config, such as dropout=0.0.

    Unpickling is restricted to tensors and plain values (`weights_only`), so a file cannot run code.
    """
    checkpoint = torch.load(folder / WEIGHTS, map_location=device, weights_only=True)
    model = LanguageModel(Config(**checkpoint["config"] | changes)).to(device)
    model.load_state_dict(checkpoint["weights"])
    return model.eval(), BPE.load(folder / TOKENIZER)
