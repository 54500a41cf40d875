# Everything runs in .venv. It is made on first use, and made anew for another PYTHON. Its packages
# are installed again when pyproject.toml changes. Without PYTHON the interpreter stays the same.
VENV := .venv
BIN := $(VENV)/bin
SUPPORTED := python3.11 python3.12 python3.13
MADE_BY = $(shell sed -n 's/^executable = //p' $(VENV)/pyvenv.cfg 2>/dev/null)
INTERPRETER := $(shell .ci/find-python $(or $(PYTHON),$(MADE_BY) $(SUPPORTED)))

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint docs tables bench bench-check dist install-matrix format clean FORCE

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/pyvenv.cfg: FORCE
	@grep -qsFx "executable = $(INTERPRETER)" $@ || $(INTERPRETER) -m venv --clear $(VENV)

$(VENV)/installed: pyproject.toml $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/installed ## Transcribe the sample on a local test server, with no key
	$(BIN)/qwen-audio ask langchain_qwen_audio/samples/welcome.wav "What does the speaker say?" --local
	@echo "Try it in a browser: $(BIN)/qwen-audio serve"

# Three processes on two cores: tests wait for a third of their time. A file stays in one of them,
# since what its tests share takes seconds. Tests start Python hundreds of times, so what is compiled
# is kept, also where the environment says otherwise.
test: export PYTHONDONTWRITEBYTECODE :=
test: bench-check ## Run the tests
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not slow and not timing"

test-slow: $(VENV)/installed ## Run the slow tests too: a Ray cluster, jobs killed late
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,ray]'
	$(BIN)/python -m pytest -q -m slow

lint: $(VENV)/installed ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/installed ## Build the documentation into site/, warnings as errors, and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python -m pytest -q tests/unit_tests/test_site.py

tables: $(VENV)/installed ## Write the tables of models and prices in README and docs
	$(BIN)/python -m tests.model_tables

# The peers have an environment of their own.
.venv-bench/installed: pyproject.toml benchmarks/requirements.txt
	$(INTERPRETER) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[agents,local,ray,vad]' \
		--requirement benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/installed ## Measure speed beside that of peers
	.venv-bench/bin/python -m benchmarks

bench-check: $(VENV)/installed ## Compare requests, bytes, callbacks and imports with those on record
	$(BIN)/python -m benchmarks.check

# A clean environment outside of the tree shows that the wheel holds all that it needs.
dist: $(VENV)/installed ## Build sdist and wheel into dist/, check them, run the demo from the wheel
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	@set -e; clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; wheel=$$(echo "$$PWD"/dist/*.whl); \
	$(INTERPRETER) -m venv "$$clean"; cd "$$clean"; \
	bin/python -m pip install --quiet --disable-pip-version-check "$$wheel[local]"; \
	bin/qwen-audio ask lib/python3.*/site-packages/langchain_qwen_audio/samples/welcome.wav --local

install-matrix: ## Try each install on each Python that is here, each in a clean environment
	$(INTERPRETER) tests/install_matrix.py $(foreach it,$(or $(PYTHON),$(SUPPORTED)),$(shell .ci/find-python $(it)))

format: $(VENV)/installed ## Format the code and mend what lint can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the virtual environments, the builds and the caches
	rm -rf .venv .venv-newest .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis dist site
