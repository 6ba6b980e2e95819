"""The request with which the grader has the zygote start a submission."""

from __future__ import annotations

import msgspec

from autograde.worker import limits


class LaunchRequest(msgspec.Struct, frozen=True):
    """Sent with descriptors: the warden's control socket, notebook in and out, and a pair for each check."""

    scratch: str
    """an empty folder of the submission's own: its working folder and home"""
    limits: limits.Bounds
    device: str
    seed: int
