# Each target does its own set-up: .venv is made once and filled again when pyproject.toml changes.
# Needs nothing but git, make and Python 3.11 or newer with venv.

PYTHON ?= python3
CORES ?= all
PORT ?= 5000
JOBS ?= 2
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help run test check ui study bench clean

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

run: .venv/filled ## the whole chain of params.yaml: maps, report, dvc.lock, MLflow runs
	snakemake --cores $(CORES)

test: .venv/filled ## all tests, folders of them side by side (JOBS=...)
	pytest --numprocesses $(JOBS) --dist loadgroup --no-loadscope-reorder

check: .venv/filled ## style, types, layers
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	mypy
	lint-imports

ui: .venv/filled ## the runs in MLflow, on http://127.0.0.1:5000 (PORT=...)
	dllr track
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///mlflow.db \
	  --artifacts-destination mlartifacts --host 127.0.0.1 --port $(PORT)

study: .venv/filled ## a study of studies/: make study STUDY=demo TIER=smoke
	$(if $(STUDY),,$(error which study? STUDY=$(subst $() ,|,$(basename $(notdir $(wildcard studies/*.yaml))))))
	dllr study studies/$(STUDY).yaml $(if $(TIER),--tier $(TIER))

bench: .venv/filled ## figures of benchmarks/
	failed=0; for question in benchmarks/[a-z]*.py; do \
	  python -m benchmarks.$$(basename "$$question" .py) || failed=1; done; exit $$failed

clean: ## remove results, caches and .venv; scenes and DVC's cache stay
	rm -rf .venv .dllr .snakemake results logs mlflow.db* mlartifacts

.venv/filled: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "Python's venv is incomplete: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch .venv/filled
