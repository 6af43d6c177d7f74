# The front door. Everything runs in .venv, made from requirements.lock; nothing else is installed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help

help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 24

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: $(VENV)/.ready ## make .venv from the lock

flink: ## make .flink, the environment of Flink jobs (a JRE of 17 and Maven are needed)
	PYTHON=$(PYTHON) deploy/flink/install.sh .flink

lock: ## pin every dependency again, with hashes, from pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-strip-extras --no-header -o requirements.lock pyproject.toml --upgrade

land: setup ## write the example's landing zone, as the source systems would
	$(BIN)/python -m domains.source_systems

demo: setup ## land the real data and send live receipts, materialize the whole mesh, print its status
	$(BIN)/python -m domains.source_systems --live 5000
	$(BIN)/mesh run
	$(BIN)/mesh status

demo-production: setup ## the demo on S3, Glue and Snowflake: on their stand-ins, in .mesh/production
	$(BIN)/python -m tests.stand_ins -- sh -ec '\
	  $(BIN)/python -m domains.source_systems --live 5000; $(BIN)/mesh run; $(BIN)/mesh status'

demo-streams: setup ## streams on a real Kafka and Cassandra, where Java and Maven are: in .mesh/streams
	$(BIN)/python -m tests.stand_ins --streams --home .mesh/streams -- sh -ec '\
	  $(BIN)/python -m domains.source_systems --live 5000; $(BIN)/mesh run order/purchases +recommendation/next_products; \
	  $(BIN)/python -m domains.source_systems replay --from 2017-12-05 --continue --limit 2000; \
	  $(BIN)/mesh stream order/purchases --until-empty; \
	  $(BIN)/mesh stream live recommendation/next_products --until-empty; $(BIN)/mesh stream list'

# The streams beside it are processes of their own, which wait for nothing there and end when it does.
dev: setup ## Dagster's UI, all code locations and the daemon on 127.0.0.1:3000, and the mesh's streams
	umask 077; home="$$($(BIN)/python -m shared_resources.dagster_instance.instance)" || exit; \
	  $(BIN)/mesh stream --all --below $$$$ & \
	  DAGSTER_HOME="$$home" exec $(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port 3000

# The rooms of [tool.coverage.run] in pyproject.toml, and those whose tests go through them.
COUNTED := $(addprefix tests/,access arrivals attesting branching cli/test_policy.py comparing contracts evidence \
  governance inference landing mesh registry rehearsing scaffolding state)

test: setup ## every test but the slow ones (COVERAGE=1: those of the gate must see as many branches as before)
ifdef COVERAGE
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow" --cov --cov-report= $(COUNTED)
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow" $(addprefix --ignore=,$(COUNTED))
else
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"
endif

chaos: setup ## the slow tests: killed processes, many writers, faults, fuzzing, full data (half an hour)
	$(BIN)/pytest -n 3 --dist loadgroup --timeout 1200 -vv --durations 40 -m slow

lint: setup ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

reference: setup ## write the pages and schemas that are made from the code
	$(BIN)/python -m shared_resources.reference

bench: setup ## every benchmark beside its peers, and the chart of docs/benchmarks.md
	@set -e; export BENCH_FIGURES=$$(mktemp); for file in benchmarks/[a-z]*.py; do \
	  name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done; \
	$(BIN)/python -m benchmarks.results.chart $$BENCH_FIGURES docs/images/speed.svg; \
	rm $$BENCH_FIGURES

clean: ## forget all state below .mesh, what landed there too
	rm -rf .mesh

.PHONY: help setup lock land demo demo-production demo-streams dev test chaos lint reference bench clean flink
