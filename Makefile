# Everything runs in a virtual environment that is created on first use. Requires Python 3.11+ and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONTAINER ?= docker
# The versions to install; /dev/null for the newest ones.
CONSTRAINTS ?= constraints.txt
REPOSITORY := $(shell sed -n 's/^Repository = "\(.*\)"/\1/p' pyproject.toml)
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/__init__.py)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS)

# What the language check covers.
PLAIN := README.md CONTRIBUTING.md CODE_OF_CONDUCT.md SUPPORT.md Makefile .ci .github benchmarks docs deploy exporter simulation tests tools
GRAFANA := $(BIN)/python -W ignore::DeprecationWarning -m deploy.grafana.generator

unexport PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes, which must not compile every module again
unexport MAKEFLAGS  # suites that run in parallel may start make themselves, which must not join this job server

.PHONY: help demo test check fmt generate screenshot bench bench-check image tools clean sbom site package api-drift check-version

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: pyproject.toml constraints.txt exporter/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing development dependencies into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: $(VENV)/.runtime  ## run against simulated services: no AWS account, no configuration
	@$(BIN)/qbusiness-exporter demo --log.level=warn

# One more worker than there are processors, because many tests mostly wait for other programs.
test: $(VENV)/.dev tools  ## run the tests
	$(BIN)/python -m pytest --numprocesses $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)') -m "not trial"

test-%: $(VENV)/.dev  # a longer suite: tests/suites/NAME/run installs its dependencies and runs it
	tests/suites/$*/run

check: $(VENV)/.dev  ## run linters, type checks, import rules and the language check, and check the generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive exporter
	$(BIN)/python -m tools.language $(PLAIN)
	$(BIN)/python -m docs.generate --check
	$(GRAFANA) --check
	$(BIN)/python -m deploy.generate --check
	$(BIN)/python -m tools.api_drift
	$(BIN)/python -m pytest --quiet tests/metrics/test_golden.py -k golden_file

generate: $(VENV)/.dev  ## rewrite everything that is generated: pages, schemas, golden files, dashboards, chart, manifests
	$(BIN)/python -m docs.generate
	$(GRAFANA)
	$(BIN)/python -m deploy.generate
	$(BIN)/python -m tools.api_drift --rewrite
	$(BIN)/python -m pytest --quiet tests/metrics/test_golden.py -k golden_file --rewrite-golden
	$(BIN)/python -m deploy.generate --check-manifests || tests/suites/kubernetes/run --rewrite-golden -k what_the_chart_renders

fmt: $(VENV)/.dev  ## format the code and fix lint errors where possible
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshot: $(VENV)/.dev tools  ## update the screenshot of the status page
	$(BIN)/python -m docs.screenshot

bench: $(VENV)/.dev  ## run the benchmarks of benchmarks/README.md; takes half an hour
	$(BIN)/python -m benchmarks.polling --write
	$(BIN)/python -m benchmarks.polling.demand
	$(BIN)/python -m benchmarks.poller
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.configuration
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.busy
	$(BIN)/python -m benchmarks.series
	$(BIN)/python -m benchmarks.replicas
	$(BIN)/python -m benchmarks.replicas.scale
	$(BIN)/python -m benchmarks.status
	$(BIN)/python -m benchmarks.servers

bench-check: $(VENV)/.dev  ## compare ratios of CPU times with those kept in benchmarks/ratios.json
	$(BIN)/python -m benchmarks.check

image:  ## build the container image; CONTAINER=podman builds it with podman
	$(CONTAINER) build --tag qbusiness-exporter:$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude='*')" --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
		$(if $(REPOSITORY),--label org.opencontainers.image.source=$(REPOSITORY)) .

site:  ## build the documentation as a site, into build/site
	@docs/site

package: $(VENV)/.dev  ## build the source distribution and the wheel, into dist
	$(BIN)/python -m hatchling build

api-drift: $(VENV)/.dev  ## compare the APIs of the installed botocore with those that the exporter was built against
	$(BIN)/python -m tools.api_drift

check-version:  # the tag of a release must be that of the package
	@test "$(VERSION_TAG)" = "v$(VERSION)" || { echo "the tag is $(VERSION_TAG), but the version in exporter/__init__.py is $(VERSION)" >&2; exit 1; }

sbom:  ## write sbom.cdx.json, a CycloneDX bill of materials of the runtime dependencies
	@deploy/sbom

tools:  # install the programs that tests run: Prometheus, Alertmanager, Chromium
	@tests/install-tools

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .venv-* build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
