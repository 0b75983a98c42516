# Needs Python 3.11 or newer and no root. `make` alone lists what there is.

VENV   := .venv
BIN    := $(VENV)/bin
# Touched when the installation is complete; pyproject.toml newer than it installs again.
RUN    := $(VENV)/.installed
TEST   := $(VENV)/.installed-test

# The first that is new enough and can make a virtual environment; `make PYTHON=…` to say which.
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)

PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-peers lint types bench bench-files profile simulate torture kills clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(RUN)  ## send the sample offer letters to a server of our own on this machine
	@$(BIN)/bulkmail demo

test: lint types  ## lint, types, and every test that needs nothing from outside PyPI
	$(PYTEST) -n auto -m 'not peers and not torture'

test-peers: $(TEST)  ## the tests against Postfix, Dovecot, Chromium (Debian's packages; root) and npm's mailparser
	BULKMAIL_PEERS=required $(PYTEST) -m peers tests/peers

lint: $(TEST)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TEST)  ## mypy, strict
	$(BIN)/mypy bulkmail tests benchmarks

bench: $(TEST)  ## ROUNDS=5 ROWS=1000000 all we hold ourselves to, in one table, other senders beside us (an hour)
	@$(PIP) --editable '.[bench]'
	$(BIN)/python -m benchmarks --rounds $(or $(ROUNDS),5) --rows $(or $(ROWS),1000000)

profile: $(TEST)  ## where the microseconds of a message go
	@$(PIP) --editable '.[bench]'
	$(BIN)/python -m benchmarks.profiling

bench-files: $(TEST)  ## large files, shared and each one's own: CPU, memory, rows checked (cc)
	$(BIN)/python -m benchmarks.attachments

simulate: $(TEST)  ## SEEDS=10000 crashes, faults and limits on a virtual clock; SEED=1234 is one of them again
	cd tests && PYTHONPATH=.. $(CURDIR)/$(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000))

torture: $(TEST)  ## guards taken out one by one: the simulation has to notice each within 2,000 seeds
	cd tests && PYTHONPATH=.. $(CURDIR)/$(BIN)/python -m simulation --torture

kills: $(TEST)  ## KILLS=200 processes killed at full speed, and resumed: nobody lost, nobody doubled without a doubt
	$(BIN)/python -m benchmarks.kills --kills $(or $(KILLS),200)
	$(BIN)/python -m benchmarks.kills --kills $(or $(KILLS),40) --window 8
	$(BIN)/python -m benchmarks.kills --kills $(or $(KILLS),40) --processes 2

clean:  ## remove .venv and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'No Python >= 3.11 that can make a virtual environment was found on PATH.' \
	'Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.' >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)

$(RUN): pyproject.toml | $(BIN)/python
	@echo 'Installing bulkmail into $(VENV)'
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q bulkmail  # once, and not by the first command
	@touch $@

$(TEST): pyproject.toml | $(BIN)/python
	@echo 'Installing bulkmail and what its tests need into $(VENV)'
	@$(PIP) --editable '.[test]'
	@$(BIN)/python -m compileall -q bulkmail
	@touch $(RUN) $@
