"""Supervised finetuning: template, example, batch, masked loss, curriculum, evaluation. Grades the assignment `sft`.

Conventions: ChatML without stripping; every assistant turn is a target, with its end marker but without its header;
labels are at the position of their own token, so the loss does the shift; the loss is the mean over all target tokens
of the batch, computed in float32 at least, and 0 if there is none. Instruction tuning after Ouyang et al. (2022).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from reference_impl.model.dtypes import upcast

__all__ = [
    "END", "IGNORE", "PAD", "START", "VOCAB",
    "chat_template", "collate", "curriculum_stages", "encode", "evaluate", "sft_loss", "tokenise_example",
]  # fmt: skip

START, END, PAD, VOCAB = 256, 257, 258, 259
IGNORE = -100
MARKERS = {"<|im_start|>": START, "<|im_end|>": END}

Example = tuple[Sequence[int], Sequence[int]]


def encode(text: str) -> list[int]:
    """The UTF-8 bytes of `text`; each marker is a single id."""
    ids: list[int] = []
    for part in re.split(r"(<\|im_start\|>|<\|im_end\|>)", text):
        ids += [MARKERS[part]] if part in MARKERS else list(part.encode())
    return ids


def chat_template(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = False) -> str:
    """ChatML (OpenAI, 2023): each message between markers, its role on the first line, contents unchanged."""
    text = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text


def tokenise_example(
    messages: Sequence[Mapping[str, str]], encode: Callable[[str], list[int]] = encode
) -> tuple[list[int], list[int]]:
    """(ids, labels) of equal length; a label is the id itself in assistant turns, else -100.

    `encode` maps text with markers to ids.
    """
    ids: list[int] = []
    labels: list[int] = []
    for message in messages:
        header, body = encode(f"<|im_start|>{message['role']}\n"), encode(f"{message['content']}<|im_end|>")
        ids += header + body + encode("\n")
        targets = body if message["role"] == "assistant" else [IGNORE] * len(body)
        labels += [IGNORE] * len(header) + targets + [IGNORE]
    return ids, labels


def collate(examples: Sequence[Example], pad_id: int = PAD) -> dict[str, Tensor]:
    """Three (batch, longest) int64 tensors, padded on the right: `input_ids`, `labels` and `attention_mask`."""
    longest = max(len(ids) for ids, _ in examples)
    shape = (len(examples), longest)
    input_ids, labels = torch.full(shape, pad_id), torch.full(shape, IGNORE)
    attention_mask = torch.zeros(shape, dtype=torch.int64)
    for row, (ids, targets) in enumerate(examples):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        labels[row, : len(ids)] = torch.tensor(targets)
        attention_mask[row, : len(ids)] = 1
    return {"input_ids": input_ids, "labels": labels, "attention_mask": attention_mask}


def sft_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """(batch, seq, vocab) and (batch, seq) -> (): mean of −log p(labels[:, t + 1] | logits[:, t]) over the targets.

    Half precision is computed and returned in float32. Without a target the loss and its gradient are 0.
    """
    wide = upcast(logits[:, :-1])  # (batch, seq - 1, vocab)
    targets = labels[:, 1:]
    is_target = targets != IGNORE
    chosen = wide.gather(-1, targets.clamp_min(0).unsqueeze(-1)).squeeze(-1)  # (batch, seq - 1)
    losses = (wide.logsumexp(dim=-1) - chosen)[is_target]
    return losses.sum() / is_target.sum().clamp_min(1)


def curriculum_stages(examples: Sequence[Example], n_stages: int) -> list[list[int]]:
    """Stage s of k: the indices of the easiest ceil(s·n/k) examples, easiest first, ties in the given order.

    Difficulty is the number of target tokens; growing stages are the "baby steps" of Spitkovsky et al. (2010).
    """
    difficulty = [sum(label != IGNORE for label in labels) for _, labels in examples]
    order = sorted(range(len(examples)), key=difficulty.__getitem__)
    return [order[: -(-stage * len(order) // n_stages)] for stage in range(1, n_stages + 1)]


def evaluate(responses: Sequence[str], golds: Sequence[str]) -> dict[str, float]:
    """Mean exact match and mean word F1 (Rajpurkar et al., 2016), in lower case, without punctuation; articles stay.

    Raises ValueError unless there are as many responses as gold answers.
    """
    if len(responses) != len(golds):
        raise ValueError(f"as many responses as gold answers are needed, got {len(responses)} and {len(golds)}")
    pairs = [(_words(response), _words(gold)) for response, gold in zip(responses, golds, strict=True)]
    return {
        "exact_match": sum(response == gold for response, gold in pairs) / len(pairs),
        "f1": sum(_f1(response, gold) for response, gold in pairs) / len(pairs),
    }


def _words(text: str) -> list[str]:
    return text.lower().translate(str.maketrans("", "", string.punctuation)).split()


def _f1(response: list[str], gold: list[str]) -> float:
    """Harmonic mean of precision and recall of the words, counted with repetition; 1 if both texts are empty."""
    if not response and not gold:
        return 1.0
    return 2 * (Counter(response) & Counter(gold)).total() / (len(response) + len(gold))
