# `make bench` and `make test` do everything on a fresh machine, set-up included. `make help` lists all targets.
.DELETE_ON_ERROR:
.PHONY: help docs install bench bench-cluster test test-fast test-lowest test-page package faults gate gate-fault reference lint constraints clean

PYTHON ?= python3
LATEST = reports/latest
# Relative, so that the checkout may lie under a path with spaces.
IN_VENV = .venv/bin/python -m

install: .venv/installed ## set up .venv

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

bench: .venv/installed ## run the benchmarks on MNIST, and write reports/latest
	mkdir -p $(LATEST)
	rm -f $(LATEST)/run.json $(LATEST)/calibration.json
	$(IN_VENV) pytest benchmarks/ --benchmark-json=$(LATEST)/run.json --benchmark-quiet; gates=$$?; \
	test -f $(LATEST)/run.json && $(IN_VENV) optsuite.benchmarks.calibration $(LATEST)/run.json $(LATEST)/calibration.json && \
	calibrated="--calibration $(LATEST)/calibration.json"; \
	$(IN_VENV) optsuite report $(LATEST)/run.json $$calibrated --out $(LATEST) && exit $$gates

# The smoke profile through a Dask scheduler and two workers, started for it.
bench-cluster: .venv/installed ## the smoke profile on a Dask cluster of this machine
	rm -rf $(LATEST)/cluster
	mkdir -p $(LATEST)/cluster
	$(IN_VENV) optsuite.benchmarks.cluster benchmarks/ --optsuite-profile=smoke --optsuite-cache=$(LATEST)/cluster/store \
		--benchmark-json=$(LATEST)/cluster/run.json --benchmark-quiet

# No training and none of the real commands: for every change, in under a minute.
test-fast: .venv/installed ## tests without training, about a minute
	$(IN_VENV) pytest tests/ --ignore=tests/browser -m "not slow" --numprocesses=2 --dist=worksteal

test: .venv/installed ## all tests but those of the page
	$(IN_VENV) pytest tests/ --ignore=tests/browser --numprocesses=2 --dist=worksteal

# The long form of what `make test` does of it: a quarter of an hour.
faults: .venv/installed ## tests of crashes, full disks and damaged files, a quarter of an hour
	OPTSUITE_FAULTS=reports/faults.md $(IN_VENV) pytest tests/faults/

# The real commands with the lowest versions that pyproject.toml allows, in an environment of their own.
LOWEST = .venv-lowest/bin
test-lowest: ## the commands with the lowest versions that pyproject.toml allows
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -r pyproject.toml --extra build
	$(LOWEST)/uv pip install --quiet --python .venv-lowest --no-deps --editable .
	sh tests/lowest.sh $(LOWEST) $(LATEST)/lowest

