"""A model and a tokenizer that are small enough for every test."""

from __future__ import annotations

import torch

from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.tokenizer import BPE


def tiny_model(vocab_size: int = 259, seed: int = 0, **changes: object) -> LanguageModel:
    torch.manual_seed(seed)
    sizes = {"context_length": 96, "d_model": 16, "n_layers": 1, "n_heads": 2}
    return LanguageModel(Config.modern(vocab_size=vocab_size, **sizes | changes))


def byte_chat() -> ChatTokenizer:
    """A tokenizer of bytes, followed by the chat markers."""
    return ChatTokenizer(BPE({bytes([byte]): byte for byte in range(256)}))
