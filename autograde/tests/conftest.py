"""Fixtures for the engine's tests."""

from autograde.tests.tiny_course import fake_grading, released, released_once, tiny_course

__all__ = ["fake_grading", "released", "released_once", "tiny_course"]
