# Thin: each target calls the real commands. PYTHON picks the interpreter that the environment is made from.
PYTHON ?= python3
BIN := .venv/bin

# Tests run in as many processes as there are cores, so that torch in each of them keeps to one.
check long: export OMP_NUM_THREADS = 1

.PHONY: setup demo test check long verify docs browser postgres

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/course demo

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check -q
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 --dist loadfile $(PYTEST_OPTIONS) -m "not long"

test: PYTEST_OPTIONS = --require-all
test: .venv/everything browser postgres check long verify

# Packages that some tests compare with: `make check` skips what is missing, `make test` fails.
.venv/everything: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,oracles,curves,cluster]'
	touch $@

browser:
	@command -v chromium >/dev/null || $(call debian,chromium) || echo "no chromium: pages are not tried in a browser"

postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(call debian,postgresql) || \
		echo "no PostgreSQL: a gradebook on a server is not tried"

debian = { test "$$(id -u)" = 0 && apt-get -qq update && \
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(1) >/dev/null; }

long: setup
	$(BIN)/pytest -q -n 2 --dist loadfile $(PYTEST_OPTIONS) -m long

verify: setup
	$(BIN)/course verify

# docs/api.md, from docstrings.
docs: setup
	$(BIN)/python -m tools.write_api_reference
