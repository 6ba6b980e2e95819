# Thin: each target calls the real commands. PYTHON picks the interpreter that the environment is made from.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test check long verify postgres

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

test: .venv/oracles .venv/cluster postgres check long verify

.venv/oracles: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,oracles,curves]'
	touch $@

.venv/cluster: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,cluster]'
	touch $@

# For the test of a gradebook on a server, which is skipped without it. Only root can install it.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql \
		>/dev/null; } || echo "PostgreSQL is not installed and cannot be: its test will be skipped"

long: setup
	$(BIN)/pytest -q -m long

verify: setup
	$(BIN)/course verify
