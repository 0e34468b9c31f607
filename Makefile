# `make help` lists the targets. Python 3.10 to 3.13 is needed; name one with PYTHON=python3.12.
PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.docs-installed

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt

# Two test processes share two cores, so each keeps to one thread.
ONE_THREAD := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
KERAS_3 := TF_USE_LEGACY_KERAS=0
TF_KERAS := TF_USE_LEGACY_KERAS=1

export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install demo test test-keras-3 test-tf-keras test-slow lint bench docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## make .venv and install the package with what its tests need

demo: $(INSTALLED) ## what is gained on a log with noise, in three minutes: train, compare, export
	$(BIN)/tf-recdenoiser demo --out runs/demo

test: lint test-keras-3 test-tf-keras ## lint, then run each test under one Keras, some under both

test-keras-3: $(INSTALLED) ## run what is used in any Keras model, under Keras 3
	$(KERAS_3) $(PYTEST) -m "keras_3 and not slow"

test-tf-keras: $(INSTALLED) ## run what the command line uses, under tf_keras
	$(TF_KERAS) $(PYTEST) -m "tf_keras and not slow"

test-slow: $(INSTALLED) ## run every test, slow ones too, in graphs under both: an hour and more
	$(KERAS_3) $(PYTEST) -m "" --graphs
	$(TF_KERAS) $(PYTEST) -m "not keras_free" --graphs

lint: $(INSTALLED) ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED) ## measure this library turn by turn with its peers; BENCH="step --cores 2" chooses
	$(BIN)/python -m benchmarks $(BENCH)

docs: $(DOCS_INSTALLED) ## write this guide and the reference as pages into docs/html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/mkdocs.yml

clean: ## remove .venv, caches and build files, but no run and no exported model
	rm -rf $(VENV) build dist docs/html *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stops with a remedy where $(PYTHON) cannot make the environment.
define CHECK_PYTHON
import sys
found = "{} is Python {}.{}".format(sys.executable, *sys.version_info[:2])
if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.exit("Python 3.10 to 3.13 is needed, and " + found
             + ". Name another one, for example: make PYTHON=python3.12 " + sys.argv[1])
import importlib.util
if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
    sys.exit(found + ", without the modules venv and ensurepip. Install them (on Debian and Ubuntu:"
             " apt install python3-venv), or name another one: make PYTHON=python3.12 " + sys.argv[1])
endef
export CHECK_PYTHON

# An environment that works is kept and brought up to date; any other is made afresh.
$(INSTALLED): setup.py pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.10 to 3.13, or name one that is there:" \
			"make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c "$$CHECK_PYTHON" "$(MAKECMDGOALS)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP_INSTALL) --editable ".[test]"
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(PIP_INSTALL) --editable ".[docs]"
	@touch $@
