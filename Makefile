BIN := .venv/bin
STAMP := .venv/.installed
PEERS := .venv-peers
PYTHONS := python3.11 python3.12 python3.13 python3
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CHECKED := streams models schemas tests deploy/examples

.DEFAULT_GOAL := help
.PHONY: help demo test check bench simulate soak env clean lock

help: ## Tell every verb.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r verb what; do \
		printf '  make %-8s %s\n' "$$verb" "$$what"; done

demo: env ## Real Kafka, real customers, real actions, and why. ARGS="--headless --seconds 60 --report FILE.json"
	$(BIN)/pulpero demo $(ARGS)

test: check ## check, then all tests. ARGS="tests/unit -k cart" for some of them.
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

check: env ## Lint, format, types, and which room may import which.
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env $(PEERS)/.installed ## Measure against its peers on this machine. ARGS are the bench's own.
	$(BIN)/python -m tests.bench $(ARGS)

# In an environment of their own: what they bound must not hold back what Pulpero ships with.
$(PEERS)/.installed: tests/bench/peers/requirements.lock $(STAMP)
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

simulate: env ## The engine on a simulated Kafka, clock and threads, SEEDS=10000 times; one again with SEED=.
	$(BIN)/python -m tests.simulation.engine --seeds $(or $(SEEDS),10000) $(if $(SEED),--seed $(SEED))

soak: env ## Half of what two workers can take, for MINUTES=60, while they are killed and disturbed. ARGS are its own.
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),60) $(ARGS)

env: $(STAMP) ## The Python environment in .venv, every package pinned by its hash.

$(STAMP): requirements.lock pyproject.toml
	@for each in $(PYTHON) $(PYTHONS); do \
		if $$each -c '$(SUITABLE)' >/dev/null 2>&1; then found=$$each; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Pulpero needs Python 3.11, 3.12 or 3.13 with venv; name it with: make env PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "$$found -m venv .venv"; $$found -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean: ## Stop the embedded stack; remove its data, the environment and all caches.
	@if [ -x $(BIN)/pulpero ]; then $(BIN)/pulpero down; fi
	rm -rf .pulpero .venv $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## Pin every dependency anew, with hashes (needs uv).
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --constraint requirements.lock \
		--output-file deploy/requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url \
		--output-file tests/bench/peers/requirements.lock tests/bench/peers/requirements.in
