"""The requests of one check, recorded from a submission that passed, and the replies with which it has been passed.

A check's requests seldom depend on the replies. So they are sent all at once. If the replies are byte for byte those of
a submission that passed, this one has passed too: nothing is decoded or compared again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from autograde.client.exchange_log import ExchangeLog
from autograde.client.pipelined import PipelinedConnection
from autograde.testing import diagnosis

MAX_PASSES = 64
"""different replies that are remembered for a check"""


@dataclass(frozen=True)
class Pass:
    """What follows from replies that passed."""

    margin: float | None
    observations: list[tuple[Any, diagnosis.Observation]]
    answers: dict[bytes, bytes]
    """the answers to callbacks, by the digest of everything received up to there"""


@dataclass
class Script:
    """The requests of a check, as frames; what follows from each set of replies that has passed, by its digest."""

    frames: list[bytes]
    passes: OrderedDict[bytes, Pass] = field(default_factory=OrderedDict)

    def recall(self, connection: PipelinedConnection) -> Pass | None:
        """After the requests were sent ahead: what follows if the same replies have passed before, else None."""
        digest = connection.receive_ahead(self._recall_answer)
        if digest is None or digest not in self.passes:
            return None
        self.passes.move_to_end(digest)
        return self.passes[digest]

    def _recall_answer(self, digest: bytes) -> bytes | None:
        """A function of the grader gives the same again: it depends on the example and what it was called with."""
        return next((past.answers[digest] for past in self.passes.values() if digest in past.answers), None)

    def remember(self, log: ExchangeLog, margin: float | None, observations: list[Any]) -> None:
        """The last MAX_PASSES exchanges in which the check passed."""
        self.passes[log.digest] = Pass(margin, observations, log.answers)
        if len(self.passes) > MAX_PASSES:
            self.passes.popitem(last=False)
