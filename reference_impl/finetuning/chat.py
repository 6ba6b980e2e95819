"""Chat with a language model: the markers of `sft.chat_template` as special tokens, and responses to prompts.

A user's message is encoded as ordinary text, so it cannot forge a marker. A model that was trained without the markers
gets embeddings for them from `language_model.extend_vocabulary`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from reference_impl.finetuning.sft import chat_template, collate, tokenise_example
from reference_impl.model.language_model import LanguageModel, extend_vocabulary
from reference_impl.model.sampling import generate
from reference_impl.tokenizer import BPE

__all__ = ["ChatTokenizer", "Message", "extend_vocabulary", "pad_responses", "respond"]

Message = Mapping[str, str]
"""one turn of a conversation: `role` and `content`"""


class ChatTokenizer:
    """A BPE tokenizer with three special tokens, added if they are missing: message start, message end, padding."""

    def __init__(self, tokenizer: BPE) -> None:
        self.tokens = tokenizer.with_special_tokens(["<|im_start|>", "<|im_end|>", "<|pad|>"])
        self.vocab_size = self.tokens.vocab_size
        self.start, self.end, self.pad = (self.tokens.special[f"<|{name}|>"] for name in ("im_start", "im_end", "pad"))
        self._special = set(self.tokens.special.values())

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, in which markers become special tokens: for trusted text only."""
        return self.tokens.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, without special tokens."""
        return self.tokens.decode([index for index in ids if index not in self._special])

    def prompt(self, question: str) -> list[int]:
        """The ids of a prompt for an answer to `question`, which may be any text."""
        return self.prompt_after([{"role": "user", "content": question}])

    def prompt_after(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a prompt for the assistant's next message after `messages`, whose contents may be any text."""
        ids: list[int] = []
        for message in messages:
            before, after = chat_template([{"role": message["role"], "content": "?"}]).split("?")
            ids += [*self.encode(before), *self.tokens.encode_ordinary(message["content"]), *self.encode(after)]
        return [*ids, *self.encode(chat_template([], add_generation_prompt=True))]

    def response(self, answer: str) -> list[int]:
        """The ids of an answer and its end marker."""
        return [*self.tokens.encode_ordinary(answer), self.end]

    def example(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """(ids, labels) of a complete conversation, for finetuning."""
        return tokenise_example(messages, self.encode)


def respond(
    model: LanguageModel,
    tokenizer: ChatTokenizer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """The ids of a response to each prompt, up to and including the end marker if the model generates one.

    Prompts of equal length are batched; nothing is padded.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_length[len(prompt)].append(index)
    responses: list[list[int]] = [[]] * len(prompts)
    device = model.unembed.weight.device
    for length, indices in sorted(by_length.items()):
        ids = torch.tensor([list(prompts[index]) for index in indices], device=device)
        sequences = generate(
            model, ids, max_new_tokens, temperature=temperature, stop=tokenizer.end, generator=generator
        )
        for index, row in zip(indices, sequences[:, length:].tolist(), strict=True):
            responses[index] = row[: row.index(tokenizer.end) + 1] if tokenizer.end in row else row
    return responses


def pad_responses(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int], pad: int) -> tuple[Tensor, Tensor]:
    """Ids of prompts with their responses -> (batch, longest) of ids, and of bool: True at response tokens."""
    examples = [
        (list(ids), [0] * length + [1] * (len(ids) - length))
        for ids, length in zip(sequences, prompt_lengths, strict=True)
    ]
    batch = collate(examples, pad)
    return batch["input_ids"], batch["labels"] == 1
