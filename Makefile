# `make help` lists the targets. PYTHON chooses the interpreter: make test PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
# or another program that runs pytest, such as one that measures coverage
PYTEST ?= -m pytest
export MLFLOW_DISABLE_TELEMETRY := true
# where an environment forbids to write bytecode, each process that a test starts would compile the package again
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint generated docs benchmark constraints clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/installed ## install everything into .venv

# uv finds the torchvision that fits torch, which pip alone may miss
.venv/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
		{ echo "error: Python 3.10 to 3.13 is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "error: no venv module; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --compile-bytecode --editable '.[dev]'
	@touch $@

demo: .venv/installed ## synthetic rock: segment a scan, train, evaluate, segment it again (under 10 minutes on 2 cores)
	@$(BIN)/python scripts/demo.py --output_dir demo

# a file's tests stay together: they share what is slow to make
test: .venv/installed ## run the tests, as many at a time as there are cores (4 at most)
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) --numprocesses logical --maxprocesses 4 --dist loadfile $(TEST_OPTIONS)

lint: .venv/installed ## style, types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

generated: .venv/installed ## write the options, as declared, into configs and guides
	$(BIN)/python -m pipeline.options.generated

# DOCS_OPTIONS="-D nb_execution_mode=off" leaves the tutorials unrun
docs: .venv/installed ## the documentation site in build/docs, with tutorials run and reports; a warning is an error
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going $(DOCS_OPTIONS) -b html docs build/docs
	@echo "open build/docs/index.html"

benchmark: .venv/installed ## VLSE-Net against U-Net, and the ways to run inference (some minutes)
	@$(BIN)/python benchmarks/networks.py
	@$(BIN)/python benchmarks/inference_modes.py

constraints: .venv/installed ## pin the newest set of packages that fits setup.cfg
	$(BIN)/uv pip compile --quiet setup.cfg --extra dev --extra label_tests --extra docs --universal --python-version 3.10 --upgrade \
		--no-header --no-annotate --output-file constraints.txt
	sed -i '1i # A tested set for Python 3.10 to 3.13, made by `make constraints`; `make` installs these.' constraints.txt

clean: ## remove the environment and the demo's results
	rm -rf .venv demo build .coverage.json
