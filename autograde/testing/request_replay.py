"""What one check asks of everybody, learned from a submission that passed, and what answers have passed before.

A check's questions seldom depend on the answers. So they are sent all at once, and the answers taken one by one.
Whoever answers to the byte like a submission that passed has passed: nothing is decoded or compared again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from autograde.client.exchange_log import ExchangeLog
from autograde.client.rpc import Rpc
from autograde.testing import diagnosis

MOST_PASSES = 64
"""different answers that are remembered for a check"""


@dataclass(frozen=True)
class Pass:
    """What follows from answers that passed."""

    margin: float | None
    seen: list[tuple[Any, diagnosis.Observation]]
    answers: dict[bytes, bytes]
    """what the submission was sent where it called a function of the grader"""


@dataclass
class Script:
    """The questions of a check, as frames; what followed from each set of answers that has passed, by its digest."""

    frames: list[bytes]
    passes: OrderedDict[bytes, Pass] = field(default_factory=OrderedDict)

    def recall(self, rpc: Rpc) -> Pass | None:
        """Having asked everything: what follows if the same answers have passed before. Else the check has to run."""
        heard = rpc.listen_ahead(self._answer)
        if heard is None or heard not in self.passes:
            return None
        self.passes.move_to_end(heard)
        return self.passes[heard]

    def _answer(self, heard: bytes) -> bytes | None:
        """A function of the grader gives the same again: it depends on the example and what it was called with."""
        return next((known.answers[heard] for known in self.passes.values() if heard in known.answers), None)

    def remember(self, heard: bytes, passed: Pass) -> None:
        """The last MOST_PASSES of them."""
        self.passes[heard] = passed
        if len(self.passes) > MOST_PASSES:
            self.passes.popitem(last=False)


def script_of(exchange_log: ExchangeLog) -> Script | None:
    """From a talk in which the check passed; None if there is too much in it to keep."""
    return Script(exchange_log.asked) if exchange_log.complete else None
