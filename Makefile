# make demo and make test install into .venv by themselves; they need only make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UI ?=
DEMO_SECONDS ?= $(if $(UI),3600,20)
EXCHANGE ?= binance
SYMBOLS ?=
LIVE ?=
MINUTES ?= 10
SEED ?= 1
unexport PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes, and each would compile everything again

.DEFAULT_GOAL := help
.PHONY: help demo test check faults soak fuzz bench bench-quick bench-formats bench-check clean

help:
	@echo "make demo    market data through Kafka for $(DEMO_SECONDS) s. Options: EXCHANGE=, CHANNELS=; LIVE=1 SYMBOLS=BTCUSDT for the real exchange (tickwire exchanges lists all); UI=1 shows it on http://127.0.0.1:8080/ until Ctrl-C"
	@echo "make test    every check and every test"
	@echo "make faults  all fault tests, about 10 minutes: brokers killed and frozen, networks cut, consumers and publishers killed"
	@echo "make soak    the long test in which Kafka, exchanges and processes are broken, for $(MINUTES) minutes (MINUTES=, SEED=); ends with the accounting and the memory"
	@echo "make fuzz    feed invented bytes to adapters, records on disk and values, for $(MINUTES) minutes each (MINUTES=)"
	@echo "make bench   compare the product with a minimal chain, measure growth and latency, and write bench/results.md (PEER=1: also cryptofeed); make bench-quick: the first part, in 2 minutes"
	@echo "make bench-formats   measure JSON, Avro and Protobuf to Apache Kafka and back, and the stock serializers if they are installed, and write bench/results-formats.md"
	@echo "make bench-check   compare instruction counts of the pure stages with bench/instructions.json (needs valgrind)"
	@echo "make clean   remove .venv and caches"

$(VENV)/.runtime: pyproject.toml setup.py requirements.txt $(wildcard src/tickwire/native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: set PYTHON=python3.11 or newer"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot create a virtual environment: install its venv module (Debian: python3-venv)"; exit 2; }
	@echo "Installing tickwire and the libraries of requirements.txt into $(VENV): about a minute"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(VENV)/.runtime
	@$(BIN)/tickwire demo --exchange $(EXCHANGE) --seconds $(DEMO_SECONDS) $(if $(SYMBOLS),--symbols $(SYMBOLS)) $(if $(CHANNELS),--channels $(CHANNELS)) $(if $(LIVE),--live) $(if $(UI),--ui 8080)

check: $(VENV)/.dev
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo

test: check
	$(BIN)/pytest -n 6 --dist loadfile --no-loadscope-reorder

faults: $(VENV)/.dev
	$(BIN)/pytest tests/faults --faults-all

soak: $(VENV)/.dev
	@PYTHONPATH=tests $(BIN)/python -m soak $(MINUTES) $(SEED)

fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3,<4'
	@for target in adapters spill values; do PYTHONPATH=tests $(BIN)/python -m fuzz $$target $$(( $(MINUTES) * 60 )) python || exit 1; done

bench: $(VENV)/.runtime
	$(if $(PEER),$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .[peer])
	@$(BIN)/python -m bench --out bench/results.md

bench-quick: $(VENV)/.runtime
	@$(BIN)/python -m bench --quick

bench-formats: $(VENV)/.runtime
	@$(BIN)/python -m bench.formats --out bench/results-formats.md

bench-check: $(VENV)/.runtime
	@$(BIN)/python -m bench.check $(if $(UPDATE),--update)

clean:
	rm -rf $(VENV) build src/*.egg-info src/tickwire/*.so .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
