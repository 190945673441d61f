# From a bare checkout (Python >= 3.11, make, a compiler): `make demo` shows it, `make test` proves it.
#   make demo [DEMO_ARGS="--short"]    simulate, build data, train three stages, measure, report
#   make test [PYTEST_ARGS="-k clips"] lint, types, the whole suite
#   make check | make venv | make clean
#   PYTHON=/path/to/python3.12 make …  another interpreter
PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
PYTEST_ARGS ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# One compute thread in the demo unless told otherwise: two that share a busy core wait for each other most of the time.
# One thread a worker: two test processes on two cores must not each start a pool of two.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1

.DEFAULT_GOAL := help
.PHONY: help venv demo test check browser clean

help:
	@sed -n 's/^#   //p' Makefile

$(STAMP): pyproject.toml constraints.txt scripts/os_packages.sh scripts/make_venv.sh
	@PYTHON="$(PYTHON)" bash scripts/os_packages.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash scripts/make_venv.sh
	@touch $@

venv: $(STAMP)

demo: $(STAMP)
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/exo2ego demo $(DEMO_ARGS)

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# The page of `data view` is tested in Chromium; where there is none and none can be had, those tests are skipped.
browser: $(STAMP)
	@PYTHON="$(PYTHON)" WITH_BROWSER=1 bash scripts/os_packages.sh

test: check browser
	@$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile --durations=10 $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
