"""Verifies that an assignment is sound: what `course verify` grades, expects and finds."""
