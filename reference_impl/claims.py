"""What the pipeline claims, on one page: each claim, its measure, and the bound that the measured figure has to meet.

A bound says what the claim means: above the figure before, above chance, a rise of so much. Bounds are set only here,
and `spread` says whether it is safe: how far inside its bound the figure is, in standard deviations over seeds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reference_impl.instructions import TASKS

__all__ = ["CLAIMS", "COMPARISONS", "Asks", "Claim", "claim_of"]

Asks = Literal["at least", "at most", "above", "below"]
COMPARISONS: dict[Asks, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
FARTHEST = 0.5
"""nats per token by which alignment may move the policy from the reference"""
HELD_OUT_LOSS, SHARE_RIGHT = "held-out loss", "share right, held out"
ACCURACY, DRAWN, KL = "accuracy, held out", "score of drawn answers, held out", "KL, nats per token"


@dataclass(frozen=True)
class Claim:
    """The figure after has to be `asks` (than) `bound` + `of_before` · the figure before."""

    part: str
    says: str
    measure: str
    asks: Asks
    bound: float
    of_before: float = 0.0

    def asked_for(self, before: float | None) -> float:
        """The bound as one number."""
        return self.bound + self.of_before * (before or 0.0)

    def room(self, before: float | None, after: float) -> float:
        """How far inside its bound the figure is; negative where it is outside."""
        inside = after - self.asked_for(before)
        return inside if self.asks in ("at least", "above") else -inside


CLAIMS = (
    Claim("pretraining", "starts at ln V", "distance in nats", "at most", 0.3),
    Claim("pretraining", "learns from 100 KB", HELD_OUT_LOSS, "at most", 0.0, 0.75),
    Claim("pretraining", "writes real words", "share of words", "at least", 0.9),
    Claim("cache", "writes the same text", "share of tokens that are the likeliest", "at least", 1.0),
    Claim("cache", "reads each token once", "GFLOP for the text", "at most", 0.0, 0.2),
    Claim("model", "learns a toy set by heart", "loss on the toy set", "at most", 0.05),
    Claim("RMSNorm", "no worse than LayerNorm, with less work", HELD_OUT_LOSS, "at most", 0.02, 1.0),
    Claim("RoPE", "better than learned positions", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("SwiGLU", "no worse than GELU, parameters equal", HELD_OUT_LOSS, "at most", 0.02, 1.0),
    Claim("grouped queries", "hardly worse with half the cache", HELD_OUT_LOSS, "at most", 0.04, 1.0),
    Claim("sliding window", "hardly worse seeing half the text", HELD_OUT_LOSS, "at most", 0.04, 1.0),
    Claim("modern model", "better than GPT-2's parts", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("mixture of experts", "better than dense at equal active parameters", HELD_OUT_LOSS, "below", 0.0, 1.0),
    Claim("classification", "a head tells speech from narration", ACCURACY, "at least", 0.75),
    Claim("classification", "pretraining is what it reads", ACCURACY, "above", 0.0, 1.0),
    Claim("classification", "training the whole does better", ACCURACY, "above", 0.0, 1.0),
    *(Claim("sft", f"follows instructions: {task}", SHARE_RIGHT, "at least", 0.5) for task in ("all", *TASKS)),
    Claim("reward model", "ranks held-out pairs", "share ranked right", "at least", 0.7),
    Claim("reward model", "picks the best of 4", "score, held out", "above", 0.0, 1.0),
    Claim("DPO", "raises the reward", DRAWN, "above", 0.02, 1.0),
    Claim("DPO", "keeps the likeliest answers", SHARE_RIGHT, "at least", -0.02, 1.0),
    Claim("DPO", "stays near the reference", KL, "at most", FARTHEST),
    Claim("GRPO", "raises the reward", DRAWN, "above", 0.02, 1.0),
    Claim("GRPO", "keeps the likeliest answers", SHARE_RIGHT, "at least", -0.02, 1.0),
    Claim("GRPO", "stays near the reference", KL, "at most", FARTHEST),
    Claim("PPO", "raises the learned reward", "reward, held out", "above", 0.0, 1.0),
    Claim("PPO", "stays near the reference", KL, "at most", FARTHEST),
    Claim("LoRA", "learns a new task", SHARE_RIGHT, "at least", 0.5),
    Claim("LoRA", "trains few parameters", "share trained", "at most", 0.0, 0.1),
    Claim("LoRA", "merges into the model", "largest change of a logit", "at most", 1e-3),
    Claim("reasoning", "a vote of 9 beats one draw", SHARE_RIGHT, "above", 0.02, 1.0),
    Claim("reasoning", "calls tools in their format", "share of calls carried out", "at least", 0.9),
    Claim("reasoning", "a tool answers what the model cannot", SHARE_RIGHT, "at least", 0.25, 1.0),
    Claim("int8", "costs little loss", "loss on held-out answers", "at most", 0.0, 1.02),
    Claim("int8", "saves memory", "megabytes", "at most", 0.0, 0.6),
    Claim("serving", "answers over HTTP", "share of equal answers", "at least", 1.0),
)


def claim_of(part: str, says: str) -> Claim:
    """The claim of `part` that says `says`."""
    for claim in CLAIMS:
        if (claim.part, claim.says) == (part, says):
            return claim
    raise KeyError(f"claims.py has no claim of {part} that says {says!r}: add it to CLAIMS")
