# Every target explains itself: `make` prints the lines below that carry ##.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The image brings its own environment; elsewhere it is made here.
VENV := $(or $(MEDATTN_VENV),.venv)
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
LOCKS := requirements/build.txt requirements/locked.txt requirements/dev.txt
STAMP := $(VENV)/.installed-$(shell cat $(LOCKS) pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
# A CPU build of torch saves gigabytes where there is no GPU: make repro TORCH_INDEX=<index of CPU builds>
TORCH_INDEX ?=
# Tests of one file share what they made, so a file stays with one worker.
WORKERS ?= -n auto --maxprocesses 8 --dist loadfile
# workers whose torch takes every core wait for one another
ONE_THREAD = OMP_NUM_THREADS=1

.PHONY: help repro history setup data paper test test-slow test-radiographs test-browser chromium lint deps doctor exact verify experiments bench
.PHONY: image image-test lock lock-check hooks clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

repro: history setup data ## recompute the whole study and print the headline
	$(BIN)/python -m medattn params check
	$(BIN)/dvc repro
	@$(BIN)/python -m medattn headline

history:
	@test -e .git || { echo "make repro needs the git history: git clone the repository instead of unpacking an archive"; exit 2; }

ifdef MEDATTN_VENV
setup:
	@cmp --silent requirements/locked.txt /opt/medattn/requirements/locked.txt || { echo "this image was built from another \
	requirements/locked.txt than the one here: build it again (make image), or check out the commit that it was built from"; exit 2; }
else
setup: $(STAMP) ## make .venv with the pinned packages (Python 3.11 to 3.13; PYTHON=... chooses one)
endif

$(STAMP): $(LOCKS) pyproject.toml
	@python=$$(PYTHON="$(PYTHON)" bash requirements/find-python) || exit 2; \
	 echo "making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/build.txt
	$(BIN)/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --require-hashes --no-build-isolation -r requirements/locked.txt -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/pip check
	@touch $@

data: setup ## fetch the embedded study from the store inside the repository
	$(BIN)/dvc pull --quiet data.dvc

STUDY ?= studies/mimic-cxr
NAME ?= paper
paper: setup ## the real study: make paper MIMIC=<root> QUESTIONS=<file> (docs/mimic-cxr.md)
	@test -n "$(MIMIC)" || { echo "make paper needs MIMIC=<root of MIMIC-CXR-JPG>, and QUESTIONS=<file> unless the labels are to ask"; exit 2; }
	$(BIN)/python -m medattn study mimic-cxr --root "$(MIMIC)" --out $(STUDY) \
	  $(if $(QUESTIONS),--questions "$(QUESTIONS)") $(ASSEMBLE)
	$(BIN)/python -m medattn study pin $(STUDY)
	$(BIN)/dvc config --local core.site_cache_dir "$(CURDIR)/.dvc/tmp/site" # DVC keeps file names there, so identifiers
	@earlier="$(NAME)-until-$$(date +%Y%m%d-%H%M%S)"; ! $(BIN)/dvc exp list --name-only | grep -qx "$(NAME)" || { \
	  $(BIN)/dvc exp rename --quiet "$(NAME)" "$$earlier" && echo "the earlier experiment $(NAME) is now called $$earlier"; }
	$(BIN)/dvc exp run -n $(NAME) -S study=$(STUDY)
	@$(BIN)/python -m medattn headline

lint: setup ## ruff, mypy, rooms and their layers, unused code, and whether dvc.yaml lists what the stages import
	$(BIN)/ruff check medattn tests container requirements
	$(BIN)/ruff format --check medattn tests container requirements
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/python -m requirements.modules --check

deps: setup ## write into dvc.yaml the modules that each stage imports
	$(BIN)/python -m requirements.modules

doctor: setup ## what this machine has for a run, what is missing, and the remedy
	$(BIN)/python -m medattn doctor

hooks: ## let git refuse commits that hold restricted files
	git config core.hooksPath .githooks

test: setup ## run the fast tests
	$(ONE_THREAD) $(BIN)/python -m pytest $(WORKERS)

test-slow: setup ## run the slow tests (minutes)
	$(ONE_THREAD) $(BIN)/python -m pytest $(WORKERS) -m "slow and not browser"

test-radiographs: setup ## body masks of the images X.png whose lungs are X_lung.png in RADIOGRAPHS=DIR
	@test -d "$(RADIOGRAPHS)" || { echo "RADIOGRAPHS=$(RADIOGRAPHS) is no directory: make test-radiographs RADIOGRAPHS=DIR of images and *_lung.png" >&2; exit 2; }
	MEDATTN_RADIOGRAPHS="$(abspath $(RADIOGRAPHS))" $(ONE_THREAD) $(BIN)/python -m pytest tests/measures/test_silhouette.py

test-browser: setup chromium ## run the report and the gallery in headless Chromium (installs it as root); screenshots in results/run/
	MEDATTN_SCREENSHOTS=$${MEDATTN_SCREENSHOTS:-results/run/screenshots} $(BIN)/python -m pytest -m browser

chromium:
	@command -v "$${MEDATTN_CHROMIUM:-chromium}" >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	  then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	  else echo "test-browser needs Chromium: install Debian's package chromium, or set MEDATTN_CHROMIUM to its path"; exit 2; fi; }

exact: setup data ## recompute everything twice without any cache and compare every output's bytes
	$(BIN)/python -m medattn exact

verify: setup data ## are the recorded results reproduced? checks every hash, then recomputes a clean checkout
	$(BIN)/python -m medattn verify

experiments: setup ## all experiments beside each other: what was changed, and what came of it
	$(BIN)/dvc exp show --only-changed --drop 'medattn/|requirements|results|reports/|data$$|reference|params.yaml|medical_terms' --no-pager

bench: setup ## measure extraction against the usual way
	$(BIN)/python -m medattn bench --shape phantom --json results/run/bench.json

# docker, podman or buildah; IMAGE_OPTIONS='--build-arg TORCH=cpu' for the CPU variant
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(shell command -v $(tool))))
IMAGE ?= medattn
image: ## build the container image
	@test -n "$(BUILDER)" || { echo "make image needs docker, podman or buildah"; exit 2; }
	$(BUILDER) build --build-arg REVISION=$$(git rev-parse HEAD) $(IMAGE_OPTIONS) -t $(IMAGE) .

image-test: ## build the CPU image without a container engine, run the study and the fast tests in it, compare with dvc.lock
	python3 container/image_test.py

lock: ## pin every dependency again, with hashes (asks the package index)
	bash requirements/lock

lock-check: ## do the locks match pyproject.toml, and are their hashes those that the index lists?
	bash requirements/check

clean: ## remove the environment and everything recomputable
	rm -rf .venv results .pytest_cache
