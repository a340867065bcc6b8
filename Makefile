# Every command a newcomer needs; each creates the environment itself when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := schemas chassis services/scheduler services/trainer services/evaluator services/reporter client deploy/local

.PHONY: demo test test-unit simulate fault-points test-faults kill-places fuzz fuzz-api audit test-nodes test-kubernetes test-kueue control-plane check bench notebooks venv generate clean help

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

venv: $(STAMP) ## create the environment
$(STAMP): constraints.txt requirements-dev.txt pyproject.toml $(addsuffix /pyproject.toml,$(SOURCES)) scripts/install.sh
	PYTHON=$(PYTHON) scripts/install.sh $(VENV)
	@touch $@

demo: $(STAMP) ## one experiment from event to verdict on this machine
	$(BIN)/python -m examples.demo

test: $(STAMP) ## every test
	$(BIN)/python -m pytest tests --numprocesses 2 --no-loadscope-reorder

test-unit: $(STAMP) ## the tests that start nothing
	$(BIN)/python -m pytest tests --numprocesses 2 --no-loadscope-reorder -m "not real and not slow"

simulate: $(STAMP) ## 10,000 seeds of the whole system under faults, and every planted bug
	$(BIN)/python -m simulation --seeds 10000 --result
	$(BIN)/python -m simulation --planted --result

fault-points: $(STAMP) ## kill a process at every fault point of a simulated run (several minutes)
	$(BIN)/python -m simulation --every-point 25 --result

test-faults: $(STAMP) ## real parts stopped, cut off, lost and broken in mid-work (about eight minutes)
	ASSAY_TEST_FAULTS=1 $(BIN)/python -m pytest tests/faults --numprocesses 2 --no-loadscope-reorder

kill-places: $(STAMP) ## kill real services at every place that speaks to database, broker or store (about twenty minutes)
	ASSAY_TEST_FAULTS=all $(BIN)/python -m pytest tests/faults/test_kills.py --reruns 0 -s

fuzz: $(STAMP) ## a million malformed inputs at every entrance (about ten minutes)
	$(BIN)/python -m fuzzing --inputs 1000000 --result

fuzz-api: $(STAMP) ## a thousand requests to every operation of both HTTP interfaces (several minutes)
	$(BIN)/python -m fuzzing.api --requests 1000 --result

audit: $(STAMP) ## the list of parts (SBOM), and known vulnerabilities where the network is there
	$(BIN)/python -m scripts.audit

test-nodes: $(STAMP) ## training over several machines of a Ray cluster, and sampling beside it; some are killed
	ASSAY_TEST_NODES=1 $(BIN)/python -m pytest tests/trainer/parallel/test_nodes.py tests/trainer/rollouts/test_actors.py

test-kubernetes: $(STAMP) ## on a stand-in for a cluster, then on a real control plane with Kueue (needs Go)
	ASSAY_TEST_KUBERNETES=stand-in $(BIN)/python -m pytest tests/cluster
	$(MAKE) control-plane
	ASSAY_TEST_KUBERNETES=control-plane $(BIN)/python -m pytest tests/cluster

test-kueue: control-plane ## the part of it that CI runs: an experiment through Kueue, who goes first, what is shipped (needs Go)
	ASSAY_TEST_KUBERNETES=control-plane $(BIN)/python -m pytest tests/cluster/test_experiment.py tests/cluster/test_kueue.py

control-plane: $(STAMP) ## build Kubernetes and Kueue for their tests, once (needs Go)
	$(BIN)/python tests/cluster/binaries.py

check: $(STAMP) ## formatting, lints, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/mypy benchmarks scripts examples simulation fuzzing
	$(BIN)/lint-imports

notebooks: $(STAMP) ## execute the story notebooks on a system of their own (several minutes)
	$(BIN)/python -m examples.stories

bench: $(STAMP) ## measure; writes benchmarks/results/
	$(BIN)/python -m benchmarks

generate: $(STAMP) ## rewrite the files generated from the schemas and settings
	$(BIN)/python -m scripts.generate

clean: ## remove the environment and local state
	rm -rf $(VENV) .assay
