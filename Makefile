# What a person types: make run, make test. Everything happens in .venv, made from requirements.lock.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
# The peers of the benchmarks live apart: nothing of theirs is part of OVASABI.
PEERS       := build/bench-peers
PEERS_STAMP := $(PEERS)/.made-from-lock
# A pyenv shim can be on PATH and still not run: the first interpreter that answers is taken.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help run test quick lint format api fuzz bench lock clean venv client

help:
	@echo "make run      start OVASABI with its own PostgreSQL (first time: also make $(VENV))"
	@echo "make test     lint, types, import contracts and all tests"
	@echo "make quick    lint, types, unit tests, and the tests that your change touches: two minutes at most"
	@echo "make lint     the checks alone, without the tests"
	@echo "make format   let ruff format and repair"
	@echo "make api      write what is generated from the declarations: api/, docs/errors, the client"
	@echo "make fuzz     fuzz the API for long (MINUTES=10, SEED=… of an earlier run)"
	@echo "make bench    measure OVASABI beside its limit and its peers (ONLY=create: one part)"
	@echo "make lock     resolve the dependencies anew into requirements.lock"
	@echo "make clean    remove $(VENV), caches and builds (never the data)"

run: $(STAMP) client
	@exec $(BIN)/ovasabi up

test: lint $(PEERS_STAMP)
	@echo "== tests: pytest"
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# What is left out for want of time is said; `make test` runs everything.
quick: lint
	@echo "== unit tests"
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/unit
	@echo "== what the change touches"
	@$(BIN)/pytest -q --touched --seconds 45 tests

lint: $(STAMP) client
	@echo "== lint: ruff check"
	@$(BIN)/ruff check --quiet
	@echo "== format: ruff format --check"
	@$(BIN)/ruff format --check --quiet
	@echo "== types: mypy"
	@$(BIN)/mypy --no-error-summary
	@echo "== layers: lint-imports"
	@$(BIN)/lint-imports --no-logo

format: $(STAMP)
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

api: $(STAMP)
	@$(BIN)/ovasabi api
	@$(BIN)/python clients/python/unasync.py

# A door has a run of its own in tests/fuzz/__main__.py; the bounded runs are part of the tests.
fuzz: $(STAMP) client
	@PYTHONPATH=.:clients/python/src $(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

bench: $(STAMP) $(PEERS_STAMP)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

venv: $(STAMP) client

# The synchronous half of the Python client is made from the asynchronous one, and not kept in git.
client: $(STAMP)
	@$(BIN)/python clients/python/unasync.py

# Made anew whenever the lock changes, so that nothing is left over that the lock does not name.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed, and neither python3.11 nor python3 is one." >&2; \
		echo "hint: install it, or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making $(VENV) from requirements.lock (once; a minute or two) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS_STAMP): benchmarks/peers.lock
	@echo "Making $(PEERS) from benchmarks/peers.lock (once) ..."
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r benchmarks/peers.lock
	@touch $@

# pip-tools lives apart: it is needed here only, and its own dependencies are not ours.
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --upgrade --strip-extras --allow-unsafe \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock:
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python -m pip install -qq --disable-pip-version-check pip-tools
	@$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	@$(COMPILE) --output-file benchmarks/peers.lock benchmarks/peers.in

clean:
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests migrations benchmarks clients -name __pycache__ -type d -prune -exec rm -rf {} +
