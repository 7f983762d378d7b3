# SPDX-License-Identifier: GPL-2.0-only
# `make` lists the targets. Every target installs what it needs first; NO_INSTALL=1 only lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PREFIX ?= /usr
DESTDIR ?=
CLANG ?= clang-19
LLVM_LINK ?= llvm-link-19
LLVM_STRIP ?= llvm-strip-19
CLANG_FORMAT ?= clang-format-19

# Nothing but .venv and build/ is written into the checkout.
export XDG_CACHE_HOME ?= $(HOME)/.cache
CACHE := $(XDG_CACHE_HOME)/schedctl-lab
TOOL_CACHE := $(CACHE)/tools$(CURDIR)
export MYPY_CACHE_DIR := $(TOOL_CACHE)/mypy
export RUFF_CACHE_DIR := $(TOOL_CACHE)/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(TOOL_CACHE)/hypothesis
export PYTHONPYCACHEPREFIX := $(CACHE)/tools/pycache

VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest -o cache_dir=$(TOOL_CACHE)/pytest -n 2 --dist loadgroup
HOST_LISTS := tests/build/host-packages.txt
LAB_LISTS := tests/lab/host-packages.txt
BENCH_LISTS := $(LAB_LISTS) tests/bench/host-packages.txt

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what the machine must have -------------------------------------------------------------------

.PHONY: host host-lab host-bench
host:
	@tests/build/host-packages $(HOST_LISTS)

host-lab:
	@tests/build/host-packages $(HOST_LISTS) $(LAB_LISTS)

host-bench:
	@tests/build/host-packages $(HOST_LISTS) $(BENCH_LISTS)

# --- build ----------------------------------------------------------------------------------------

.PHONY: build venv bpf texts
build: venv bpf texts ## .venv/bin/schedctl, the BPF object, manual pages and completions

venv: host
	@tests/build/venv $(VENV)

BPF := build/bpf
BPF_INCLUDE := $(BPF)/include
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_PARTS := $(BPF_SOURCES:bpf/%.c=$(BPF)/parts/%.bc)
BPF_TARGET := -g -O2 -target bpf -mcpu=v3 -fdebug-compilation-dir=. -ffile-prefix-map=$(CURDIR)/=
# vmlinux.h has tagged anonymous members, as the kernel's own build; ops must declare all parameters.
BPF_CFLAGS := $(BPF_TARGET) -fms-extensions -Wall -Wextra -Werror -Wno-unused-parameter \
	-isystem $(BPF_INCLUDE)

# For packagers: VMLINUX_H=FILE (and LIBBPF_INCLUDE=DIR) compile with the system's headers; nothing is fetched.
export VMLINUX_H LIBBPF_INCLUDE
bpf: $(if $(VMLINUX_H),,host) ## only the scheduler's object; VMLINUX_H=FILE: without network
	@$(if $(BPF_SOURCES),$(MAKE) -s -j2 $(BPF)/main.bpf.o,echo "no bpf/*.bpf.c yet")

$(BPF_INCLUDE)/versions: tests/build/bpf-headers
	@mkdir -p $(BPF)
	@tests/build/bpf-headers $(BPF_INCLUDE)

$(BPF)/parts/%.bc: bpf/%.c Makefile $(BPF_INCLUDE)/versions
	@mkdir -p $(@D)
	@echo "    $(CLANG) $<"
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.bc=.d) -MT $@ -emit-llvm -c $< -o $@

# Changes when a source is added or removed.
$(BPF)/parts.list: FORCE
	@mkdir -p $(BPF)
	@echo "$(BPF_PARTS)" | cmp -s - $@ || echo "$(BPF_PARTS)" > $@
.PHONY: FORCE
FORCE:

# Linked as LLVM modules: libbpf's linker refuses a kfunc declared in two objects before 1.6.
$(BPF)/main.bpf.o: $(BPF_PARTS) $(BPF)/parts.list
	@echo "    $@"
	@$(LLVM_LINK) $(BPF_PARTS) -o $(BPF)/main.bc
	@$(CLANG) $(BPF_TARGET) -c $(BPF)/main.bc -o $@.new
	@$(LLVM_STRIP) -g $@.new
	@mv $@.new $@

-include $(BPF_PARTS:.bc=.d)

