# The commands for developers: make run, make test. Everything runs in .venv, which is created from requirements.lock.

MAKEFLAGS += --no-print-directory
# Compiled modules are kept whatever the environment says: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
# The frameworks that the benchmarks compare with have their own environment: OVASABI does not depend on them.
PEERS       := build/bench-peers
PEERS_STAMP := $(PEERS)/.made-from-lock
# A pyenv shim can be on PATH without working, so this picks the first interpreter that runs.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help run test quick lint format api fuzz faults bench lock clean venv client

help:
	@echo "make run      start OVASABI with its own PostgreSQL (creates $(VENV) the first time)"
	@echo "make test     run lint, types, import contracts and all tests"
	@echo "make quick    run lint, types, unit tests, and the tests affected by your change: two minutes at most"
	@echo "make lint     run the checks without the tests"
	@echo "make format   format the code and apply the fixes that ruff can make"
	@echo "make api      write the files generated from the declarations: api/, docs/errors, the client"
	@echo "make fuzz     fuzz the API for longer (MINUTES=10, SEED=… to repeat an earlier run)"
	@echo "make faults   strike the program with faults while callers work, then watch what it uses (MINUTES=10, SEED=…)"
	@echo "make bench    compare OVASABI with its limit and with other frameworks (ONLY=create: one part)"
	@echo "make lock     resolve the dependencies again into requirements.lock"
	@echo "make clean    remove $(VENV), caches and build output (never the data)"

run: $(STAMP) client
	@exec $(BIN)/ovasabi up

# Three processes on two cores: tests wait for servers and other processes for about a quarter of their time.
test: lint $(PEERS_STAMP)
	@echo "== tests: pytest"
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# Reports how many tests were left out when the time was up; `make test` runs all of them.
quick: lint
	@echo "== unit tests"
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/unit
	@echo "== tests affected by the change"
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

# The long runs are in tests/fuzz/__main__.py; the bounded runs are part of the tests.
fuzz: $(STAMP) client
	@PYTHONPATH=.:clients/python/src $(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

# Its faults last for half of the time, and it works undisturbed for the other half; it needs root for the small disk.
faults: $(STAMP) client
	@MINUTES=$(or $(MINUTES),10) SEED=$(SEED) $(BIN)/pytest -q -s -p no:cacheprovider -o python_files=soak.py tests/faults/soak.py

bench: $(STAMP) $(PEERS_STAMP)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

venv: $(STAMP) client

# The synchronous half of the Python client is generated from the asynchronous half and is not in git.
client: $(STAMP)
	@$(BIN)/python clients/python/unasync.py

# Created from scratch whenever the lock changes, so that it contains nothing that is not in the lock.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is required, but no such interpreter was found." >&2; \
		echo "hint: install it, or pass its path: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Creating $(VENV) from requirements.lock (once; takes a minute or two) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS_STAMP): benchmarks/peers.lock
	@echo "Creating $(PEERS) from benchmarks/peers.lock (once) ..."
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r benchmarks/peers.lock
	@touch $@

# pip-tools has its own environment: only this target needs it, and its dependencies must not mix with ours.
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
