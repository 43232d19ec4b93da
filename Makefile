# What a newcomer runs; every target makes the environment first if it is missing or older than the locks.
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-core lint format types lock bench docs clean
LOCKS := requirements/pipeline.lock requirements/minilm.lock
BIN := .venv/bin
# The tests run in so many processes; each takes up to 4 GB.
PROCESSES ?= 2
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/ready: $(LOCKS) requirements/make-environment setup.py
	@requirements/make-environment

.venv-core/ready: requirements/core.lock requirements/minilm.lock requirements/make-environment setup.py
	@requirements/make-environment core

.venv-docs/ready: requirements/docs.lock requirements/make-environment
	@requirements/make-environment docs

demo: .venv/ready ## from nothing to recommendations over gRPC, on the sample catalogue
	@$(BIN)/tfrec demo --out demo

test: .venv/ready ## all tests
	@$(PYTEST)

test-fast: .venv/ready ## the tests that take seconds
	@$(PYTEST) -m "not slow"

# The tests that say most in least time; `make test-core CORE_TESTS="tests --ignore tests/pipelines"` runs all.
CORE_TESTS := tests/cli/test_training_commands.py tests/cli/test_two_environments.py
test-core: .venv-core/ready ## tests of the core without TFX, on Python 3.12 and the newest TensorFlow
	@.venv-core/bin/python -m pytest $(CORE_TESTS)

lint: .venv/ready ## format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@# mypy must see serving/ and pipelines/ where they are installed, or what is imported from them has any type.
	@rm -rf .typed && mkdir -p .typed/tfrec && ln -s $(CURDIR)/tfrec/* $(CURDIR)/serving $(CURDIR)/pipelines .typed/tfrec/
	@cd .typed && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache -p tfrec

format: .venv/ready ## mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# A Python with Sentence Transformers, see benchmarks/encoder_speed.py; texts are encoded beside it where it is there.
PEER ?= .venv-peer/bin/python
bench: .venv/ready ## speed of training, encoders, evaluation, start-up, index and server, into benchmarks/results
	@$(BIN)/tfrec benchmark speed --what training,encoders,evaluation,start,index --out benchmarks/results/speed
	@$(BIN)/tfrec benchmark speed --what training --batch 1024 --epochs 2 --out benchmarks/results/speed-1024
	@$(BIN)/tfrec benchmark serving --items 100000 --api grpc,rest --rounds 2 --seconds 2 \
		--out benchmarks/results/serving
	@$(BIN)/tfrec benchmark serving --items 1000000 --api grpc,rest --rounds 2 --seconds 2 \
		--out benchmarks/results/serving-million
	@$(BIN)/python benchmarks/index_filters.py --items 100000 --out benchmarks/results/index-filters
	@$(BIN)/python benchmarks/index_narrow.py --items 1000000 --out benchmarks/results/index-narrow
	@[ ! -x "$(PEER)" ] || for threads in 1 2; do \
		$(BIN)/python benchmarks/encoder_speed.py --peer "$(PEER)" --threads $$threads --save || exit 1; done

docs: .venv-docs/ready ## the documentation site, into build/site
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

lock: .venv/ready ## resolve requirements/pipeline.in, core.in and docs.in anew
	@$(BIN)/uv pip compile --python $(BIN)/python --override requirements/override.txt --no-annotate --no-header \
		--no-emit-index-url requirements/pipeline.in -o requirements/pipeline.lock
	@$(BIN)/uv pip compile --python-version 3.12 --no-annotate --no-header --no-emit-index-url \
		requirements/core.in -o requirements/core.lock
	@$(BIN)/uv pip compile --python-version 3.10 --no-annotate --no-header --no-emit-index-url \
		requirements/docs.in -o requirements/docs.lock

clean: ## remove the environment and what the demo wrote
	@rm -rf .venv .venv-core .venv-docs .venv-peer demo build
