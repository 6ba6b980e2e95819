"""Adaptation to a task: classification, LoRA, int8 weights, reasoning and tool calls."""
