# Every verb sets up what it needs first: a virtual environment in .venv. `make` alone
# lists the verbs. PYTHON=/path/to/python chooses the interpreter.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
# Stamps: the environment is made again only when one of these files changes.
SOURCES := setup.py constraints.txt
BASE := $(VENV)/.base-installed
DEV := $(VENV)/.dev-installed
# Debian packages, installed only when no usable Python is found.
DEBIAN_PACKAGES := python3 python3-venv
# Tests run in parallel processes; one thread in each keeps them out of each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format samples build clean distclean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(BASE)  ## train on a sandstone slice, generate a volume, measure it (10 minutes)
	$(BIN)/slicegan demo

test: $(DEV)  ## run the tests
	$(PYTEST) -m "not slow"

test-slow: $(DEV)  ## run the tests that take minutes
	$(PYTEST) -m slow

lint: $(DEV)  ## check style, types and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/typos

format: $(DEV)  ## format the code and fix what can be fixed by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

samples: $(DEV)  ## make the files of sample_data/ again from their sources
	$(BIN)/python -m sample_data.scripts.make_all

build: $(DEV)  ## build the wheel and the source archive in dist/
	$(BIN)/python -m build

clean:  ## remove what the tools made, keep .venv
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## remove .venv as well
	rm -rf $(VENV)

# A Python of at least 3.11 that can make virtual environments; prints its name.
define FIND_PYTHON
for candidate in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python; do \
    if [ -n "$$candidate" ] && command -v "$$candidate" > /dev/null 2>&1 \
        && "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            2> /dev/null; then \
        echo "$$candidate"; break; \
    fi; \
done
endef

# Debian and Ubuntu: install it, as root or by sudo without a password.
define INSTALL_PYTHON
if command -v apt-get > /dev/null 2>&1; then \
    if [ "$$(id -u)" = 0 ]; then become=; else become="sudo -n"; fi; \
    echo "No Python >= 3.11 with venv found; installing $(DEBIAN_PACKAGES) ..."; \
    $$become apt-get update -qq && $$become env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq $(DEBIAN_PACKAGES) > /dev/null; \
fi
endef

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then $(INSTALL_PYTHON); python=$$($(FIND_PYTHON)); fi; \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11 or newer with its venv module is missing."; \
	    echo "Debian, Ubuntu: sudo apt-get install $(DEBIAN_PACKAGES)"; \
	    echo "macOS: brew install python; elsewhere: https://www.python.org/downloads/"; \
	    echo "Then say 'make' again, or name it: make PYTHON=/path/to/python test"; \
	    exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version) ..."; \
	"$$python" -m venv $(VENV)

$(BASE): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

$(DEV): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan[dev] into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	@touch $(BASE) $@
