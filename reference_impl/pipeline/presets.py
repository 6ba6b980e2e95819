"""The sizes of all stages of the pipeline: `smoke` for tests, `tiny` for two CPU cores, `gpu` for a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.pipeline.ablations import Comparison
from reference_impl.training.pretrain import Pretraining
from reference_impl.training.trainer import Recipe

__all__ = ["PRESETS", "Preset"]

EASY = ("repeat", "first", "last", "uppercase", "count")


@dataclass(frozen=True)
class Preset:
    """The sizes and hyperparameters of the stages."""

    pretraining: Pretraining
    comparison: Comparison
    classifier_head: Recipe
    classifier: Recipe
    sft: Recipe
    reward: Recipe
    lora: Recipe
    tools: Recipe
    tasks: tuple[str, ...] = EASY
    n_training: int = 6000
    n_validation: int = 1000
    batch_size: int = 32
    n_rated: int = 6000
    """questions whose responses are rated, for the reward model and for DPO"""
    group: int = 8
    """responses to each question, for the reward model, DPO and GRPO"""
    dpo_steps: int = 160
    dpo_learning_rate: float = 2e-4
    grpo_steps: int = 200
    grpo_questions: int = 32
    """questions in each step"""
    grpo_learning_rate: float = 2e-4
    ppo_steps: int = 0
    """0 skips PPO"""
    lora_rank: int = 8
    tool_batch_size: int = 8
    n_tool_questions: int = 40
    cached_tokens: int = 100


PRESETS = {
    "smoke": Preset(
        pretraining=Pretraining(
            vocab_size=320,
            model={"context_length": 192, "d_model": 32, "n_layers": 2, "n_heads": 2},
            window=32,
            stride=32,
            batch_size=8,
            recipe=Recipe(60, 5e-3, warmup=5, validate_every=30, checkpoint_every=20),
        ),
        comparison=Comparison(
            {"d_model": 16, "n_layers": 1, "n_heads": 2}, window=16, batch_size=8, recipe=Recipe(5, 3e-3)
        ),
        classifier_head=Recipe(3, 1e-2),
        classifier=Recipe(2, 1e-3),
        sft=Recipe(60, 5e-3, warmup=5, checkpoint_every=20),
        reward=Recipe(10, 1e-3, checkpoint_every=5),
        lora=Recipe(10, 1e-2),
        tools=Recipe(2, 1e-3),
        tasks=("count",),
        n_training=200,
        n_validation=20,
        batch_size=16,
        n_rated=20,
        group=4,
        dpo_steps=3,
        grpo_steps=3,
        grpo_questions=2,
        ppo_steps=2,
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
            recipe=Recipe(
                600, 2e-3, warmup=100, final_learning_rate=1e-4, log_every=20, validate_every=100, checkpoint_every=100
            ),
        ),
        comparison=Comparison(
            {"d_model": 64, "n_layers": 2, "n_heads": 4},
            window=64,
            batch_size=8,
            recipe=Recipe(800, 4e-3, warmup=40, checkpoint_every=400),
        ),
        classifier_head=Recipe(100, 3e-3, warmup=5, checkpoint_every=50),
        classifier=Recipe(100, 5e-4, warmup=10, checkpoint_every=50),
        sft=Recipe(400, 2e-3, warmup=30, final_learning_rate=1e-4, checkpoint_every=100),
        reward=Recipe(480, 4e-4, warmup=20, checkpoint_every=80),
        lora=Recipe(160, 5e-3, warmup=10, weight_decay=0.0, checkpoint_every=80),
        tools=Recipe(850, 2e-3, warmup=20, final_learning_rate=2e-4, checkpoint_every=200),
    ),
    "gpu": Preset(
        # About twenty epochs of the shipped text; with more, so large a model only memorises it.
        pretraining=Pretraining(
            vocab_size=2048,
            model={"context_length": 512, "d_model": 512, "n_layers": 8, "n_heads": 8, "n_kv_heads": 4, "dropout": 0.2},
            window=256,
            stride=64,
            batch_size=16,
            recipe=Recipe(
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
            recipe=Recipe(600, 1e-3, warmup=60, bf16=True, checkpoint_every=300),
        ),
        classifier_head=Recipe(300, 3e-3, warmup=20, bf16=True, checkpoint_every=150),
        classifier=Recipe(300, 1e-4, warmup=30, bf16=True, checkpoint_every=150),
        sft=Recipe(2000, 5e-4, warmup=100, final_learning_rate=5e-5, bf16=True, checkpoint_every=500),
        reward=Recipe(600, 1e-4, warmup=50, bf16=True, checkpoint_every=200),
        lora=Recipe(300, 2e-3, warmup=20, weight_decay=0.0, checkpoint_every=150),
        tools=Recipe(500, 2e-4, warmup=50, bf16=True, checkpoint_every=250),
        tasks=(*EASY, "add"),
        n_training=10_000,
        n_validation=600,
        batch_size=64,
        n_rated=10_000,
        group=16,
        dpo_steps=200,
        dpo_learning_rate=4e-5,
        grpo_steps=200,
        grpo_questions=64,
        grpo_learning_rate=5e-5,
        ppo_steps=50,
        lora_rank=16,
        n_tool_questions=100,
    ),
}
