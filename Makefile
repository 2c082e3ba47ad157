# Everything runs from .venv, which the first target that needs it makes. Only Python 3.11+ and make must be there.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST_ARGS ?=
# Without compiled modules every process that is started would compile all of them again, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test run scan bench lint format types imports check docs docs-check lock up down clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.venv/ready: requirements.lock pyproject.toml libs/common/pyproject.toml libs/devcluster/pyproject.toml libs/devchat/pyproject.toml $(wildcard services/*/pyproject.toml)
	@tools/bootstrap

demo: .venv/ready ## Watch the product find faults in a real, disposable cluster (Ctrl-C ends it)
	@exec $(BIN)/python -m demo

test: .venv/ready ## Run every test, against a real control plane and a real PostgreSQL
	@$(BIN)/devcluster binaries control-plane prometheus alertmanager kube-state-metrics
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

run: .venv/ready ## Watch an own cluster, read-only: KUBECONFIG=... make run
	@exec $(BIN)/health-monitor serve

scan: .venv/ready ## Report on an own cluster once: KUBECONFIG=... make scan
	@exec $(BIN)/health-monitor scan

bench: .venv/ready ## Measure; ONLY=monitor.scan for one, QUICK=1 for a small round
	@exec $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

lint: .venv/ready ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: .venv/ready ## Put style right
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: .venv/ready ## Check types
	@$(BIN)/mypy

imports: .venv/ready ## Check who may import whom
	@$(BIN)/lint-imports

check: lint types imports docs-check ## Everything that is checked before the tests

docs: .venv/ready ## Make the generated documents anew
	@$(BIN)/python -m health_monitor.docs
	@$(BIN)/python -m auto_healing.docs
	@$(BIN)/python -m alert_service.docs

docs-check: .venv/ready ## Check that the generated documents are up to date
	@$(BIN)/python -m health_monitor.docs --check
	@$(BIN)/python -m auto_healing.docs --check
	@$(BIN)/python -m alert_service.docs --check

lock: .venv/ready ## Resolve every dependency anew into requirements.lock
	@tools/lock --upgrade

up: .venv/ready ## Start a cluster that stays, and say how to use it
	@$(BIN)/devcluster up

down: .venv/ready ## End the cluster that `make up` started
	@$(BIN)/devcluster down

clean: ## Remove what was made inside the repository
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* build
