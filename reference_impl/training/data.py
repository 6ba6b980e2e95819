"""From text to batches: documents, windows with targets shifted by one, and a shuffled order that can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from reference_impl.tokenizer import Tokenizer

__all__ = ["TEXT", "Batches", "Windows", "documents", "language_model_batches"]

TEXT = Path(__file__).parents[1] / "text" / "alice.txt"

Example = TypeVar("Example")
Batch = TypeVar("Batch")


def documents(path: Path = TEXT) -> list[str]:
    """The documents of a file, separated by three or more line breaks: the twelve chapters of `TEXT`."""
    return [part for part in path.read_text(encoding="utf-8").split("\n\n\n") if part.strip()]


class Windows(Sequence[tuple[Tensor, Tensor]]):
    """Pairs (input, target), each (length,): `target[t]` is the token after `input[t]` in the same document.

    In each document windows start at 0, stride, 2·stride, …, as long as length + 1 tokens are left; the rest is
    dropped. No window spans two documents, and a document of `length` tokens has none. Raises ValueError if `length` or
    `stride` is not positive.
    """

    def __init__(self, documents: Sequence[Sequence[int]], length: int, stride: int | None = None) -> None:
        stride = length if stride is None else stride
        if length < 1 or stride < 1:
            raise ValueError(f"length={length} and stride={stride} must be positive")
        self.length = length
        self._documents = [torch.tensor(ids, dtype=torch.int64) for ids in documents]
        self._starts = [
            (number, start)
            for number, ids in enumerate(self._documents)
            for start in range(0, len(ids) - length, stride)
        ]

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number, start = self._starts[index]
        window = self._documents[number][start : start + self.length + 1]
        return window[:-1], window[1:]


class Batches(Iterator[Batch], Generic[Example, Batch]):
    """An endless iterator over `examples`, shuffled again in each round (epoch) with an order that only `seed` decides.

    A round yields every example at most once; a last batch that would be incomplete is skipped. Raises ValueError if
    `batch_size` is not from 1 to the number of examples.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        batch_size: int,
        collate: Callable[[list[Example]], Batch],
        *,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        if not 0 < batch_size <= len(examples):
            raise ValueError(f"batch_size={batch_size} must be from 1 to the number of examples, {len(examples)}")
        self.examples, self.batch_size, self.collate = examples, batch_size, collate
        self.seed, self.shuffle = seed, shuffle
        self.round, self.index = 0, 0
        self._order = self._shuffle()

    def __next__(self) -> Batch:
        if self.index + self.batch_size > len(self.examples):
            self.round, self.index = self.round + 1, 0
            self._order = self._shuffle()
        indices = self._order[self.index : self.index + self.batch_size]
        self.index += self.batch_size
        return self.collate([self.examples[index] for index in indices])

    def one_round(self) -> Iterator[Batch]:
        """All examples once, in order, for validation; the last batch may be smaller. Does not advance the iterator."""
        for start in range(0, len(self.examples), self.batch_size):
            yield self.collate(list(self.examples[start : start + self.batch_size]))

    def state_dict(self) -> dict[str, int]:
        """The position in the data; an iterator over the same examples continues from it with the same batches."""
        return {"round": self.round, "index": self.index, "seed": self.seed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.round, self.index, self.seed = state["round"], state["index"], state["seed"]
        self._order = self._shuffle()

    def _shuffle(self) -> list[int]:
        if not self.shuffle:
            return list(range(len(self.examples)))
        # One generator per round, so that resuming needs no earlier rounds.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.round)
        return torch.randperm(len(self.examples), generator=generator).tolist()


def language_model_batches(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    length: int,
    batch_size: int,
    *,
    stride: int | None = None,
    seed: int = 0,
) -> Batches[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Batches of (inputs, targets), each (batch, length); no window spans two of the texts."""
    windows = Windows([tokenizer.encode(text) for text in texts], length, stride)
    return Batches(windows, batch_size, _stack, seed=seed)


def _stack(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    inputs, targets = zip(*pairs, strict=True)
    return torch.stack(inputs), torch.stack(targets)
