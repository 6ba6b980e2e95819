"""The engine: releases assignments, grades untrusted submissions, writes reports."""

__version__ = "0.1.0"
