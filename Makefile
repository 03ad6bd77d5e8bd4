# One command each; the virtual environment is made when it is missing.
VENV ?= .venv
PYTHON ?= python3
OUT ?= screen-out
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help gpaw nep oldest slim screen test test-kernels check fuzz quick coverage site readme dist format docs clean

help:
	@echo "make screen   rank the embedded candidates; results in $(OUT)/"
	@echo "make test     run the test suite"
	@echo "make test-kernels  the kernels without compiler, beside their simple references"
	@echo "make check    lint, types, import directions"
	@echo "make fuzz     10,000 spoiled inputs into every reader, counted (about half an hour)"
	@echo "make quick    the checks, and the tests of what changed"
	@echo "make coverage the test suite with the share of lines that it runs"
	@echo "make site     build the documentation, tutorials executed, into site/"
	@echo "make dist     build sdist and wheel, check them, try the wheel elsewhere"
	@echo "make readme   fill in README's output, numbers and picture from a run"
	@echo "make docs     write the descriptor reference anew"
	@echo "make gpaw     build the GPAW engine for campaigns that run here"
	@echo "make nep      bring the potential NEP89 (GPL-3) for pre-screens"
	@echo "make slim     take from the environment what only graphics cards need (711 MB)"
	@echo "make oldest   a choice of tests with the oldest dependencies"
	@echo "make format   rewrite the code in the house format"
	@echo "make clean    remove the virtual environment and what runs left here"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ionsieve needs Python 3.11 or newer: try 'make PYTHON=python3.12 $(MAKECMDGOALS)'" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "could not make a virtual environment: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing ionsieve and what it needs into $(VENV) (once)"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the development tools into $(VENV) (once)"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

screen: $(VENV)/.installed
	@$(BIN)/ionsieve screen --out $(OUT)

# Two processes: the machine's cores are better used than by one, and memory stays small.
WORKERS ?= 2
# The kernels as the Python that they are written in, beside their simple references: a wrong index
# is an error there, not a number.
KERNEL_TESTS := tests/features/void tests/features/bvse tests/features/similarity tests/features/core
KERNELS := plain or pair_deriv or eigenvalues or descent or spread_distance or simple or shortest or levels
test-kernels: $(VENV)/.installed-dev
	@NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q $(KERNEL_TESTS) -k "$(KERNELS)"

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

INPUTS ?= 10000
fuzz: $(VENV)/.installed-dev
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fuzz.py --inputs $(INPUTS) --workers 2

quick: check
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $$($(BIN)/python tests/changed.py)

# Kernels count where they run as Python; compiled code is no line that anybody sees.
coverage: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --cov --cov-report=
	@NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q $(KERNEL_TESTS) -k "$(KERNELS)" --cov --cov-append --cov-report=
	@$(BIN)/coverage report

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "installing what the documentation needs into $(VENV) (once)"
	@$(PIP) install -c constraints.txt -e '.[docs]'
	@touch $@

site: $(VENV)/.installed-docs
	@$(BIN)/python docs/house_map.py --write
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs site
	@echo "open site/index.html"

dist: $(VENV)/.installed-dev
	@$(BIN)/python benchmarks/try_dist.py

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

readme: $(VENV)/.installed
	@$(BIN)/python docs/readme.py --picture

docs: $(VENV)/.installed
	@mkdir -p docs
	@$(BIN)/ionsieve catalogue --markdown > docs/.descriptors.md
	@mv docs/.descriptors.md docs/descriptors.md

# GPAW 26 compiles its C files as C++; with CC=gcc that fails. Its own guess takes MPI from a bare
# mpicc, which fails where MPI came without its headers: the settings are written out here.
GPAW_CONFIG := $(abspath $(VENV))/gpaw_siteconfig.py
GPAW_NEEDS := on Debian, apt-get install g++ python3-dev libxc-dev libopenblas-dev
gpaw: $(VENV)/.installed
	@command -v g++ >/dev/null || { echo "GPAW needs a C++ compiler, libxc and BLAS: $(GPAW_NEEDS)" >&2; exit 1; }
	@printf "mpi = False\ncompiler = 'g++'\nlibraries = ['xc', 'blas']\nnoblas = nolibxc = False\n" > $(GPAW_CONFIG)
	@echo "building GPAW into $(VENV) (minutes)"
	@GPAW_CONFIG=$(GPAW_CONFIG) CC=g++ LDSHARED="g++ -shared" $(PIP) install -c constraints.txt gpaw gpaw-data \
	  || { echo "GPAW did not build: $(GPAW_NEEDS)" >&2; exit 1; }
	@$(BIN)/python -c 'import gpaw, _gpaw; print("GPAW", gpaw.__version__, "is ready")'

# The file of NEP89 travels in the package neptrainkit, under GPL-3: it is never a dependency of
# ionsieve. Only the file is used; the package's own needs are left out.
nep: $(VENV)/.installed
	@command -v g++ >/dev/null || { echo "calorine needs a C++ compiler: on Debian, apt-get install g++ python3-dev" >&2; exit 1; }
	@echo "compiling calorine and bringing the NEP89 file (GPL-3) into $(VENV)"
	@$(PIP) install -c constraints.txt calorine==4.1
	@$(PIP) install --no-deps neptrainkit==2.5.4
	@$(BIN)/ionsieve campaign check-engine nep89

# xgboost-cpu is the same library of the same version without CUDA and NCCL: its models are equal
# byte for byte. "make test" and a new installation bring the whole package back.
slim: $(VENV)/.installed
	@$(PIP) uninstall --yes xgboost nvidia-nccl-cu12
	@$(PIP) install --no-deps -c constraints.txt xgboost-cpu
	@$(BIN)/python -c 'import xgboost; print("xgboost", xgboost.__version__, "without CUDA")'

# A choice of tests with the oldest dependencies that pyproject.toml admits: where files are read
# and written, where learners are fitted, and the front door.
OLDEST_TESTS := tests/data/test_records.py tests/data/test_roundtrips.py tests/data/formats/test_many.py \
  tests/features/isolated tests/features/standard/test_density.py tests/models/labels \
  tests/models/learners/test_trees.py tests/models/learners/test_booster_checks.py tests/api
# Left out: what trains the embedded model, for its time; and xenon, for which old pymatgen has no
# oxidation states.
OLDEST_NOT := --deselect tests/api/test_api.py::test_a_script_without_a_main_guard \
  --deselect tests/features/standard/test_density.py::test_a_missing_radius_is_nan_with_a_reason
oldest:
	@$(PYTHON) -m venv $(VENV)-oldest
	@$(VENV)-oldest/bin/python -m pip install --quiet -c constraints-oldest.txt -e . hypothesis pytest pytest-timeout
	@$(VENV)-oldest/bin/python -m pytest -q -W default -o addopts=--import-mode=importlib $(OLDEST_TESTS) \
	  $(OLDEST_NOT)

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-oldest $(OUT) dist site .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
