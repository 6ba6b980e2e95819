"""Benchmarks of the kit; README.md says what each measures. Run them from the repository's root with `python -m`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""the repository; most benchmarks measure its course"""
