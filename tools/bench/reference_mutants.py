"""Shows which small changes of the reference its tests miss: `python -m tools.bench.reference_mutants [MODULE ...]`.

Each mutant has one changed place (autograde/verification/mutants.py lists the changes). It is killed if a test of the
module's own test file, or of the module's part in test_graded_functions.py, fails or takes longer than a limit. Without
modules: all that grade an assignment. A survivor is either a gap in the tests or equivalent to the original; a person
decides which.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch
from rich.console import Console

from autograde.verification.mutants import Mutant, make_mutants, sample
from tools.bench import ROOT

REFERENCE = ROOT / "reference_impl"
GRADING = (
    "model.attention", "model.norms", "model.rope", "model.mlp", "model.kv_cache", "model.moe", "finetuning.sft",
    "alignment.reward_model", "alignment.dpo", "alignment.grpo", "alignment.ppo",
)  # fmt: skip
TIMEOUT_S = 120
SEED = 7


class MutatedLoader(importlib.abc.Loader):
    """Runs the mutant's source instead of the module's own."""

    def __init__(self, source: str, path: Path) -> None:
        self.source, self.path = source, path

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


class MutatedFinder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, loader: MutatedLoader) -> None:
        self.name, self.loader = name, loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.loader.path, loader=self.loader)


def is_killed(module: str, mutant: Mutant) -> bool:
    """Do the module's tests fail with this mutant? They run in a fork, which imports the reference anew."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_run_tests(module, mutant.source))
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _run_tests(module: str, source: str) -> int:
    package, _, name = module.partition(".")
    path = REFERENCE / package / f"{name}.py"
    sys.meta_path.insert(0, MutatedFinder(f"reference_impl.{module}", MutatedLoader(source, path)))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    torch.set_num_threads(1)
    tests = REFERENCE / "tests" / package / f"test_{name}.py", REFERENCE / "tests" / "test_graded_functions.py"
    # hypothesis is imported already, so pytest cannot rewrite its assertions; that costs messages only.
    ignored = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(
        pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", "not long", "-k", name, *ignored, *map(str, tests)])
    )


def main(modules: Sequence[str], count: int, jobs: int) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")
    os.chdir(ROOT)
    for module in modules:
        source = (REFERENCE / (module.replace(".", "/") + ".py")).read_text()
        if is_killed(module, Mutant(module, 0, "unchanged", source)):
            console.print(f"{module}: its tests fail without a mutant")
            continue
        mutants = sample(make_mutants(module, source), count, SEED)
        with ThreadPoolExecutor(jobs) as pool:
            killed = list(pool.map(partial(is_killed, module), mutants))
        for mutant, dead in zip(mutants, killed, strict=True):
            if not dead:
                console.print(f"  {module}, line {mutant.line}: {mutant.change}")
        console.print(f"{module}: {sum(killed)} of {len(mutants)} mutants killed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=GRADING, metavar="MODULE", help="such as model.attention")
    parser.add_argument("--count", type=int, default=10_000, help="mutants of each module [default: all]")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.modules, arguments.count, arguments.jobs)
