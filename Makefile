# Everything sets itself up: a Python of at least 3.11 and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint clean

demo: $(VENV)/.demo
	$(BIN)/mlc validate
	$(BIN)/mlc compile algorithms/doc_type.yaml
	$(BIN)/mlc run algorithms/doc_type.yaml

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest $(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mlc needs Python 3.11 or newer; name one with make PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV); the first time this takes about a minute."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[demo,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mlc .mypy_cache .ruff_cache .pytest_cache .hypothesis
