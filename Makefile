# Unison. `make help` explains the targets.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help demo test check serve up down bench schema format

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(STAMP) ## Run the whole path on a sample shop and leave it running to explore
	$(PY) manage.py demo

test: export HF_HUB_OFFLINE := 1
test: $(DEV_STAMP) sdks ## Run every test (ARGS="-k name" to choose)
	$(PY) -m pytest $(ARGS)

check: $(DEV_STAMP) ## Format, lint, import contracts, types, migrations, schema and compose file
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py schema --check
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

serve: $(STAMP) ## Start the stack, the web server, workers and beat in the background
	$(PY) manage.py stack up
	$(PY) manage.py prepare
	$(PY) manage.py stack up --services

up: $(STAMP) ## Start the embedded PostgreSQL, graph server and Valkey
	$(PY) manage.py stack up

down: $(STAMP) ## Stop everything that demo, serve or up started
	$(PY) manage.py stack down

bench: $(DEV_STAMP) ## Measure each stage of the path and print a table
	$(PY) bench/path.py

schema: $(STAMP) ## Write schema.graphql anew
	$(PY) manage.py schema

format: $(DEV_STAMP) ## Format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

.PHONY: sdks
sdks:
	@if command -v npm >/dev/null; then \
	  if [ ! -d tests/sdk/node_modules ]; then echo "installing the Node SDKs for the tests ..."; \
	    npm --prefix tests/sdk install --no-package-lock --no-audit --no-fund --loglevel error; fi; \
	else echo "npm is missing: the tests with the Node SDKs will be skipped"; fi

$(PY):
	@command -v $(PYTHON) >/dev/null || { echo "missing: $(PYTHON) (install Python 3.11, or name it with PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "missing: the venv module of $(PYTHON) (Debian: apt install python3.11-venv)" >&2; exit 1; }
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(STAMP): requirements.txt | $(PY)
	@echo "installing requirements (about 2 minutes the first time) ..."
	@$(PY) -m pip install --progress-bar on -q -r requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(STAMP)
	@echo "installing what tests and linters need ..."
	@$(PY) -m pip install --progress-bar on -q -r requirements-dev.txt
	@touch $@
