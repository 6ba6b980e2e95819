"""The `course` command. Exit status: 0 success; 1 not sound or not graded; 2 a mistake in the command or course."""

from autograde import startup  # noqa: F401  # must be imported first
from autograde.cli import author, one, term  # noqa: F401  # each registers its commands
from autograde.cli.command import main

__all__ = ["main"]
