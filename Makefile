# `make help` says what each target does. Needs Python >= 3.11 with venv and pip, nothing else.
PYTHON ?= python3
BIN := .venv/bin
# Workers of the test run: as many as keep all cores busy (tests/conftest.py).
JOBS ?= auto
# Folder of the records, and further overrides, of the demo: make demo RUNS=/data/runs ARGS='seed=range(10)'
RUNS ?= runs
ARGS ?=
# Folder of the records of published results: make papers-table RUNS_PAPERS=/data/runs/papers
RUNS_PAPERS ?= $(RUNS)/papers

.PHONY: help demo paper papers papers-table test test-slow lint types docs bench bench-sweep bench-plan bench-analysis bench-pack bench-docs bench-gpu clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## /  make \1\t/' | expand -t 16

.venv: .venv/.installed ## the environment: built once, brought up to date when its files change

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("lrd needs Python >= 3.11, this is %d.%d; set PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs,report,slurm,dashboard,digits]'
	@touch $@

demo: .venv ## a small real sweep, its verdicts and figures; under three minutes on two quiet cores
	$(BIN)/lrd train experiment=demo runs_dir=$(RUNS) $(ARGS)
	$(BIN)/lrd figures $(RUNS)/demo

paper: .venv ## the same study as a report, one page in HTML and PDF
	$(BIN)/lrd train experiment=demo runs_dir=$(RUNS) $(ARGS)
	$(BIN)/lrd report $(RUNS)/demo

papers: .venv ## the published results that train in minutes, one after another, and their verdicts
	$(BIN)/python docs_tools/train_papers.py $(RUNS_PAPERS) $(ARGS)

papers-table: .venv ## the tables of docs/papers, from the records in RUNS_PAPERS (default: RUNS/papers)
	$(BIN)/python docs_tools/papers_table.py $(RUNS_PAPERS)

test: .venv ## the fast tests, of every module, some minutes
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-slow: .venv ## the others: whole commands, kills, SLURM, browsers, studies, some ten minutes
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow

lint: .venv ## style and layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv ## static types
	$(BIN)/mypy

docs: .venv ## the documentation as a site that reads without a network, into site/
	$(BIN)/python docs_tools/build.py

bench: .venv ## time per update beside torch's own kernels and a loop of cells; its parts; the price of each probe
	$(BIN)/python benchmarks/update.py
	$(BIN)/python benchmarks/shares.py
	$(BIN)/python benchmarks/probes.py

bench-sweep: .venv ## wall time of a sweep beside Hydra's basic and joblib launchers, about ten minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/sweep.py

bench-plan: .venv ## seconds that a sweep of 10,000 runs takes to compose, check and plan
	$(BIN)/python benchmarks/plan.py

bench-analysis: .venv ## time and memory of figures and report from 100, 1,000 and 10,000 records, about ten minutes
	$(BIN)/python benchmarks/analysis.py

bench-pack: .venv ## packs beside torch's modules and JAX on all cores, about ten minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/pack.py

bench-docs: .venv ## the tables of docs/speed.md measured anew on this machine, about half an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/renew_docs.py

bench-gpu: .venv ## packs on a GPU beside the same runs on cuDNN one after another
	$(BIN)/python benchmarks/gpu.py --json bench-gpu.json

clean: ## remove the environment and caches; records stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache dist build site
