"""A grader: a pytest session that runs an assignment's checks on one submission after another."""
