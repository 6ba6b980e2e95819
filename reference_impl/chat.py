"""From a model that continues text to one that answers: markers, a larger vocabulary, responses to prompts.

The markers are those of `sft.chat_template`. They are special tokens, and what a user writes is encoded as ordinary
text, so it can forge none. A model that was trained without them gets rows for them that start at the mean of the old
ones (Hewitt, 2021), so that its first predictions hardly change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reference_impl.model import LanguageModel
from reference_impl.sampling import generate
from reference_impl.sft import chat_template, collate, tokenise_example
from reference_impl.tokenizer import BPE

__all__ = ["ChatTokenizer", "Message", "extend_vocabulary", "padded", "respond"]

Message = Mapping[str, str]
"""a turn of a conversation: its role and its content"""


class ChatTokenizer:
    """A tokenizer that knows three special tokens, or learns them: start and end of a message, and padding."""

    def __init__(self, known: BPE) -> None:
        self.tokens = known.extended(["<|im_start|>", "<|im_end|>", "<|pad|>"])
        self.vocab_size = self.tokens.vocab_size
        self.start, self.end, self.pad = (self.tokens.special[f"<|{name}|>"] for name in ("im_start", "im_end", "pad"))
        self._special = set(self.tokens.special.values())

    def encode(self, text: str) -> list[int]:
        """The ids of a text in which markers are markers."""
        return self.tokens.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, without special tokens."""
        return self.tokens.decode([index for index in ids if index not in self._special])

    def prompt(self, question: str) -> list[int]:
        """The ids of a conversation in which the assistant is to answer `question`, whatever the question contains."""
        return self.prompt_after([{"role": "user", "content": question}])

    def prompt_after(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a conversation so far, which the assistant is to continue, whatever the messages contain."""
        ids: list[int] = []
        for message in messages:
            before, after = chat_template([{"role": message["role"], "content": "?"}]).split("?")
            ids += [*self.encode(before), *self.tokens.encode_ordinary(message["content"]), *self.encode(after)]
        return [*ids, *self.encode(chat_template([], add_generation_prompt=True))]

    def response(self, answer: str) -> list[int]:
        """The ids of an answer and its end."""
        return [*self.tokens.encode_ordinary(answer), self.end]

    def example(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """(ids, labels) of a whole conversation, to finetune on."""
        return tokenise_example(messages, self.encode)


def extend_vocabulary(model: LanguageModel, vocab_size: int) -> LanguageModel:
    """A copy of `model` with embeddings for `vocab_size` tokens; the new ones start as the mean of the old."""
    known = model.config.vocab_size
    if vocab_size < known:
        raise ValueError(f"the model knows {known} tokens already, and {vocab_size} are fewer")
    larger = LanguageModel(replace(model.config, vocab_size=vocab_size)).to(model.unembed.weight.device)
    grown = {}
    for name, value in model.state_dict().items():
        if name in ("embedding.tokens.weight", "unembed.weight"):
            value = torch.cat([value, value.mean(dim=0, keepdim=True).expand(vocab_size - known, -1)])
        grown[name] = value
    larger.load_state_dict(grown)
    return larger


def respond(
    model: LanguageModel,
    tokenizer: ChatTokenizer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """A response to each prompt, in their order: its ids up to and with the end marker, where the model came to one.

    Prompts of equal length are answered together; nothing is padded.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_length[len(prompt)].append(index)
    responses: list[list[int]] = [[]] * len(prompts)
    device = model.unembed.weight.device
    for length, indices in sorted(by_length.items()):
        ids = torch.tensor([list(prompts[index]) for index in indices], device=device)
        whole = generate(model, ids, max_new_tokens, temperature=temperature, stop=tokenizer.end, generator=generator)
        for index, row in zip(indices, whole[:, length:].tolist(), strict=True):
            responses[index] = row[: row.index(tokenizer.end) + 1] if tokenizer.end in row else row
    return responses


def padded(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int], pad: int) -> tuple[Tensor, Tensor]:
    """Ids of prompts with their responses -> (batch, longest) of ids, and of bool: True on the tokens of responses."""
    examples = [
        (list(ids), [0] * length + [1] * (len(ids) - length))
        for ids, length in zip(sequences, prompt_lengths, strict=True)
    ]
    batch = collate(examples, pad)
    return batch["input_ids"], batch["labels"] == 1
