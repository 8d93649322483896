# Foliohub. `make run` shows it at work, `make test` proves it; both make their own environment in .venv.
#
#   make run [ARGS=...]    the hub with a sample campsite day, until stopped; ARGS go to `foliohub run`
#   make run-distributed   the same day on Kafka, PostgreSQL and RabbitMQ: gateway, two workers, effects, scheduler, each its own process
#   make test [ARGS=...]   check, then every test, two at a time; ARGS go to pytest
#   make check             ruff, mypy, import rules
#   make simulate [SEEDS=1000] [FROM=0]  worlds from seeds, in which everything dies and repeats itself; prints the seeds that fail
#   make mutants [MUTANTS=300] [SEED=1] [ARGS=...]  changes the core in so many places, one at a time, and shows what no test sees
#   make rules [ARGS=...]  makes each function that applies a rule do nothing, one at a time, and shows which rule no test misses
#   make chaos [RUNS=5] [SEED=1] [TABLE=var/chaos.jsonl] [ARGS=...]  a platform of processes under load, faults by seed; goes on with its table
#   make bench [ARGS=...]  measurements, about ten minutes; `ARGS=--help` says which
#   make bench-distributed [ARGS=...]  the engine on PostgreSQL, beside the same work by hand and what a framework makes of it
#   make bench-growth [MESSAGES=10000000] [ARGS=...]  whether a store that holds so many is as fast as an empty one, on both engines
#   make soak [MESSAGES=1000000]  the long one: memory and speed over so many messages
#   make services          the servers that the tests start for themselves: RabbitMQ, PostgreSQL, Kafka; root installs what is missing
#   make lock              the three lock files again, from pyproject.toml (UPGRADE=1 takes newer releases)
#   make clean             the environment and caches away; var/ (the hub's own data) stays

SHELL := /bin/sh
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: run run-distributed test check simulate mutants rules chaos bench bench-distributed bench-growth soak lock clean services

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

run: $(VENV)/.runtime
	@exec $(BIN)/foliohub run --sample-day $(ARGS)

run-distributed: $(VENV)/.dev services
	@exec $(BIN)/python -m tests.distributed

test: $(VENV)/.dev check services
	@echo "== tests"
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.dev
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import rules"
	@$(BIN)/lint-imports

simulate: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) --from $(or $(FROM),0)

mutants: $(VENV)/.dev services
	@$(BIN)/python -m tests.mutants --mutants $(or $(MUTANTS),300) --seed $(or $(SEED),1) $(ARGS)

rules: $(VENV)/.dev
	@$(BIN)/python -m tests.mutants.rules $(ARGS)

chaos: $(VENV)/.dev services
	@$(BIN)/python -m tests.distributed.chaos --runs $(or $(RUNS),5) --seed $(or $(SEED),1) --table $(or $(TABLE),var/chaos.jsonl) $(ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks $(ARGS)

bench-distributed: $(VENV)/.dev services
	@$(BIN)/python -m benchmarks --only store,distributed $(ARGS)

bench-growth: $(VENV)/.dev services
	@$(BIN)/python -m benchmarks --only growth --messages $(or $(MESSAGES),10000000) $(ARGS)

soak: $(VENV)/.dev
	@$(BIN)/python -m benchmarks --only soak --soak $(or $(MESSAGES),1000000) $(ARGS)

# The environment. `.whole` is there only while no installation is under way: one that was interrupted starts over.
define install
	@if [ ! -e $(VENV)/.whole ]; then \
	  for python in $(PYTHON) python3.11 python3 python; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Foliohub needs Python 3.11 or newer; neither python3.11 nor python3 is one. Install it, or say make PYTHON=/its/path" >&2; exit 1; \
	  fi; \
	  echo "== making $(VENV) with $$($$found --version)"; \
	  $$found -m venv --clear $(VENV) || { \
	    echo "$$found cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi
	@rm -f $(VENV)/.whole $(VENV)/.runtime $(VENV)/.dev
	@echo "== installing $(1)"
	@$(PIP) install --quiet --require-hashes -r $(1)
	@$(PIP) install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.whole
endef

$(VENV)/.runtime: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $(VENV)/.runtime $@

# The servers that the tests start privately. Root installs what is missing; others are told what to install.
# PostgreSQL's package would start a cluster of its own, which nobody here wants: it is told not to, unless it was told something.
APT := DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get install -y -q --no-install-recommends
CLUSTERS := /etc/postgresql-common/createcluster.conf

define debian
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "== installing $(1)"; $(APT) $(1) || { apt-get update -q && $(APT) $(1); }; \
	fi
endef

services: $(VENV)/.dev
	@$(BIN)/python -m tests.services.rabbitmq >/dev/null 2>&1 || { $(call debian,rabbitmq-server); }
	@$(BIN)/python -m tests.services.rabbitmq
	@$(BIN)/python -m tests.services.postgresql >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && [ ! -e $(CLUSTERS) ] && command -v apt-get >/dev/null; then \
	    mkdir -p $(dir $(CLUSTERS)) && echo "create_main_cluster = false" >$(CLUSTERS); \
	  fi; \
	  $(call debian,postgresql); \
	}
	@$(BIN)/python -m tests.services.postgresql
	@command -v java >/dev/null || { $(call debian,default-jre-headless); }
	@$(MAKE) -s $(KAFKA)/.whole
	@$(BIN)/python -m tests.services.kafka

# Kafka's jars, unless FOLIOHUB_KAFKA_LIBS names others. `.whole` is there when all of them are.
KAFKA := $(VENV)/kafka
POM := tests/services/kafka_pom.xml

$(KAFKA)/.whole: $(POM)
ifeq ($(FOLIOHUB_KAFKA_LIBS),)
	@command -v mvn >/dev/null || { $(call debian,maven); }
	@command -v mvn >/dev/null || { echo "Maven is missing, which fetches Kafka; on Debian: apt-get install maven" >&2; exit 1; }
	@echo "== fetching Kafka"
	@rm -rf $(KAFKA)
	@mvn -q -B -Dstyle.color=never -f $(POM) dependency:copy-dependencies -DoutputDirectory=$(abspath $(KAFKA)) -DincludeScope=runtime
	@touch $@
endif

# Hashes for every file of every release, markers for every platform, and no word of where they came from.
# The other locks are held to the versions of requirements-dev.lock, so that one environment can serve all.
COMPILE := env -u PIP_FIND_LINKS -u PIP_INDEX_URL $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.dev
	$(COMPILE) --extra build --extra dev --extra distributed --extra otlp --extra bench --output-file requirements-dev.lock
	$(COMPILE) --extra build --constraint requirements-dev.lock --output-file requirements.lock
	$(COMPILE) --extra build --extra distributed --extra otlp --constraint requirements-dev.lock --output-file requirements-distributed.lock

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
