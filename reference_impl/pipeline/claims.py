"""All claims of the pipeline: each with its measure and the bound that the measured figure must meet.

Bounds are set only here. A bound states what the claim means: better than before, above chance, a rise of a certain
size. `spread` checks that each bound is safe: that the figure meets it with enough margin for its variation over seeds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reference_impl.finetuning.instructions import TASKS

__all__ = ["CLAIMS", "RELATIONS", "Claim", "Relation", "find_claim"]

Relation = Literal["at least", "at most", "above", "below"]
RELATIONS: dict[Relation, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
MAX_KL = 0.5
"""the largest KL divergence of an aligned policy from its reference, in nats per token"""
HELD_OUT_LOSS, ACCURACY = "held-out loss", "accuracy, held out"
PROBABILITY, KL = "probability of the correct answer, held out", "KL, nats per token"


@dataclass(frozen=True)
class Claim:
    """The figure after must be `relation` (at least, at most, …) `bound` + `before_factor` · the figure before."""

    part: str
    statement: str
    measure: str
    relation: Relation
    bound: float
    before_factor: float = 0.0

    def threshold(self, before: float | None) -> float:
        """The bound as one number, for a run with this figure before."""
        return self.bound + self.before_factor * (before or 0.0)

    def margin(self, before: float | None, after: float) -> float:
        """How far `after` is inside the bound; negative if it is outside.

        If the bound is a multiple of the figure before, so is the margin: what varies over seeds with that figure
        itself says nothing about the claim.
        """
        above = after - self.threshold(before)
        if before and self.bound == 0 and self.before_factor not in (0, 1):
            above /= before
        return above if self.relation in ("at least", "above") else -above


CLAIMS = (
    Claim("pretraining", "starts at ln V", "distance in nats", "at most", 0.3),
    Claim("pretraining", "learns from 100 KB", HELD_OUT_LOSS, "at most", 0.0, 0.75),
    Claim("pretraining", "writes real words", "share of words", "at least", 0.9),
    Claim("cache", "generates the same tokens", "share of greedy tokens", "at least", 1.0),
    Claim("cache", "reads each token once", "GFLOP of generation", "at most", 0.0, 0.2),
    Claim("model", "memorises a toy set", "loss on the toy set", "at most", 0.05),
    Claim("RMSNorm", "no worse than LayerNorm, with less work", HELD_OUT_LOSS, "at most", 0.02, 1.0),
    Claim("RoPE", "better than learned positions", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("SwiGLU", "no worse than GELU, parameters equal", HELD_OUT_LOSS, "at most", 0.02, 1.0),
    Claim("grouped queries", "hardly worse with half the cache", HELD_OUT_LOSS, "at most", 0.04, 1.0),
    Claim("sliding window", "hardly worse with half the context", HELD_OUT_LOSS, "at most", 0.04, 1.0),
    Claim("modern model", "better than GPT-2's parts", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("mixture of experts", "better than dense at equal active parameters", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("classification", "a head tells speech from narration", ACCURACY, "at least", 0.75),
    Claim("classification", "the head relies on pretraining", ACCURACY, "above", 0.0, 1.0),
    Claim("classification", "full finetuning is better", ACCURACY, "above", 0.0, 1.0),
    *(Claim("sft", f"follows instructions: {task}", ACCURACY, "at least", 0.5) for task in ("all", *TASKS)),
    Claim("reward model", "ranks held-out pairs", "pairwise accuracy", "at least", 0.7),
    Claim("reward model", "picks the best of 4", "score, held out", "above", 0.05, 1.0),
    Claim("DPO", "raises the probability of correct answers", PROBABILITY, "above", 0.027, 1.0),
    Claim("DPO", "keeps the greedy accuracy", ACCURACY, "at least", -0.02, 1.0),
    Claim("DPO", "stays near the reference", KL, "at most", MAX_KL),
    Claim("GRPO", "raises the probability of correct answers", PROBABILITY, "above", 0.027, 1.0),
    Claim("GRPO", "keeps the greedy accuracy", ACCURACY, "at least", -0.02, 1.0),
    Claim("GRPO", "stays near the reference", KL, "at most", MAX_KL),
    Claim("PPO", "raises the learned reward", "reward, held out", "above", 0.0, 1.0),
    Claim("PPO", "stays near the reference", KL, "at most", MAX_KL),
    Claim("LoRA", "learns a new task", ACCURACY, "at least", 0.5),
    Claim("LoRA", "trains few parameters", "share of trainable parameters", "at most", 0.0, 0.1),
    Claim("LoRA", "merges into the model", "largest change of a logit", "at most", 1e-3),
    Claim("reasoning", "a vote of 9 beats one sample", ACCURACY, "above", 0.02, 1.0),
    Claim("reasoning", "calls tools in the right format", "share of executable calls", "at least", 0.9),
    Claim("reasoning", "a tool answers what the model cannot", ACCURACY, "at least", 0.25, 1.0),
    Claim("int8", "costs little loss", "loss on held-out answers", "at most", 0.0, 1.02),
    Claim("int8", "saves memory", "megabytes", "at most", 0.0, 0.6),
    Claim("serving", "answers over HTTP", "share of equal answers", "at least", 1.0),
)


def find_claim(part: str, statement: str) -> Claim:
    """The claim of `part` with this statement. Raises KeyError if there is none."""
    for claim in CLAIMS:
        if (claim.part, claim.statement) == (part, statement):
            return claim
    raise KeyError(f"claims.py has no claim {statement!r} of {part}: add it to CLAIMS")
