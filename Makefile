# Everything runs from a virtual environment of its own, made at first use. Needs Python 3.11+ and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONTAINER ?= docker
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/__init__.py)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

unexport MAKEFLAGS  # suites that run at once may call make themselves, and not as one of them

.PHONY: help demo test check fmt golden docs screenshot dashboards bench image tools clean chart sbom

help:  ## list what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.runtime: pyproject.toml constraints.txt exporter/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: $(VENV)/.runtime  ## run against a simulated Amazon Q Business: no AWS account, no configuration
	@$(BIN)/qbusiness-exporter demo

# One more at once than there are processors: many tests wait for a real program most of the time.
test: $(VENV)/.dev tools  ## run the tests
	$(BIN)/python -m pytest --numprocesses $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)') -m "not trial"

test-%: $(VENV)/.dev  # a heavier suite, with what it needs: tests/suites/NAME/run installs that and runs it
	tests/suites/$*/run

check: $(VENV)/.dev  ## lint, types, the dependency rule, and whether docs and golden files are up to date
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive exporter
	$(BIN)/python -m docs.generate --check
	$(BIN)/python -W ignore::DeprecationWarning -m deploy.grafana.generator --check
	$(BIN)/python -m deploy.generate --check
	$(BIN)/python -m pytest --quiet tests/metrics/test_golden.py -k golden_one

fmt: $(VENV)/.dev  ## format, and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

golden: $(VENV)/.dev  ## rewrite the golden files
	$(BIN)/python -m pytest --quiet tests/metrics/test_golden.py --rewrite-golden

docs: $(VENV)/.dev  ## rewrite the generated pages of docs/
	$(BIN)/python -m docs.generate

dashboards: $(VENV)/.dev  ## rewrite the dashboards for Grafana
	$(BIN)/python -W ignore::DeprecationWarning -m deploy.grafana.generator

screenshot: $(VENV)/.dev tools  ## take the picture of the status page anew
	$(BIN)/python -m docs.screenshot

chart: $(VENV)/.dev  ## rewrite what deploy/ copies from elsewhere: rules, dashboards, schema, policies
	$(BIN)/python -m deploy.generate

bench: $(VENV)/.dev  ## measure what benchmarks/README.md says; takes half an hour
	$(BIN)/python -m benchmarks.polling
	$(BIN)/python -m benchmarks.poller
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.status
	$(BIN)/python benchmarks/servers/trial.py

image:  ## build the container image; CONTAINER=podman builds it with podman
	$(CONTAINER) build --tag qbusiness-exporter:$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude='*')" --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

sbom:  ## write sbom.cdx.json: what the exporter needs to run, as a CycloneDX bill of materials
	@deploy/sbom

tools:  # the real programs that tests run: Prometheus, Alertmanager, Chromium
	@tests/install-tools

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
