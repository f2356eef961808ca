# Everything a developer needs; `make help` lists it. Nothing here needs root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Wheels only, each with its hash. uv is fast; pip knows settings uv does not read (pip.conf, its
# mirrors and certificates) and checks the same hashes, so it has the second try.
PINNED := --require-hashes --only-binary :all: -r
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
# pip runs from the wheel that Python (or Debian's python3-venv) brings along: unpacking it into the
# environment would take longer than everything else that `make install` does.
PIP_WHEEL = $(firstword $(wildcard $(shell $(PYTHON) -c \
	'import ensurepip, pathlib; print(pathlib.Path(ensurepip.__file__).parent)')/_bundled/pip-*.whl \
	/usr/share/python-wheels/pip-*.whl))
PIP = PYTHONPATH=$(PIP_WHEEL) $(BIN)/python -m pip install --quiet --disable-pip-version-check
define install_pinned
$(UV) $(PINNED) $(1) || { echo "uv could not install $(1); trying pip" >&2; $(PIP) $(PINNED) $(1); }
endef

COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --only-binary :all: \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make requirements'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install dev run test check bench format requirements clean

help:
	@echo 'make install       the platform in $(VENV)'
	@echo 'make run           install, then run the platform'
	@echo 'make dev           install, with the tools of development'
	@echo 'make check         format, lint, types, rooms and budgets: under a minute'
	@echo 'make test          every test (as root on Debian: installs the real components they use)'
	@echo 'make bench         the benchmarks'
	@echo 'make format        format the code and mend what ruff can'
	@echo 'make requirements  pin the requirements again (UPGRADE=--upgrade for newer versions)'
	@echo 'make clean         remove $(VENV), caches and builds, never data'

# The stamps in $(VENV) record which step is done; each is redone when what it depends on changes.

$(VENV)/.bootstrap: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'tegata needs Python 3.11 or newer (make PYTHON=python3.12 ...)' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo '$(PYTHON) cannot make virtual environments: install the Debian package python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)
	$(PIP) $(PINNED) requirements/bootstrap.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.bootstrap requirements/runtime.txt
	$(call install_pinned,requirements/runtime.txt)
	@touch $@

$(VENV)/.package: $(VENV)/.runtime pyproject.toml src/tegata/__init__.py
	$(UV) --no-build-isolation --no-deps --offline --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(call install_pinned,requirements/dev.txt)
	@touch $@

install: $(VENV)/.package

dev: install $(VENV)/.dev

run: install
	$(BIN)/tegata run

# Without the packages (no root, no network) tests skip what they lack; in CI that is a failure.
test: dev
	scripts/debian-packages || [ "$$CI" != true ]
	$(BIN)/pytest -n 2

check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/house

bench: dev
	$(BIN)/python -m bench

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(VENV)/.bootstrap
	cd requirements && ../$(COMPILE) $(UPGRADE) bootstrap.in -o bootstrap.txt
	cd requirements && ../$(COMPILE) $(UPGRADE) runtime.in -o runtime.txt
	cd requirements && ../$(COMPILE) $(UPGRADE) dev.in -o dev.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +
