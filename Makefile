# Everything goes through .venv, which .ci/environment.py keeps as uv.lock says; git, make and Python 3.11 to 3.13 suffice.
PYTHON ?= python3
BIN := .venv/bin
TEST_ARGS ?=
# Hundreds of short processes import the same modules: compiled once, into .cache, also where an image forbids it beside the sources.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-kubernetes test pythons check bench bench-kubernetes bench-budget clean

help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv what uv.lock says (the others do it first)
	@$(PYTHON) .ci/environment.py

demo: setup ## Release a good version and take back a bad one, on real traffic
	@$(BIN)/serinus demo good errors

demo-kubernetes: setup ## The same on a real Kubernetes, without containers; builds it once, in minutes
	@$(BIN)/serinus demo --kubernetes good errors

test: setup ## The fast tests, then those on real servers and a real Kubernetes; TEST_ARGS goes to pytest
	@.ci/tests $(TEST_ARGS)

pythons: setup ## The fast tests on every other Python that is here and that we claim
	@.ci/pythons $(TEST_ARGS)

check: setup ## Lint, types, import contracts, generated files
	@.ci/check

bench: setup ## Measure the product's promises; writes bench/results
	@$(BIN)/python -m bench

bench-kubernetes: setup ## Measure them on a real Kubernetes, and the same faults under Flagger
	@$(BIN)/python -m bench.kubernetes

bench-budget: setup ## Count what a release of an hour asks of an API server and writes into its etcd
	@$(BIN)/python -m bench.budget

clean: ## Take away what the others made; evidence (TEST/) stays
	@if [ -x $(BIN)/serinus ] && [ -e .serinus/platform.json ]; then $(BIN)/serinus local down; fi
	rm -rf .venv .cache .serinus .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
