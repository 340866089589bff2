# Every target but clean installs .venv first, and again when pyproject.toml or constraints.txt changed.
PYTHON ?= python3
QGIS_PYTHON ?= /usr/bin/python3
OUT ?= demo
TOWNS ?= towns
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo docs dist-test test test-qgis check attack plugin benchmark benchmark-towns benchmark-speed clean

demo: $(STAMP)
	$(BIN)/semimtl-geo demo --out $(OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

# With the Python of an installed QGIS, such as Debian's python3-qgis.
test-qgis: $(STAMP)
	QT_QPA_PLATFORM=offscreen $(QGIS_PYTHON) tests/qgis/headless.py $(CURDIR)/$(BIN)/python

# The site, in build/docs/html; any warning, failing notebook or broken link fails the build.
docs: $(STAMP)
	$(BIN)/python docs/build.py

# The package in an empty environment outside of this folder.
dist-test: $(STAMP)
	$(BIN)/python tests/distribution.py

plugin: $(STAMP)
	$(BIN)/python qgis_plugin/build.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

attack: $(STAMP)
	$(BIN)/python tests/attack.py

benchmark: $(STAMP)
	$(BIN)/python benchmarks/method.py

benchmark-towns: $(STAMP)
	$(BIN)/python benchmarks/towns.py --data $(TOWNS)

benchmark-speed: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	for name in stitching memory networks limit seam step loader; do \
		$(BIN)/python benchmarks/$$name.py || exit; \
	done

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
