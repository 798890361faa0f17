# `make demo` and `make test` set everything up themselves; `make help` lists the rest.
# PYTHON=/path/to/python3.12 chooses the interpreter (3.11 to 3.14).
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format types clean
PYTHON ?=
export PYTHON

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## create or update .venv from requirements.lock
	@sh scripts/setup.sh

demo: setup ## run the whole pipeline offline on the sample market, into data/demo
	@.venv/bin/bess demo

test: setup ## run the tests that need neither a browser nor much time
	@.venv/bin/python -m pytest -n 2 --dist loadfile

lint: setup ## ruff: rules and formatting
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .

format: setup ## let ruff mend what it can
	@.venv/bin/python -m ruff check --fix .
	@.venv/bin/python -m ruff format .

types: setup ## mypy
	@.venv/bin/python -m mypy

clean: ## remove the environment and caches; data/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist test-artefacts
