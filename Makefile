# Every target sets up .venv by itself when the project's files ask for it.
PYTHON ?= python3
OUT ?= demo
TOWNS ?= towns
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check attack benchmark benchmark-towns benchmark-speed clean

demo: $(STAMP)
	$(BIN)/semimtl-geo demo --out $(OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

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
	for name in stitching memory networks limit seam step loader; do \
		$(BIN)/python benchmarks/$$name.py || exit; \
	done

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
