# Everything runs in .venv, which is made on first use and remade when pyproject.toml changes.
PYTHON ?= python3.11
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint docs bench bench-check format clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/installed ## Hear a real recording with no key, in the embedded stand-in
	$(BIN)/qwen-audio ask langchain_qwen_audio/samples/welcome.wav "What does the speaker say?" --local

test: bench-check ## Run the tests
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

test-slow: .venv/installed ## Run the slow tests too: a Ray cluster, jobs killed late
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,ray]'
	$(BIN)/python -m pytest -q -m slow

lint: .venv/installed ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/installed ## Build the documentation into site/, warnings as errors, and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python -m pytest -q tests/unit_tests/test_site.py

# The peers have an environment of their own.
.venv-bench/installed: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[local]' \
		--requirement benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/installed ## Measure speed beside that of peers
	.venv-bench/bin/python -m benchmarks.speed

bench-check: .venv/installed ## Compare requests, bytes, copies and imports with those on record
	$(BIN)/python -m benchmarks.check

format: .venv/installed ## Put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Forget the virtual environment and the caches
	rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis dist site
