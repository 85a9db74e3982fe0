# Farthing's commands. On a fresh machine `make run` is enough.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: setup dev servers run test compiled check fuzz replay bench bench-micro bench-queries bench-reports bench-watchers bench-page validate-experiments validate-focus validate-replay validate-savings eval-routing train-prior scenario scale footprint clean help

UV_VERSION := 0.13.8
BIN := .venv/bin

# `make run COMPILED=on` and `make test COMPILED=on` take the gateway of `make compiled` instead of the interpreted one.
COMPILED ?=
FASTER := build/compiled
ifeq ($(COMPILED),on)
export PYTHONPATH := $(CURDIR)/$(FASTER)
PREPARED := $(FASTER)/farthing
endif

# `make test COVERAGE=off` runs the tests alone, without the floors of tools/coverage_gate.py.
COVERAGE ?= on
# `make test TESTS=tests/unit/domain` runs a part; a part is not held to the floors.
TESTS ?=

.venv/uv-$(UV_VERSION):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Farthing needs python3 3.11 or newer on the PATH"; exit 1; }
	@python3 -m venv .venv || { echo "python3 lacks venv: install python3-venv, then run make again"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/synced: uv.lock pyproject.toml tools/sync .venv/uv-$(UV_VERSION)
	@tools/sync
	@touch $@

.venv/synced-dev: uv.lock pyproject.toml tools/sync .venv/uv-$(UV_VERSION)
	@tools/sync --group dev
	@touch .venv/synced $@

setup: .venv/synced ## what `make run` needs, into .venv; starts nothing

dev: .venv/synced-dev ## what the tests need, too

servers: ## finds or installs the real servers that the tests start
	@tools/servers postgres=postgresql redis-server=redis-server pgbouncer=pgbouncer setpriv=util-linux ps=procps gcc=build-essential nginx=nginx openssl=openssl chromium-headless-shell=chromium-headless-shell

run: .venv/synced $(PREPARED) ## the gateway on http://127.0.0.1:8000
	@$(BIN)/farthing serve

# What is compiled cannot be counted.
COUNTED := $(filter on,$(COVERAGE)$(COMPILED))
# Alembic loads revisions by their path, where they cannot be counted; tests/migration runs each up and down on both databases.
COUNTER := slipcover --branch --source src/farthing --omit 'src/farthing/store/migrations/versions/*' --json --out coverage.json -m

# A file's tests stay in one process. In the order of their folders the many short ones come last, and nobody waits long.
SHARED := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder --ignore tests/faults

# What is compiled for one process is kept for all others, also where the machine is set up to keep nothing.
test: export PYTHONDONTWRITEBYTECODE :=
# The fault rows are not slowed down by coverage. Most of them wait more than they work, so that two run at a time.
test: dev servers $(PREPARED) ## every test, against real servers, with coverage floors
ifneq ($(TESTS),)
	@$(BIN)/pytest $(TESTS)
else
	@rm -f coverage.json
	@$(BIN)/python -m $(if $(COUNTED),$(COUNTER) )pytest $(SHARED) && passed=yes || passed=no; \
	$(BIN)/pytest tests/faults -m 'not alone' -n 2 --maxschedchunk 1 || passed=no; \
	$(BIN)/pytest tests/faults -m alone && [ $$passed = yes ]
ifneq ($(COUNTED),)
	@$(BIN)/python tools/coverage_gate.py coverage.json
endif
endif

# `make faults FAULT_ROWS=tests/faults/test_kill.py SEED=42` plays a part, or a failed row again. `LONGER=30` plays rows with rounds,
# and the soak of a minute, so many times longer.
FAULT_ROWS ?= tests/faults tests/security/test_s38_tenants.py
SEED ?=
LONGER ?= 1
faults: dev servers ## the long fault matrix, three quarters of an hour, into benchmarks/results
	@$(if $(filter tests/faults,$(FAULT_ROWS)),rm -f benchmarks/results/faults.txt)
	@$(BIN)/pytest --faults --session-timeout $$((3600 * $(LONGER))) --longer $(LONGER) $(SEED:%=--seed %) $(FAULT_ROWS)

# The compiled folder is as new as the last build; a module that changed, or joined the list, makes another.
$(FASTER)/farthing: pyproject.toml tools/compile.py tools/mypyc/CPy.h $(shell find src/farthing -type f ! -name '*.pyc') | dev
	@tools/servers gcc=build-essential
	@$(BIN)/python tools/compile.py $(FASTER)
	@touch $@

compiled: $(FASTER)/farthing ## the request path compiled ahead of time, for COMPILED=on; takes two minutes and a C compiler

check: dev ## lint, format, types, import contracts, architecture
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@contracts=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$contracts"; exit 1; }
	@$(BIN)/pytest --quiet -p no:cacheprovider tests/architecture

# `make fuzz CASES=5000 SEED=7` is quicker, or makes up others.
CASES ?= 100000
fuzz: dev ## requests made up from the API's description, good and bad, about half an hour, into benchmarks/results
	@$(BIN)/python -m tests.security $(CASES) $(or $(SEED),1)

replay: dev ## real recorded prompts through the running gateway: cost, savings, quality kept
	@$(BIN)/python -m benchmarks.replay

# `make bench PEERS=nginx,litellm ROUNDS=1 SECONDS=2` is quicker; only the whole run is kept in benchmarks/results.
PEERS ?=
ROUNDS ?=
SECONDS ?=
bench: dev ## the peers beside us in one interleaved run, about 10 minutes, into benchmarks/results
	@tools/servers nginx=nginx taskset=util-linux setpriv=util-linux openssl=openssl gcc=build-essential
	@$(BIN)/python -m benchmarks.gateways $(PEERS:%=--peers %) $(ROUNDS:%=--rounds %) $(SECONDS:%=--seconds %)

# `make bench-micro MICRO="--store"` keeps the figures, `MICRO="--fail-above 1.5"` fails where something got slower.
MICRO ?=
bench-micro: dev servers ## the parts of a request one by one, as ratios to the stored figures
	@$(BIN)/python -m benchmarks.micro $(MICRO)

bench-reports: dev ## peak memory and time of a month's report in every format, into benchmarks/results
	@$(BIN)/python -m benchmarks.reports $(ROWS)

# `make bench-queries ROWS="10000 10000000"` chooses how many rows.
ROWS ?= 10000 100000 1000000
bench-queries: dev servers ## usage, savings and figures over many rows, on both databases, into benchmarks/results
	@$(BIN)/python -m benchmarks.queries $(ROWS)

# `make bench-page LEDGER=100000` is quicker.
LEDGER ?= 10000000
bench-page: dev servers ## every view of the page over ten million rows in a browser, both databases, into benchmarks/results
	@$(BIN)/python -m benchmarks.page.first && first=yes || first=no; $(BIN)/python -m benchmarks.page $(LEDGER) && [ $$first = yes ]

bench-watchers: dev ## what 500 who watch the live figures cost a worker, five minutes, into benchmarks/results
	@tools/servers taskset=util-linux setpriv=util-linux
	@$(BIN)/python -m benchmarks.watchers

# `make validate-experiments PLAYED=0.1` plays a tenth, and keeps nothing.
PLAYED ?= 1
validate-experiments: dev ## simulations behind every promise about experiments, a quarter of an hour, into benchmarks/results
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.experiments --scale $(PLAYED)

# `make eval-routing DATA=folder` takes the recorded outcomes from elsewhere.
DATA ?=
eval-routing: dev ## every router on recorded outcomes beside published rows, under 10 minutes, into benchmarks/results
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.routing $(DATA)

validate-replay: dev ## replays held against recorded outcomes: do their intervals hold the truth, into benchmarks/results
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.routing.replays $(DATA)

# `make validate-savings MONTHS=100` is quicker, and keeps nothing.
MONTHS ?= 1000
validate-savings: dev ## simulated months whose truth is known: do the intervals of savings and forecasts hold it, into benchmarks/results
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.savings --months $(MONTHS)

# The validator wants an older numpy than ours.
.benchmarks/focus/synced: tools/focus-validator.txt tools/sync .venv/synced-dev
	@SYNC_INTO=.benchmarks/focus tools/sync --requirements tools/focus-validator.txt
	@touch $@

validate-focus: .benchmarks/focus/synced ## a FOCUS report held to version 1.0 by the validator of the specification
	@$(BIN)/python -m benchmarks.focus

# What is known of prompts before the first rated answer; the file is part of the package.
train-prior: dev ## the prior of learned routing anew, from the same recorded outcomes
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python tools/train_prior.py $(or $(DATA),../shared/data/routing)

# Locust patches the standard library, and would do so in every test: it has an environment of its own.
.benchmarks/locust/synced: uv.lock pyproject.toml tools/sync .venv/synced-dev
	@SYNC_INTO=.benchmarks/locust tools/sync --only-group bench
	@touch $@

scenario: .benchmarks/locust/synced ## people before a gateway in demo mode for 30 s; every answer must be in the ledger
	@$(BIN)/python -m benchmarks.scenario

# `make scale SCALE=--stored` plans anew with what was counted last.
SCALE ?=
scale: dev servers ## hosts, Redis, PostgreSQL and dollars for 10^3, 10^5, 10^7 requests a second, into benchmarks/results
	@$(BIN)/python -m benchmarks.scale $(SCALE)

footprint: dev ## a fresh clone's way to the first answer, start, memory and size, into benchmarks/results
	@$(BIN)/python -m benchmarks.footprint

clean: ## removes everything that make made
	rm -rf .venv coverage.json .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .benchmarks build dist

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 10
