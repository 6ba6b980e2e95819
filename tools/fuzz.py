"""Feeds any number of mutated inputs to the readers of untrusted bytes; `autograde/tests/test_fuzz.py` runs a few.

    python tools/fuzz.py --inputs 100000
    python tools/fuzz.py --inputs 1 --seed 4711 notebooks        (repeats one input, to debug a finding)

Stops with exit status 1 at the first input on which a reader fails: an error that is not one of its refusals, too much
memory, more than five seconds of computing, or a hang. The last note of the traceback names the seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from autograde.notebooks.release import release
from autograde.tests.checked_course import make_checked_course
from autograde.tests.fuzz_readers import readers
from autograde.tests.fuzzed import withstands
from autograde.tests.tiny_course import SLUG


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "readers", nargs="*", help="wire, replies, cells, notebooks, scripts, archives; all unless named"
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the first input; the next has the next")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        (root := Path(folder) / "course").mkdir()
        course = make_checked_course(root)
        release([course.open(SLUG)])
        (root / "gradebook.db").unlink()  # looking up names in it would take most of the time of each archive
        all_readers = readers(course, Path(folder))
        if unknown := set(chosen.readers) - set(all_readers):
            parser.error(f"no reader is called {', '.join(sorted(unknown))}")
        for name in chosen.readers or all_readers:
            start = time.monotonic()
            refused = withstands(all_readers[name], range(chosen.seed, chosen.seed + chosen.inputs))
            took = time.monotonic() - start
            print(
                f"{name:10} {chosen.inputs} inputs from seed {chosen.seed}, {refused} refused, {took:.0f} s", flush=True
            )


if __name__ == "__main__":
    main()
