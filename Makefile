# Every target makes its own environment from requirements.lock first, and the tests get a browser; nothing else is needed
# but Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
IS_RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
PRESET ?=
PARAMS ?=
FILE ?= data/sweeps/example.yaml
OUT ?=
PORT ?= 8866

.PHONY: report sweep app lab test check bench bench-app bench-sweep format parameters picture lock clean look browser validators
.NOTPARALLEL: # a browser is looked for before the environment is made
unexport VIRTUAL_ENV # of another environment, which IPython would warn of

report: $(READY)  ## answer a scenario: make report PRESET=hospital PARAMS="spikiness=8 batch_share=0.2"
	$(BIN)/where-to-run report $(if $(PRESET),--preset '$(PRESET)') $(foreach setting,$(PARAMS),--set '$(setting)')

sweep: $(READY)  ## answer many scenarios: make sweep FILE=mine.yaml OUT=somewhere
	$(BIN)/where-to-run sweep '$(FILE)' $(if $(OUT),--out '$(OUT)')

app: $(READY)  ## serve the workbook to browsers: make app PORT=8867
	$(BIN)/where-to-run app --port $(PORT)

lab: $(READY)  ## explore in JupyterLab
	$(BIN)/where-to-run lab notebooks/1_decide.ipynb

test: browser  ## run every test
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

check: browser validators  ## lint, format, types, tables, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/where-to-run check-data
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

bench: $(READY)  ## time and memory of evaluate, and of a report, beside their floors
	$(BIN)/python tests/bench.py

bench-app: browser  ## time and memory of the app in a browser, beside their floors
	$(BIN)/python tests/bench_app.py

bench-sweep: $(READY)  ## time and memory of sweeps and of their reports, beside their limits; LONG=1 adds a million scenarios
	$(BIN)/python tests/bench_sweep.py $(if $(LONG),--long)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

parameters: $(READY)  ## write data/question.yaml anew into the notebooks
	$(BIN)/python tests/write_parameters.py

picture: browser  ## draw the README's picture anew
	$(BIN)/python tests/make_picture.py

look: SOME_PYTHON = $(if $(wildcard $(READY)),$(BIN)/python,$(PYTHON))
look:
	@$(SOME_PYTHON) $(IS_RECENT)
	@$(SOME_PYTHON) tests/get_browser.py

browser: look $(READY)
	@$(BIN)/python tests/get_browser.py --download

validators:  ## get the programs that check the files of a kit
	@$(PYTHON) tests/get_validators.py

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) $(IS_RECENT)
	@echo 'Making .venv, once: one to two minutes, 330 MB to fetch, 1.3 GB on disk. 1 of 3: an empty environment'
	@$(PYTHON) -m venv .venv
	@echo '2 of 3: the packages of requirements.lock, most of the time'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@echo '3 of 3: this project'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:  ## pin anew what pyproject.toml asks for
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --upgrade pip setuptools
	.lock/bin/python -m pip install --quiet . --group dev
	.lock/bin/python -m pip freeze --all | grep -v -e '^where-to-run' -e '^pip==' > requirements.lock
	rm -rf .lock build lib/*.egg-info

clean:
	rm -rf .venv .validators reports
