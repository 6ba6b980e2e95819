"""`python -m autograde.cli` is `course`."""

from autograde.cli import main

if __name__ == "__main__":
    main(prog_name="course")
