"""The pytest plugin behind `@pytest.mark.needs("transformers")`: skips or fails a test if a package is missing."""

from __future__ import annotations

import importlib.util

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all",
        action="store_true",
        help="fail a test, instead of skipping it, when a package it needs is missing",
    )


@pytest.hookimpl(tryfirst=True)  # before `skipif`, and before any fixture imports the package
def pytest_runtest_setup(item: pytest.Item) -> None:
    needed = [name for mark in item.iter_markers("needs") for name in mark.args]
    missing = sorted({name for name in needed if importlib.util.find_spec(name) is None})
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}; `make .venv/everything` installs what the tests need"
    if item.config.getoption("--require-all"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
