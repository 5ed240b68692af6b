# `make` lists what there is. Written for GNU make 3.81 (macOS) and later, with POSIX tools only.

.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Also named in docker/*.Dockerfile; a test keeps them equal.
UV_VERSION := 0.13.9
# Which PyTorch: `make install TORCH=cpu` takes one without CUDA (1 GB instead of 5), and .venv remembers it. Empty
# (`make install TORCH=`) takes what the package index has. uv's name for it: --torch-backend.
TORCH_NOW := $(shell cat $(VENV)/.torch 2>/dev/null)
TORCH ?= $(TORCH_NOW)
# uv asks the system whose certificates to trust; SSL_CERT_FILE=/etc/ssl/site.pem names another file of them.
export UV_SYSTEM_CERTS := 1
# Passed on to the command: make run ARGS="--port 9000", make lock ARGS=--upgrade
ARGS ?=

# A checkout that was moved, or whose Python has gone, is installed anew though its stamp is still there.
ifneq ($(wildcard $(STAMP)),)
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && grep -F '$(CURDIR)/$(VENV)' $(BIN)/activate >/dev/null && echo sound),sound)
.PHONY: $(STAMP)
endif
ifneq ($(TORCH),$(TORCH_NOW))
.PHONY: $(STAMP)
endif
endif

.PHONY: help install run test lint format types faults fuzz audit bench bench-gpu docs pictures lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## Make .venv with everything (a Python with PYTHON=..., no CUDA with TORCH=cpu)

$(STAMP): requirements.lock pyproject.toml Makefile scripts/install.sh scripts/find-python.sh
	@rm -f $@
	@PYTHON='$(PYTHON)' VENV='$(VENV)' UV_VERSION='$(UV_VERSION)' TORCH='$(TORCH)' ./scripts/install.sh
	@touch $@

run: install ## Start everything embedded: web page, API, queue, worker
	@exec $(BIN)/pneumoscreen up $(ARGS)

# Tests of one file share what they start (a service, a database server), so a file stays in one process. Processes
# fill the cores, so torch gets one thread in each.
test: install lint types ## Lint, type check, then all tests with coverage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile \
		--cov --cov-report=term:skip-covered $(ARGS)

lint: install ## Check style, formatting and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: install ## Reformat and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install ## Type check (mypy, strict)
	$(BIN)/mypy

faults: install ## Kill and starve the parts of a running service, and see that no image is lost
	$(BIN)/python -m tests.faults $(ARGS)

fuzz: install ## Fuzz the image decoder, guided by coverage (longer with ARGS="--seconds 600")
	$(BIN)/python -m tests.fuzz $(ARGS)

audit: install ## Look for known vulnerabilities of our dependencies
	$(BIN)/python -m scripts.audit $(ARGS)

bench: install ## Measure the stages, the whole service and its peers on this machine (a part with ARGS="--rows decode")
	$(BIN)/python -m benchmarks $(ARGS)

bench-gpu: install ## The same on a machine with a GPU, in less than 8 minutes
	$(BIN)/python -m benchmarks --gpu $(ARGS)

docs: install ## Write docs/configuration.md anew
	$(BIN)/python -m scripts.configuration_docs

pictures: install ## Take the pictures of the README anew
	$(BIN)/python -m scripts.pictures

lock: install ## Write requirements.lock anew (newest versions with ARGS=--upgrade)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock $(ARGS)

clean: ## Remove .venv, caches and build output; keeps data/
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
