"""The sizes of all stages of the pipeline: `smoke` for tests, `tiny` for two CPU cores, `gpu` for a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reference_impl.pipeline.ablations import Comparison
from reference_impl.training.pretrain import Pretraining
from reference_impl.training.trainer import TrainConfig

__all__ = ["PRESETS", "Preset"]

EASY = ("repeat", "first", "last", "uppercase", "count")


@dataclass(frozen=True)
class Preset:
    """The sizes and hyperparameters of the stages."""

    pretraining: Pretraining
    comparison: Comparison
    classifier_head: TrainConfig
    classifier: TrainConfig
    sft: TrainConfig
    reward: TrainConfig
    dpo: TrainConfig
    grpo: TrainConfig
    lora: TrainConfig
    tools: TrainConfig
    ppo: TrainConfig | None = None
    """None skips PPO"""
    tasks: tuple[str, ...] = EASY
    n_training: int = 6000
    n_validation: int = 1000
    batch_size: int = 32
    n_rated: int = 6000
    """questions whose responses are rated, for the reward model and for DPO"""
    group: int = 8
    """responses to each question, for the reward model, DPO and GRPO"""
    rollout_questions: int = 32
    """questions in each step of GRPO; PPO, with one response to each, takes `group` times as many"""
    lora_rank: int = 8
    tool_batch_size: int = 8
    n_tool_questions: int = 40
    cached_tokens: int = 100


def configure_alignment(steps: int, learning_rate: float, *, constant: bool = False) -> TrainConfig:
    """What DPO, GRPO and PPO have in common: no weight decay, and every step is logged.

    Unless `constant`, the learning rate warms up for a tenth of the steps and then falls to 0, so that the last batches
    do not dominate; gradients are clipped only where it is constant.
    """
    warmup, clip = (0, 1.0) if constant else (steps // 10, math.inf)
    final = learning_rate if constant else 0.0
    return TrainConfig(
        steps, learning_rate, warmup, final, weight_decay=0.0, clip=clip, log_every=1, checkpoint_every=40
    )


PRESETS = {
    "smoke": Preset(
        pretraining=Pretraining(
            vocab_size=320,
            model={"context_length": 192, "d_model": 32, "n_layers": 2, "n_heads": 2},
            window=32,
            stride=32,
            batch_size=8,
            training=TrainConfig(60, 5e-3, warmup=5, validate_every=30, checkpoint_every=20),
        ),
        comparison=Comparison(
            {"d_model": 16, "n_layers": 1, "n_heads": 2}, window=16, batch_size=8, training=TrainConfig(5, 3e-3)
        ),
        classifier_head=TrainConfig(3, 1e-2),
        classifier=TrainConfig(2, 1e-3),
        sft=TrainConfig(60, 5e-3, warmup=5, checkpoint_every=20),
        reward=TrainConfig(10, 1e-3, checkpoint_every=5),
        dpo=configure_alignment(3, 2e-4),
        grpo=configure_alignment(3, 2e-4),
        ppo=configure_alignment(2, 2e-4, constant=True),
        lora=TrainConfig(10, 1e-2),
        tools=TrainConfig(2, 1e-3),
        tasks=("count",),
        n_training=200,
        n_validation=20,
        batch_size=16,
        n_rated=20,
        group=4,
        rollout_questions=2,
        lora_rank=2,
        n_tool_questions=3,
        cached_tokens=16,
    ),
    "tiny": Preset(
        pretraining=Pretraining(
            vocab_size=1024,
            model={"context_length": 256, "d_model": 128, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2, "dropout": 0.1},
            window=128,
            stride=32,
            batch_size=8,
            training=TrainConfig(
                600, 2e-3, warmup=100, final_learning_rate=1e-4, log_every=20, validate_every=100, checkpoint_every=100
            ),
        ),
        comparison=Comparison(
            {"d_model": 64, "n_layers": 2, "n_heads": 4},
            window=64,
            batch_size=8,
            training=TrainConfig(800, 4e-3, warmup=40, checkpoint_every=400),
        ),
        classifier_head=TrainConfig(100, 3e-3, warmup=5, checkpoint_every=50),
        classifier=TrainConfig(100, 5e-4, warmup=10, checkpoint_every=50),
        sft=TrainConfig(400, 2e-3, warmup=30, final_learning_rate=1e-4, checkpoint_every=100),
        reward=TrainConfig(480, 4e-4, warmup=20, checkpoint_every=80),
        dpo=configure_alignment(160, 2e-4),
        grpo=configure_alignment(200, 2e-4),
        lora=TrainConfig(160, 5e-3, warmup=10, weight_decay=0.0, checkpoint_every=80),
        tools=TrainConfig(850, 2e-3, warmup=20, final_learning_rate=2e-4, checkpoint_every=200),
    ),
    "gpu": Preset(
        # About twenty epochs of the shipped text; with more, so large a model only memorises it.
        pretraining=Pretraining(
            vocab_size=2048,
            model={"context_length": 512, "d_model": 512, "n_layers": 8, "n_heads": 8, "n_kv_heads": 4, "dropout": 0.2},
            window=256,
            stride=64,
            batch_size=16,
            training=TrainConfig(
                200,
                6e-4,
                warmup=20,
                final_learning_rate=6e-5,
                bf16=True,
                log_every=5,
                validate_every=20,
                checkpoint_every=50,
            ),
            compile=True,
        ),
        comparison=Comparison(
            {"d_model": 256, "n_layers": 6, "n_heads": 8},
            window=256,
            batch_size=32,
            training=TrainConfig(600, 1e-3, warmup=60, bf16=True, checkpoint_every=300),
        ),
        classifier_head=TrainConfig(300, 3e-3, warmup=20, bf16=True, checkpoint_every=150),
        classifier=TrainConfig(300, 1e-4, warmup=30, bf16=True, checkpoint_every=150),
        sft=TrainConfig(2000, 5e-4, warmup=100, final_learning_rate=5e-5, bf16=True, checkpoint_every=500),
        reward=TrainConfig(600, 1e-4, warmup=50, bf16=True, checkpoint_every=200),
        dpo=configure_alignment(200, 4e-5),
        grpo=configure_alignment(200, 5e-5),
        ppo=configure_alignment(50, 5e-5, constant=True),
        lora=TrainConfig(300, 2e-3, warmup=20, weight_decay=0.0, checkpoint_every=150),
        tools=TrainConfig(500, 2e-4, warmup=50, bf16=True, checkpoint_every=250),
        tasks=(*EASY, "add"),
        n_training=10_000,
        n_validation=600,
        batch_size=64,
        n_rated=10_000,
        group=16,
        rollout_questions=64,
        lora_rank=16,
        n_tool_questions=100,
    ),
}