# What would be published: built, checked by twine, and installed on every supported Python that is here.
PACKAGE = .venv-package/bin
package: ## build and check the wheel and the sdist
	rm -rf .venv-package dist
	$(PYTHON) -m venv .venv-package
	$(PACKAGE)/python -m pip install --quiet --disable-pip-version-check build twine uv
	$(PACKAGE)/python -m build --outdir dist . > dist.log || { cat dist.log; exit 1; }
	rm dist.log
	$(PACKAGE)/python -m twine check --strict dist/*
	sh tests/package.sh $(PACKAGE) dist $(LATEST)/package

# report.html in Debian's chromium and chromium-driver.
AXE = tests/browser/node_modules/axe-core/package.json
test-page: .venv/installed $(AXE) ## tests of report.html in Chromium
	cd tests/browser && npm run --silent format -- --check
	$(IN_VENV) pytest tests/browser/ --numprocesses=2

# What checks accessibility and format. Without a lock file, which would name a registry: the versions are exact.
$(AXE): tests/browser/package.json
	cd tests/browser && npm install --silent --no-package-lock --no-audit --no-fund
	touch $@

# What CI trains at full length, and judges against the committed run, on whatever CPU it is.
GATED = --optsuite-models=dscnn --optsuite-recipes=baseline,qat,prune-0.8,cluster-8 \
	--optsuite-variants=fp32,fp16,dynamic,int8,uint8,int16x8

gate: .venv/installed ## train and judge against the committed run
	mkdir -p $(LATEST)
	$(IN_VENV) pytest benchmarks/ $(GATED) --benchmark-json=$(LATEST)/gate.json --benchmark-quiet
	$(IN_VENV) optsuite compare reports/mnist/run.json $(LATEST)/gate.json

# A gate that can't fail proves nothing: what tests/sabotage.py spoils has to be REGRESSED. With other faults, as in
# make gate-fault FAULT="halve filters" FAULTY=baseline
FAULT = break pruning
FAULTY = prune-0.8

gate-fault: .venv/installed ## a sabotaged run, in which the gate has to fail
	mkdir -p $(LATEST)
	PYTHONPATH=tests SABOTAGE="$(FAULT)" $(IN_VENV) pytest -p sabotage benchmarks/test_latency.py $(GATED) \
		--optsuite-recipes=$(FAULTY) --benchmark-json=$(LATEST)/fault.json --benchmark-quiet
	$(IN_VENV) optsuite compare reports/mnist/run.json $(LATEST)/fault.json > $(LATEST)/fault.txt; test $$? = 1
	grep "^REGRESSED  dscnn_$(FAULTY) .*int8.* accuracy" $(LATEST)/fault.txt

# The committed run: everything with one seed, on all targets, those on request included, and what the gate trains with
# twenty, which tell how much trainings differ.
reference: .venv/installed ## make the committed run anew, about an hour
	mkdir -p $(LATEST)
	$(IN_VENV) pytest benchmarks/ --benchmark-json=$(LATEST)/run.json --benchmark-quiet \
		--optsuite-targets=$$(.venv/bin/python -c "from optsuite.catalog.targets import TARGETS as t; print(*t, sep=',')")
	$(IN_VENV) pytest benchmarks/test_latency.py $(GATED) --optsuite-seeds=$$(seq -s, 0 19) \
		--benchmark-json=$(LATEST)/seeds.json --benchmark-quiet
	$(IN_VENV) optsuite spread $(LATEST)/seeds.json --add-to $(LATEST)/run.json
	$(IN_VENV) optsuite.benchmarks.calibration $(LATEST)/run.json reports/mnist/calibration.json
	cp $(LATEST)/run.json reports/mnist/run.json
	$(IN_VENV) optsuite report reports/mnist/run.json --calibration reports/mnist/calibration.json --out reports/mnist

docs: .venv/installed ## build the documentation site
	rm -rf docs/_build
	TF_CPP_MIN_LOG_LEVEL=3 $(IN_VENV) sphinx --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lint: .venv/installed ## ruff, mypy and import-linter
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) mypy
	.venv/bin/lint-imports --no-cache --no-logo

# pip sees the pinned versions, the build of optsuite itself included: --no-build-isolation uses the pinned setuptools.
.venv/installed: pyproject.toml constraints.txt
	@start=$$(date +%s); set -e; \
	$(PYTHON) -m venv .venv; \
	$(IN_VENV) pip install --quiet --constraint constraints.txt pip setuptools; \
	$(IN_VENV) pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'; \
	$(IN_VENV) pip install --quiet --constraint constraints.txt tflite-micro || \
	echo "tflite-micro can't be installed: the target tflm is absent"; \
	$(IN_VENV) optsuite install-aarch64 || echo "the targets of ARM cores are absent"; \
	touch $@; \
	echo "installation took $$(( $$(date +%s) - start )) s"

# After a change of the dependencies: the newest versions that fit, exact.
constraints: ## pin the newest versions of all packages
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(IN_VENV) pip install --quiet --upgrade pip setuptools
	$(IN_VENV) pip install --quiet --no-build-isolation --editable '.[dev,micro]'
	$(IN_VENV) pip freeze --all --exclude-editable > constraints.txt
	.venv/bin/python tests/dependencies.py > docs/reference/dependencies.md

clean: ## delete what the other targets made
	rm -rf tests/browser/node_modules .venv .venv-lowest .venv-package dist .optsuite-cache docs/_build $(LATEST)
