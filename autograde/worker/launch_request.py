"""What the grader asks the zygote for."""

from __future__ import annotations

import msgspec

from autograde.worker import limits


class LaunchRequest(msgspec.Struct, frozen=True):
    """What the grader asks for; with it come descriptors: warden control, notebook in and out, a pair per check."""

    scratch: str
    """an empty folder of the submission's own: its working folder and home"""
    limits: limits.Bounds
    device: str
    seed: int
