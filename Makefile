# Everything from nothing but git, make and Python 3.11+ with venv. `make run` trains the network, `make test` tests it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder  # the tests of a file share what is compiled

.PHONY: run test lint check check-newest check-windows chromium picture-programs script bench bench-accelerator bench-full bench-studio bench-export bench-pictures bench-scaling speedrun results results-quick lessons stress golden docs-cli docs-sklearn clean

run: $(VENV)/.installed
	$(BIN)/python mlp_fashion_mnist.py $(ARGS)

test: lint  ## formatting, lint, types, tests with warnings as errors, and the script on the real data: < 10 minutes
	$(PYTEST) -m "not check" $(IN_TWO)
	$(MAKE) script

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

script: $(VENV)/.dev  ## the script, for a few epochs
	$(BIN)/python mlp_fashion_mnist.py --epochs 3

check: $(VENV)/.dev check-newest chromium picture-programs  ## the longer checks: < 30 minutes
	$(PYTEST) -m check $(IN_TWO) -k "not ($(ALONE))"
	$(PYTEST) -m check -k "$(ALONE)"
	$(MAKE) check-windows ARGS="$(WINDOWS_FIRST)"
	$(MAKE) results-quick

ALONE := distributed or solo  # they start several processes, and some of their waits are limited
WINDOWS_FIRST := $(addprefix tests/,test_files.py test_systems.py cli/test_help.py $(addprefix runs/test_,checkpoint.py directory.py interrupts.py journal.py lock.py))
check-windows: $(VENV)/.dev  ## the tests that need no Unix, on an imitation of Windows (tests/windows): < 10 minutes
	JAXQUARD_TESTS_AS=windows $(PYTEST) -m "not check and not posix" $(IN_TWO) $(ARGS)

# The newest supported Python that is on this machine, if it is newer than the one of $(VENV).
OWN := $(shell $(BIN)/python -V 2>/dev/null || $(PYTHON) -V)
NEWEST := $(shell for v in 3.14 3.13 3.12; do \
	echo '$(OWN)' | grep -q "Python $$v\." && break; \
	p=$$(command -v python$$v) && "$$p" -c 'import ensurepip, venv' 2>/dev/null && echo "$$p" && break; \
	ls -d $(HOME)/.pyenv/versions/$$v.*/bin/python 2>/dev/null | tail -1 | grep . && break; done)

$(VENV)-newest/.dev: pyproject.toml
	test -x $(VENV)-newest/bin/python || $(NEWEST) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

check-newest: $(if $(NEWEST),$(VENV)-newest/.dev)
ifneq ($(NEWEST),)
	$(VENV)-newest/bin/python -m pytest -m "not check" $(IN_TWO)
else
	@echo "check-newest: no newer Python on this machine than that of $(VENV)"
endif

# The browser that the studio's end-to-end tests drive: Debian's.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
chromium:
	command -v chromium || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq chromium; }

# What makes pictures for the tests of their formats.
PICTURE_PROGRAMS := convert ffmpeg cwebp avifenc heif-enc
picture-programs:
	command -v $(PICTURE_PROGRAMS) | wc -l | grep -qx $(words $(PICTURE_PROGRAMS)) || { $(SUDO) apt-get update -qq && \
	$(SUDO) apt-get install -y -qq --no-install-recommends imagemagick ffmpeg webp libavif-bin libheif-examples; }

$(VENV)/.installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

bench: $(VENV)-bench/.installed $(if $(NEWEST),$(VENV)-newest/.dev)  ## side by side with eight peers, and on the newest Python: < 35 minutes; the machine must be quiet
	$(VENV)-bench/bin/python -m benchmarks $(if $(NEWEST),--newest $(VENV)-newest/bin/python) $(ARGS)

bench-accelerator: $(VENV)-cuda/.installed  ## on a GPU of NVIDIA, about 10 minutes; writes into docs/PERFORMANCE.md
	$(VENV)-cuda/bin/python -m benchmarks.accelerator $(addprefix --pytorch ,$(wildcard $(VENV)-bench/bin/python)) $(ARGS)

bench-full: bench  ## and the growth curves
	$(VENV)-bench/bin/python -m benchmarks.growth

bench-studio: $(VENV)/.dev chromium  ## what the studio costs; the machine must be quiet
	$(BIN)/python -m benchmarks.studio

bench-export: $(VENV)-bench/.installed  ## times and sizes of exports, and PyTorch's answers; writes into docs/EXPORT.md
	$(VENV)-bench/bin/python -m benchmarks.export $(ARGS)

bench-scaling: $(VENV)/.dev  ## what shards, several devices and data in main memory cost; the machine must be quiet
	$(BIN)/python -m benchmarks.scaling $(ARGS)

speedrun: $(VENV)/.dev  ## seconds to three accuracies, < 60 minutes; writes docs/SPEEDRUN.md; the machine must be quiet
	$(BIN)/python -m benchmarks.speedrun $(ARGS)

bench-pictures: $(VENV)/.dev  ## how well pictures are recognised; writes docs/PICTURES.md
	$(BIN)/python -m benchmarks.pictures $(ARGS)

$(VENV)-bench/.installed $(VENV)-cuda/.installed: $(VENV)-%/.installed: pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable '.[$*]'
	touch $@

results: $(VENV)/.dev  ## every recipe over its seeds (hours; resumable), then the tables and charts
	$(BIN)/python -m benchmarks.recipes $(ARGS)
	$(BIN)/python -m benchmarks.baselines

results-quick: $(VENV)/.dev  ## the same machinery on a fraction of the data, into a temporary folder
	$(BIN)/python -m benchmarks.recipes --trial $(ARGS)

lessons: $(VENV)/.dev  ## every lesson in full (resumable), then docs/lessons; the machine should be quiet: times are measured
	$(BIN)/python -m jaxquard.lessons.book

stress: $(VENV)/.dev  ## the long forms of the promises of docs/RELIABILITY.md, which it draws again: < 45 minutes
	$(BIN)/python tests/stress $(ARGS)

golden: $(VENV)/.dev  ## every recipe's short loss curve, recorded again for this JAX and platform
	$(BIN)/python tests/golden

docs-cli: $(VENV)/.dev  ## docs/cli.md, from the help texts
	$(BIN)/python tests/cli_page.py > docs/cli.md

docs-sklearn: $(VENV)/.dev  ## docs/SKLEARN.md, the results of scikit-learn's own checks
	$(BIN)/python tests/sklearn_page.py > docs/SKLEARN.md

clean:
	rm -rf $(VENV) $(VENV)-newest $(VENV)-bench $(VENV)-cuda build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
