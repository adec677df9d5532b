# Everything sets itself up: a Python of at least 3.11 and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint random fuzz e2e peers bench clean

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

# Thousands of random specs, where `make test` takes some.
random: $(VENV)/.dev
	MLC_RANDOM_SPECS=$(or $(SPECS),2000) $(BIN)/python -m pytest tests/test_random_specs.py \
		tests/conformance/test_argo_judge.py::test_random_specs \
		tests/conformance/test_kfp_judge.py::test_random_specs tests/conformance/test_readers.py

# Files of specs and projects changed at random, by two processes; see tests/fuzz/campaign.py.
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz/campaign.py $(or $(N),100000) --first $(or $(FIRST),0)

# The conformance cases on a cluster that the environment names; see tests/e2e/replay.py.
ENGINE ?= argo
e2e: $(VENV)/.dev
	PYTHONPATH=tests/conformance $(BIN)/python tests/e2e/replay.py $(ENGINE)

# Ten mistakes, shown to mlc and its peers, each installed for itself in build/peers/: docs/peers.md.
peers: $(VENV)/.dev
	$(BIN)/python benchmarks/peers/compare.py

# Speed beside the peers, installed for themselves in .bench/: docs/performance.md. Takes an idle
# machine, and about twelve minutes.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/performance.py

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
	rm -rf $(VENV) build dist .mlc .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
