"""Lets `python -m autograde.cli` run the `course` command."""

from autograde.cli import main

if __name__ == "__main__":
    main(prog_name="course")
