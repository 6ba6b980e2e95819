"""Runs submissions: the warm process, the confined worker, the graders, the verdicts, and `verify`."""
