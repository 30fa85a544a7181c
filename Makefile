# Two commands: `make demo` and `make test`. Both need Python 3.10 or newer, make, and a package index.

PYTHON ?= python3
AIRFLOW ?= 3.3.2
# Ports of `make demo` (any free ones by default) and `make demo-up` (8080 and 8443 by default).
AIRFLOW_PORT ?=
EMULATOR_PORT ?=

# Processes of the tests: they wait more than they compute.
PROCESSES ?= 6

VENV := .venv/bin
PORTS := $(if $(AIRFLOW_PORT),--airflow-port $(AIRFLOW_PORT)) $(if $(EMULATOR_PORT),--emulator-port $(EMULATOR_PORT))

.DEFAULT_GOAL := help
.PHONY: help environment demo demo-up test test-all docs docs-parts pictures dist lint format test-unit fuzz test-e2e test-form test-wheel test-upgrade test-examples chaos bench bench-quick bench-tasks simulate soak constraints clean

help:  ## Show this
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
	  printf '  make %-12s %s\n' "$$name" "$$what"; done

environment:
	@devtools/environment.sh "$(PYTHON)" "$(AIRFLOW)"

demo: environment  ## Run the example DAG in a real Airflow against the emulator, and report
	@exec $(VENV)/python -m devtools.demo $(PORTS)

demo-up: environment  ## Leave Airflow's UI and the emulator running until Ctrl-C
	@exec $(VENV)/python -m devtools.demo --up $(PORTS)

test: lint  ## Lint, types, and every test but those that build environments of their own (test-wheel, test-examples, docs)
	$(VENV)/python -m pytest -n $(PROCESSES) -m "not docs and not wheel and not upgrade and not examples and not events"
	$(VENV)/python -m pytest -n $(PROCESSES) -m events -p no:unraisableexception tests/contract/test_job_events.py

test-all: environment .venv-docs/installed-for  ## The suites on every Airflow and Python we support (hours); writes docs/compatibility.md
	$(VENV)/python -m devtools.release.matrix --write
	$(VENV)/python -m pytest -m docs

docs: environment .venv-docs/installed-for  ## Build the site, warnings are errors, and follow its pages
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict
	$(VENV)/python -m pytest -m docs

docs-parts: environment  ## Rewrite what the documentation takes from the code
	$(VENV)/python -m devtools.docs.public_api --write
	$(VENV)/python -m devtools.docs.doc_parts --write
	$(VENV)/python -m devtools.docs.rest_coverage
	$(VENV)/python -m devtools.docs.evidence
	$(VENV)/python -m devtools.docs.doctor_transcript
	$(VENV)/python -m tests.chaos.report

pictures: environment  ## Take the documentation's pictures anew, in a real Airflow and a real browser
	$(VENV)/python -m devtools.docs.screenshots

dist: environment .venv-docs/installed-for  ## Build wheel and sdist twice, compare, check: what a release uploads
	.venv-docs/bin/python -m devtools.release.dist

.venv-docs/installed-for: constraints/docs.txt
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/docs.txt \
	  mkdocs-material 'mkdocstrings[python]' ruff build hatchling twine check-jsonschema
	@touch $@

lint: environment  ## ruff (lint, format) and mypy --strict
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

format: environment  ## Let ruff fix what it can
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

test-unit: environment  ## The tests that need no Airflow process
	$(VENV)/python -m pytest -n $(PROCESSES) -m "not e2e and not wheel and not upgrade and not docs and not events"

fuzz: environment  ## A million random hostile answers for every flow, parser and driver (an hour); FABRIC_FUZZ_SEED=… for others
	FABRIC_FUZZ_CASES=1000000 $(VENV)/python -m pytest -n $(PROCESSES) tests/fuzz

test-e2e: environment  ## The tests that run a real Airflow
	$(VENV)/python -m pytest -m e2e

test-examples: environment  ## Every example DAG and every snippet of docs/ in a real Airflow
	$(VENV)/python -m pytest -m examples

chaos: environment  ## Everything goes wrong in a real Airflow, on PostgreSQL and Celery: make chaos AIRFLOW=2.11.2
	@devtools/airflow/servers.sh
	@$(VENV)/python -m pip install --quiet -c constraints/airflow-$(AIRFLOW).txt \
	  psycopg2-binary asyncpg apache-airflow-providers-celery redis
	$(VENV)/python -m pytest -m chaos tests/chaos -s

test-form: environment .venv-airflow-2/installed-for  ## The connection form of Airflow 2.10 in a browser (Python up to 3.12)
	$(VENV)/python -m pytest -m browser tests/browser/test_connection_form_2.py

.venv-airflow-2/installed-for: constraints/airflow-2.10.5.txt
	$(PYTHON) -m venv --clear .venv-airflow-2
	.venv-airflow-2/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/airflow-2.10.5.txt \
	  apache-airflow==2.10.5 -e .
	@touch $@

test-wheel: environment  ## Install the wheel into bare Airflows and import it all
	$(VENV)/python -m pytest -m wheel

test-upgrade: environment  ## Upgrade a real Airflow whose deferred tasks an older wheel started
	$(VENV)/python -m pytest -m upgrade

bench: environment  ## Measure the shared poller under load (about an hour), and rewrite docs/performance.md
	$(VENV)/python -m benchmarks --docs

simulate: environment  ## How the poller deals out turns under stress, in virtual time (some minutes)
	$(VENV)/python -m benchmarks.simulation

soak: environment  ## Seven days of a triggerer in virtual time: 1,000,000 waits (an hour)
	$(VENV)/python -m benchmarks.soak

bench-tasks: environment  ## 300 mapped tasks in a real Airflow, by name and by id, with the local cache and without (an hour)
	$(VENV)/python -m benchmarks.mapped_tasks

bench-quick: environment  ## The same, small, in a minute
	$(VENV)/python -m benchmarks --quick

constraints: environment  ## Resolve constraints/ anew: make constraints PYTHONS="python3.10 python3.13"
	$(VENV)/python -m devtools.release.constraints $(AIRFLOW) $(foreach python,$(PYTHONS),--python $(python))

clean:  ## Remove the environment, demo runs and caches
	rm -rf .venv .venv-* .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
