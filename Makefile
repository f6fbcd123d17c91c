# `make run` starts the sample edge, `make test` runs all tests; each installs what it needs into .venv first.

# The first of these that runs and is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
CODE := gateway sample_workers benchmarks tests docs/examples
NODE := tests/node
BIOME := $(NODE)/node_modules/.bin/biome
APT_DOWNLOAD := apt-get -qq -o APT::Sandbox::User=root download

.PHONY: run demo test check lint types bench format lock vendor browser promtool screenshots clean

run: $(VENV)/run.stamp
	@$(BIN)/python -m sample_workers.guide
	@$(BIN)/gateway run -c config/gateway.yaml

# A rollout that goes wrong and is caught, in two minutes: DEMO=--no-pause does not wait for somebody to read.
demo: $(VENV)/run.stamp
	@$(BIN)/python -m sample_workers.demo $(DEMO)

test: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp browser promtool
	$(BIN)/python -m pytest

check: lint types test

lint: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIOME) check --error-on-warnings

types: $(VENV)/dev.stamp
	$(BIN)/mypy

bench: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp
	$(BIN)/python -m benchmarks

format: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)
	$(BIOME) check --write

# Resolves the ranges of pyproject.toml anew; what is installed anywhere is exactly what these files say.
lock: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade --quiet -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet -o requirements/dev.txt
	cd $(NODE) && npm install --package-lock-only

# Puts the dashboard's libraries into the repository, as tests/node/package-lock.json names them.
vendor: $(VENV)/dev.stamp $(NODE)/node_modules/.stamp
	$(BIN)/python -m tests.node.vendor

# The pictures of docs/images/, taken from a sample edge with traffic; VIEWS="skew tail" takes those of some views.
screenshots: $(VENV)/dev.stamp browser
	$(BIN)/python -m tests.dashboard.screenshots $(VIEWS)

# The browser that the dashboard's tests drive; a machine where we may install packages gets it by itself.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null; } \
		|| { echo "The dashboard's tests need Chromium; install it (apt-get install chromium)."; exit 1; }

# Prometheus' own checker of what /metrics says. Of Debian's package this one file is taken and nothing is installed: the
# package would bring a server and start it. Root is needed only where apt knows no packages yet.
promtool: $(VENV)/python.stamp
	@command -v promtool > /dev/null || test -x $(BIN)/promtool || { command -v apt-get > /dev/null && folder=$$(mktemp -d) && ( \
		trap 'rm -rf "$$folder"' EXIT && cd "$$folder" \
		&& { $(APT_DOWNLOAD) prometheus 2> /dev/null || { apt-get update -qq && $(APT_DOWNLOAD) prometheus; }; } \
		&& dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool \
		&& install -m 755 usr/bin/promtool "$(CURDIR)/$(BIN)/promtool" ); } \
		|| { echo "The tests of /metrics need promtool; put it on the PATH (Debian: apt-get install prometheus)."; exit 1; }

$(VENV)/python.stamp:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: $(VENV)/python.stamp requirements/run.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# What the tests run beside Python. `npm ci` refuses a lock file that lacks the packages of platforms that the registry
# it was written with does not have; `install` takes what is locked, by its hash, and `--no-save` leaves the file alone.
$(NODE)/node_modules/.stamp: $(NODE)/package.json $(NODE)/package-lock.json $(NODE)/.npmrc
	@command -v npm > /dev/null || { echo "npm is needed to install the tests' wrangler and workerd: install Node.js 20 or newer."; exit 1; }
	cd $(NODE) && npm install --no-save
	@touch $@

clean:
	rm -rf $(VENV) $(NODE)/node_modules .gateway .mypy_cache .ruff_cache .pytest_cache .hypothesis
