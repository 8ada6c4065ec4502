# make demo   install, grade the bundled class, show the table
# make test   install with everything the tests need, run them all
# make lint   ruff and mypy
# make site   the course as pages, for yourself; with CLASS=1 for students, without anything of solutions/

VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := autograder/platforms/files/install.py
# The first Python that this project supports; PYTHON=... overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)

# One process more than there are processors, because many tests wait; four at most, because each holds torch.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 4 ? n + 1 : 4)))
# A file's tests share what they set up, so each file stays on one process. What hangs fails by name.
PYTEST_OPTIONS := -n $(WORKERS) --dist loadfile --no-loadscope-reorder --timeout 900 --durations 25

.PHONY: demo test lint site clean

demo: $(VENV)/.instructor
	$(BIN)/autograder grade examples/class --gradebook gradebook.db

test: $(VENV)/.dev
	test -n "$$AUTOGRADER_TESTS_NO_BROWSER" || $(BIN)/python tests/get_browser.py
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

site: $(VENV)/.site
ifdef CLASS
	rm -rf build/class-site
	$(BIN)/autograder release build/class-site --to site
else
	$(BIN)/autograder site build/site
endif

lint: $(VENV)/.dev
	$(BIN)/ruff check . exercises/*/test_*.py
	$(BIN)/ruff format --check . exercises/*/test_*.py
	$(BIN)/mypy

$(VENV)/.instructor $(VENV)/.dev $(VENV)/.site: $(VENV)/.%: pyproject.toml constraints.txt $(INSTALL)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) $(INSTALL) $(VENV) $*
	@touch $@

clean:
	rm -rf $(VENV) gradebook.db gradebook.db-shm gradebook.db-wal
