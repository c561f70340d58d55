# Every command a contributor or a CI needs. `make` alone prints this list.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Whole files side by side, in their order: many wait for servers most of the time, the longest are not
# the last. Each process starts servers of its own, about 1 GB of memory. One that dies is a failed test,
# and nobody takes its place: its file would begin anew, and end it too.
SIDE_BY_SIDE := -n 4 --dist=loadfile --no-loadscope-reorder --max-worker-restart=0
PROMETHEUS2 ?= /usr/bin
KUBERNETES ?= 1.37.2

.DEFAULT_GOAL := help
.PHONY: help setup demo test limiter package components test-prometheus2 test-cluster check format bench docs lock golden clean

help:  ## print this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*##[ ]*(.*)/\1\t\2/' | expand -t 18

setup: $(VENV)/.ready  ## make .venv with tfa and everything that tests and benchmarks use

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Python 3.11 or newer is needed, $(PYTHON) is %d.%d: set PYTHON=..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: setup  ## three simulated days of a fleet: table, build/demo/report.html, report.json
	@$(BIN)/tfa simulate --demo --out build/demo --limit 25

test: setup check components  ## all checks and tests; builds the servers that they talk to, once
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

limiter: setup  ## build/limiter: the library that holds workers to their limits, for x86-64 and arm64
	$(BIN)/python -m autoscaler.agent.native.build

package: setup limiter  ## build/package: a wheel with the limiter for x86-64, one for arm64, and the sdist
	@rm -rf build/package
	@for architecture in x86_64 aarch64; do \
	  TFA_WHEEL_ARCHITECTURE=$$architecture $(BIN)/python -m hatchling build -t wheel -d build/package || exit 1; \
	done
	@$(BIN)/python -m hatchling build -t sdist -d build/package
	@echo "sizes in bytes:" && wc -c build/package/*

components: setup  ## what the tests talk to, where it is missing: Kubernetes, etcd, Prometheus, ...
	@$(BIN)/python -m tests.components && $(BIN)/python -m tests.components.wheelhouses

test-prometheus2: setup  ## the tests of the source against a Prometheus 2 (PROMETHEUS2 names its folder)
	@$(PROMETHEUS2)/prometheus --version 2>&1 | grep -q 'version 2\.' || \
	  { echo "$(PROMETHEUS2) holds no Prometheus 2: install one, or set PROMETHEUS2=FOLDER" >&2; exit 1; }
	TFA_PROMETHEUS=$(PROMETHEUS2)/prometheus TFA_PROMTOOL=$(PROMETHEUS2)/promtool \
	  $(BIN)/python -m pytest tests/components tests/prometheus tests/autoscaler/sources/prometheus

test-cluster: setup  ## the tests on a real control plane (KUBERNETES names another release, as 1.33.13)
	TFA_KUBERNETES=$(KUBERNETES) $(BIN)/python -m tests.components
	TFA_KUBERNETES=$(KUBERNETES) $(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/cluster

check: setup  ## lint, format, types (strict), architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: setup  ## rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup components  ## speed and memory targets, as ratios and numbers of this machine
	$(BIN)/python -m tests.benchmarks

docs: setup  ## build/site: the documentation as a static site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

golden: setup  ## rewrite the golden files after an intended change; review them as a diff
	$(BIN)/python -m tests.golden

lock: setup  ## pin a new set of dependencies in requirements.lock (then run make test)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements.lock --upgrade

clean:  ## remove everything that the other commands made
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache *.egg-info
