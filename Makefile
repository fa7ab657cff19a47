# On a fresh machine with Python 3.10 or newer: `make demo`, `make test`. Each environment is created once and
# again when what it is made of changes.
PYTHON ?= python3
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-library test-slicer lint bench icon screenshots clean

help:
	@echo "make demo    segment the sample, print volumes and Dice, write demo/"
	@echo "make test    lint, then every test"
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure times and install size, write docs/benchmarks.md"
	@echo "make icon    render the module's icon from its drawing"
	@echo "make screenshots    take the pictures of the module's panel"
	@echo "make clean   remove the environments, the demo and build products"

# what a user installs: no torch
.venv-demo/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python $(PIP_INSTALL) -c constraints.txt -e .
	touch $@

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) -c constraints.txt -e ".[train,test,dev]"
	touch $@

# slicer-core and Qt, apart from the rest: they bring their own VTK and no torch
.venv-slicer/.ready: pyproject.toml constraints.txt Testing/slicer/requirements.txt
	$(PYTHON) -m venv .venv-slicer
	.venv-slicer/bin/python $(PIP_INSTALL) -c constraints.txt -e . -r Testing/slicer/requirements.txt
	touch $@

demo: .venv-demo/.ready
	mkdir -p demo
	.venv-demo/bin/lightseg segment --model wmh-acu --input FLAIR=Resources/Samples/wmh_flair.nii.gz \
	  --reference Resources/Samples/wmh_reference.nii.gz --output demo/wmh.seg.nrrd --report demo/report.html

test: lint test-library test-slicer

test-library: .venv/.ready
	.venv/bin/python -m pytest

# where nothing else is asked for, Qt draws into memory and needs no screen
test-slicer: .venv-slicer/.ready
	QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} .venv-slicer/bin/python -m pytest Testing/slicer Testing/gui

lint: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/.ready .venv-demo/.ready
	.venv/bin/python Testing/bench/run.py

icon: .venv-slicer/.ready
	.venv-slicer/bin/python Testing/screenshots/render_icon.py

screenshots: .venv-slicer/.ready
	.venv-slicer/bin/python Testing/screenshots/take.py

clean:
	rm -rf .venv .venv-demo .venv-slicer demo build dist .pytest_cache .mypy_cache .ruff_cache
