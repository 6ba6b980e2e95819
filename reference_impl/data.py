"""From text to batches: documents, sliding windows with targets shifted by one, and an order that can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from reference_impl.tokenizer import Tokenizer

__all__ = ["TEXT", "Batches", "Windows", "documents", "language_model_batches"]

TEXT = Path(__file__).parent / "text" / "alice.txt"

Example = TypeVar("Example")
Batch = TypeVar("Batch")


def documents(path: Path = TEXT) -> list[str]:
    """The documents of a file, which three line breaks or more keep apart: for `TEXT` its twelve chapters."""
    return [part for part in path.read_text(encoding="utf-8").split("\n\n\n") if part.strip()]


class Windows(Sequence[tuple[Tensor, Tensor]]):
    """Pairs (input, target), each (length,): `target[t]` is the token behind `input[t]` in the same document.

    In each document windows start at 0, stride, 2·stride, …, while all length + 1 tokens lie within it; what is left at
    the end fills no window. So no window reaches into the next document, and a document of `length` tokens has none.
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
    """An endless run over `examples`, in a new order each time round, which depends on nothing but the seed.

    Every example once in a round; what is left at its end and fills no batch is skipped in that round.
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
        self._order = self._draw()

    def __next__(self) -> Batch:
        if self.index + self.batch_size > len(self.examples):
            self.round, self.index = self.round + 1, 0
            self._order = self._draw()
        chosen = self._order[self.index : self.index + self.batch_size]
        self.index += self.batch_size
        return self.collate([self.examples[number] for number in chosen])

    def one_round(self) -> Iterator[Batch]:
        """All examples in order, once, the last batch perhaps smaller: for validation. Moves nothing."""
        for start in range(0, len(self.examples), self.batch_size):
            yield self.collate(list(self.examples[start : start + self.batch_size]))

    def state_dict(self) -> dict[str, int]:
        """Where the run stands; the same examples and seed go on from it with the same batches."""
        return {"round": self.round, "index": self.index, "seed": self.seed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.round, self.index, self.seed = state["round"], state["index"], state["seed"]
        self._order = self._draw()

    def _draw(self) -> list[int]:
        if not self.shuffle:
            return list(range(len(self.examples)))
        # One generator for each round, so that a round can be drawn without drawing those before it.
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
    """Batches of (inputs, targets), each (batch, length), from texts that stay apart."""
    windows = Windows([tokenizer.encode(text) for text in texts], length, stride)
    return Batches(windows, batch_size, _stack, seed=seed)


def _stack(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    inputs, targets = zip(*pairs, strict=True)
    return torch.stack(inputs), torch.stack(targets)
