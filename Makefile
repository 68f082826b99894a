# `make bench` and `make test` do everything on a fresh machine, set-up included.
.DELETE_ON_ERROR:
.PHONY: docs install bench bench-cluster test test-fast test-lowest test-page faults gate gate-fault reference lint constraints clean

PYTHON ?= python3
LATEST = reports/latest
# Relative, so that the checkout may lie under a path with spaces.
IN_VENV = .venv/bin/python -m

install: .venv/installed

bench: .venv/installed
	mkdir -p $(LATEST)
	rm -f $(LATEST)/run.json $(LATEST)/calibration.json
	$(IN_VENV) pytest benchmarks/ --benchmark-json=$(LATEST)/run.json --benchmark-quiet; gates=$$?; \
	test -f $(LATEST)/run.json && $(IN_VENV) optsuite.benchmarks.calibration $(LATEST)/run.json $(LATEST)/calibration.json && \
	calibrated="--calibration $(LATEST)/calibration.json"; \
	$(IN_VENV) optsuite report $(LATEST)/run.json $$calibrated --out $(LATEST) && exit $$gates

# The smoke profile through a Dask scheduler and two workers, started for it.
bench-cluster: .venv/installed
	rm -rf $(LATEST)/cluster
	mkdir -p $(LATEST)/cluster
	$(IN_VENV) optsuite.benchmarks.cluster benchmarks/ --optsuite-profile=smoke --optsuite-cache=$(LATEST)/cluster/store \
		--benchmark-json=$(LATEST)/cluster/run.json --benchmark-quiet

# No training and none of the real commands: for every change, in under a minute.
test-fast: .venv/installed
	$(IN_VENV) pytest tests/ --ignore=tests/browser -m "not slow" --numprocesses=2 --dist=worksteal

test: .venv/installed
	$(IN_VENV) pytest tests/ --ignore=tests/browser --numprocesses=2 --dist=worksteal

# The long form of what `make test` does of it: a quarter of an hour.
faults: .venv/installed
	OPTSUITE_FAULTS=reports/faults.md $(IN_VENV) pytest tests/faults/

# The real commands with the lowest versions that pyproject.toml allows, in an environment of their own.
LOWEST = .venv-lowest/bin
test-lowest:
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -r pyproject.toml --extra build
	$(LOWEST)/uv pip install --quiet --python .venv-lowest --no-deps --editable .
	sh tests/lowest.sh $(LOWEST) $(LATEST)/lowest

# report.html in Debian's chromium and chromium-driver.
test-page: .venv/installed
	$(IN_VENV) pytest tests/browser/

# What CI trains at full length, and judges against the committed run, on whatever CPU it is.
GATED = --optsuite-models=dscnn --optsuite-recipes=baseline,qat,prune-0.8,cluster-8 \
	--optsuite-variants=fp32,fp16,dynamic,int8,uint8,int16x8

gate: .venv/installed
	mkdir -p $(LATEST)
	$(IN_VENV) pytest benchmarks/ $(GATED) --benchmark-json=$(LATEST)/gate.json --benchmark-quiet
	$(IN_VENV) optsuite compare reports/mnist/run.json $(LATEST)/gate.json

# A gate that can't fail proves nothing: what tests/sabotage.py spoils has to be REGRESSED. With other faults, as in
# make gate-fault FAULT="halve filters" FAULTY=baseline
FAULT = break pruning
FAULTY = prune-0.8

gate-fault: .venv/installed
	mkdir -p $(LATEST)
	PYTHONPATH=tests SABOTAGE="$(FAULT)" $(IN_VENV) pytest -p sabotage benchmarks/test_latency.py $(GATED) \
		--optsuite-recipes=$(FAULTY) --benchmark-json=$(LATEST)/fault.json --benchmark-quiet
	$(IN_VENV) optsuite compare reports/mnist/run.json $(LATEST)/fault.json > $(LATEST)/fault.txt; test $$? = 1
	grep "^REGRESSED  dscnn_$(FAULTY) .*int8.* accuracy" $(LATEST)/fault.txt

# The committed run: everything with one seed, on all targets, those on request included, and what the gate trains with
# twenty, which tell how much trainings differ.
reference: .venv/installed
	mkdir -p $(LATEST)
	$(IN_VENV) pytest benchmarks/ --benchmark-json=$(LATEST)/run.json --benchmark-quiet \
		--optsuite-targets=$$(.venv/bin/python -c "from optsuite.catalog.targets import TARGETS as t; print(*t, sep=',')")
	$(IN_VENV) pytest benchmarks/test_latency.py $(GATED) --optsuite-seeds=$$(seq -s, 0 19) \
		--benchmark-json=$(LATEST)/seeds.json --benchmark-quiet
	$(IN_VENV) optsuite spread $(LATEST)/seeds.json --add-to $(LATEST)/run.json
	$(IN_VENV) optsuite.benchmarks.calibration $(LATEST)/run.json reports/mnist/calibration.json
	cp $(LATEST)/run.json reports/mnist/run.json
	$(IN_VENV) optsuite report reports/mnist/run.json --calibration reports/mnist/calibration.json --out reports/mnist

docs: .venv/installed
	rm -rf docs/_build
	$(IN_VENV) sphinx --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lint: .venv/installed
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
constraints:
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(IN_VENV) pip install --quiet --upgrade pip setuptools
	$(IN_VENV) pip install --quiet --no-build-isolation --editable '.[dev,micro]'
	$(IN_VENV) pip freeze --all --exclude-editable > constraints.txt
	.venv/bin/python tests/dependencies.py > docs/reference/dependencies.md

clean:
	rm -rf .venv .optsuite-cache docs/_build $(LATEST)
