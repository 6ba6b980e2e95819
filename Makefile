# Thin: each target calls the real commands. PYTHON picks the interpreter that the environment is made from.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test check long verify

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/course demo

check: setup
	$(BIN)/ruff check autograde tools reference_impl hidden_tests
	$(BIN)/ruff format --check -q autograde tools reference_impl hidden_tests
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not long"

test: .venv/oracles check long verify

.venv/oracles: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,oracles,curves]'
	touch $@

long: setup
	$(BIN)/pytest -q -m long

verify: setup
	$(BIN)/course verify
