"""Notebooks in and out: what an instructor writes, what students get, what they hand in."""
