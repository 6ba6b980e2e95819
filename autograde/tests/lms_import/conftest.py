"""Fixtures for tests of `course collect`."""

from autograde.tests.lms_import.classroom import course, empty_gradebook, empty_roster, full_gradebook, no_roster

__all__ = ["course", "empty_gradebook", "empty_roster", "full_gradebook", "no_roster"]