# Manual pages and completions.
TEXTS := build/texts
TEXT_SOURCES := packaging/texts.py $(wildcard packaging/man/*.md) docs/profile.md CHANGELOG.md \
	schedctl/__init__.py schedctl/errors.py schedctl/cli/main.py pyproject.toml

texts: venv
	@$(MAKE) -s $(TEXTS)/made

$(TEXTS)/made: $(TEXT_SOURCES)
	@echo "    $(TEXTS)"
	@PYTHONPATH=. $(VENV)/bin/python packaging/texts.py $(TEXTS)
	@touch $@

# The machines' parts, and the package that they install.
LAB := tests/lab/bootstrap && packaging/deb lab

# Objects for the tests of swap and ejection, see bpf/fault.bpf.h: never installed.
FAULTS := other:0 by-name:1 init:2
.PHONY: faulty
faulty: bpf
	@$(foreach fault,$(FAULTS),$(MAKE) -s build/faulty/$(firstword $(subst :, ,$(fault)))/main.bpf.o \
		FAULT=$(lastword $(subst :, ,$(fault))) &&) true

FAULTY_SOURCES := main attach
build/faulty/%/main.bpf.o: $(BPF)/main.bpf.o Makefile
	@mkdir -p $(@D)
	@echo "    $@"
	@for part in $(FAULTY_SOURCES); do \
		$(CLANG) $(BPF_CFLAGS) -DSCHEDCTL_FAULTS=$(FAULT) -emit-llvm -c "bpf/$$part.bpf.c" -o $(@D)/$$part.bc; \
	done
	@$(LLVM_LINK) $(filter-out $(FAULTY_SOURCES:%=$(BPF)/parts/%.bpf.bc),$(BPF_PARTS)) \
		$(FAULTY_SOURCES:%=$(@D)/%.bc) -o $(@D)/main.bc
	@$(CLANG) $(BPF_TARGET) -c $(@D)/main.bc -o $@.new
	@$(LLVM_STRIP) -g $@.new
	@rm $(@D)/*.bc
	@mv $@.new $@

# --- checks ---------------------------------------------------------------------------------------

.PHONY: check-fast check lint lab fuzz measured mutants timings soak hostile endure faults ejections demo fresh
.PHONY: bench docs-bench docs-features docs-profile
check-fast: build ## linters, types, unit and property tests; no virtual machine, about a minute
	@echo "==> linters and tests without a virtual machine"
	@$(PYTEST) -n 3 -m "not lab and not long" # one more than CPUs: some tests wait for a timer

check: host-lab build faulty ## everything, in virtual machines with a sched_ext kernel
	@$(LAB)
	@echo "==> all tests, two virtual machines at a time"
	@SCHEDCTL_FUZZ=2000 SCHEDCTL_SETS=10000 $(PYTEST) --durations=10

lab: host-lab build faulty
	@$(LAB)

lint: build ## only the linters
	@$(PYTEST) tests/test_linters.py

mutants: build ## breaks the analysis on purpose, one place at a time: each must fail a test; some hours
	@tests/analysis/mutants

measured: host-lab build faulty ## response times on a real kernel beside their bounds; docs/results/measured.txt
	@$(LAB)
	@tests/build/record measured $(VENV)/bin/python -m tests.analysis.measured

fuzz: build ## 100,000 mutated profiles, some minutes
	@$(VENV)/bin/python -m tests.profile.fuzz 100000

timings: build ## how long Python takes for an edit, status and --help; output in docs/results/timings.txt
	@tests/build/record timings $(VENV)/bin/python -m tests.bench.python

# MINUTES=1 for a look.
soak: host-lab build ## 10 minutes of hostile load per order, on two CPUs; output in docs/results/soak.txt
	@$(LAB)
	@tests/build/record soak $(VENV)/bin/python -m tests.sched.soak $(MINUTES)

# SECONDS=1 for a look.
hostile: host-lab build ## hostile loads, ours beside the default scheduler; output in docs/results/hostile.txt
	@$(LAB)
	@tests/build/record hostile $(VENV)/bin/python -m tests.sched.tricks $(SECONDS)

# Some hours, so each part has a file of its own. A part of it: PARTS='edits swaps=4'.
PARTS = edits reconciles flips swaps
endure: host-lab build faulty ## what edits, flips and swaps cost and leave; output in docs/results/endure-*.txt
	@$(LAB)
	@failed=; for part in $(PARTS); do \
		tests/build/record "endure-$${part%%=*}" $(VENV)/bin/python -m tests.endure "$$part" || failed=1; \
	done; test -z "$$failed"

faults: host-lab build ## a fault at every step of every change, over an hour; output in docs/results/faults.txt
	@tests/lab/bootstrap
	@tests/build/record faults $(VENV)/bin/python -m tests.faults

ejections: host-lab build faulty ## the kernel ends the scheduler in three ways; docs/results/ejections.txt
	@$(LAB)
	@tests/build/record ejections $(VENV)/bin/python -m tests.daemon.shown

demo: host-lab build ## a YAML edit reverses what a real kernel runs, shown step by step
	@$(LAB)
	@tests/demo/run

fresh: host-lab ## all set-up and check-fast once more, inside a bare Debian 12
	@tests/build/fresh

# A part of it: BENCH='--contenders schedctl,fifo --workloads wake --rounds 2'.
bench: host-bench build ## beside other schedulers, about 40 minutes (and to build those); BENCH=OPTIONS
	@$(LAB)
	@$(VENV)/bin/python -m tests.bench $(BENCH)
	@$(if $(BENCH),$(VENV)/bin/python -m tests.bench.page build/bench.json,$(MAKE) docs-bench)

docs-bench: build
	@$(VENV)/bin/python -c 'import matplotlib' 2>/dev/null || { \
		echo "==> installing what draws the plots"; \
		$(VENV)/bin/pip install -q --use-pep517 --no-input --progress-bar off \
			--config-settings editable_mode=compat -e '.[bench]'; }
	@$(VENV)/bin/python -m tests.bench.page > build/benchmarks.md
	@mv build/benchmarks.md docs/benchmarks.md
	@$(VENV)/bin/python -m tests.bench.plots

docs-features: build ## docs/features.md from the collected proofs
	@$(VENV)/bin/python -m tests.features > build/features.md
	@mv build/features.md docs/features.md

docs-profile: build ## the tables of keys in docs/profile.md, from the schemas
	@$(VENV)/bin/python -m tests.tables

# --- the rest -------------------------------------------------------------------------------------

.PHONY: format clean install install-data dist deb
format: build ## format C and Python in place
	@$(VENV)/bin/ruff check -q --fix --exit-zero .
	@$(VENV)/bin/ruff format .
	@git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' | xargs -0r $(CLANG_FORMAT) -i

clean: ## remove build/ and .venv (caches in ~/.cache/schedctl-lab stay)
	@rm -rf build $(VENV)

# A tarball of `make dist` has what is built elsewhere in prebuilt/; an object compiled here goes first.
READY := $(wildcard prebuilt)
BPF_OBJECT ?= $(if $(READY),$(or $(wildcard $(BPF)/main.bpf.o),prebuilt/bpf/main.bpf.o),$(BPF)/main.bpf.o)
PYTHON ?= /usr/bin/python3
SYSTEMDUNITDIR ?=
PYTHONDIR ?=
ZSHDIR ?=
INSTALL = $(PYTHON) packaging/install.py --destdir "$(DESTDIR)" --prefix "$(PREFIX)" --object "$(BPF_OBJECT)" \
	--texts "$(or $(READY),$(TEXTS))" --pythondir "$(PYTHONDIR)" --systemdunitdir "$(SYSTEMDUNITDIR)" \
	--zshdir "$(ZSHDIR)"

# No network, no pip. Without root, give a DESTDIR. install-data is all but Python.
install: $(if $(READY),,$(BPF)/main.bpf.o $(TEXTS)/made) ## into DESTDIR and PREFIX (default /usr)
	@$(INSTALL) all

install-data: $(if $(READY),,$(BPF)/main.bpf.o $(TEXTS)/made)
	@$(INSTALL) data

dist: build ## build/schedctl-VERSION.tar.gz, with the BPF object ready-made
	@packaging/dist build

deb: host-lab build ## the Debian package, built and checked in a trixie chroot, into build/
	@cp "$$(dirname "$$(packaging/deb release)")"/schedctl_* build/
	@ls build/schedctl_*
