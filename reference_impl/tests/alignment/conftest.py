"""A tokenizer of bytes and a small policy."""

import pytest

from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.tests.tiny import byte_chat, tiny_model


@pytest.fixture
def chat() -> ChatTokenizer:
    return byte_chat()


@pytest.fixture
def policy() -> LanguageModel:
    return tiny_model()
