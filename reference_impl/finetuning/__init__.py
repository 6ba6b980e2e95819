"""Supervised finetuning: conversations with a chat template, and tasks with answers that can be checked."""
