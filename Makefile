# podgres - build, check and install.  `make help` lists the targets.
#
# Every layer is one static library; the order of LAYERS is the order of the floors, ground last, and
# a unit test links its own floor and those below, so that a cycle cannot hide.

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN ?=
# V=1 shows the whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $@)
PKG_CONFIG ?= pkg-config
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

# net and pg, store and service ... do not see each other; scripts/check-layers says who may see whom.
LAYERS := cmd deploy service store pg net sys core base

# libpq and libmicrohttpd are loaded by the one service that uses them (src/sys/dynlib.c): linking
# them would cost every process more than a megabyte of relocated pages.
LINK_PKGS := libcjson yaml-0.1 zlib
HEADER_PKGS := libpq libmicrohttpd gnutls libcurl
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LINK_PKGS) $(HEADER_PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LINK_PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wformat=2 -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla -Wnull-dereference \
	-Wimplicit-fallthrough -Werror
ARCH := $(shell uname -m)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE \
	$(if $(SAN),,-D_FORTIFY_SOURCE=2) $(if $(filter x86_64,$(ARCH)),-fcf-protection=full)
OPT ?= -O2 -g
# The command line, decisions and the preparation of files run seldom: there, small counts more than
# fast, since the limit on the binary is for all of it.
SMALL_LAYERS := src/cmd/% src/core/% src/pg/% src/net/% src/service/% src/store/%
SMALL = $(if $(filter -O2,$(OPT)),-Os)
CPPFLAGS_ALL := -D_GNU_SOURCE -DPODGRES_VERSION='"$(VERSION)"' -iquote include $(CPPFLAGS)
# C without exceptions needs no unwind tables at run time (70 kB); debuggers read those of -g.
CFLAGS_ALL := -std=gnu11 $(OPT) $(WARN) $(HARDEN) $(if $(SAN),,-fno-asynchronous-unwind-tables -fno-unwind-tables) \
	-ffunction-sections -fdata-sections -fno-common \
	-ffile-prefix-map=$(CURDIR)=. $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed,--build-id=sha1 \
	$(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

src_of = $(sort $(wildcard src/$(1)/*.c))
obj_of = $(patsubst %.c,$(BUILD)/%.o,$(call src_of,$(1)))
lib_of = $(BUILD)/lib$(1).a
MAIN_OBJ := $(BUILD)/src/cmd/main.o

ALL_SRC := $(foreach l,$(LAYERS) wal,$(call src_of,$(l)))
ALL_LIBS := $(foreach l,$(LAYERS),$(lib_of))
LIBS := $(foreach l,$(LAYERS),$(call lib_of,$(l)))

.PHONY: all
all: $(BUILD)/podgres $(BUILD)/podgres-wal ## build podgres and podgres-wal

$(BUILD)/podgres: $(MAIN_OBJ) $(LIBS)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(MAIN_OBJ) -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS) -lm

# What archive_command starts for each segment: no library but libc, so that it starts at once.
WAL_OBJ := $(BUILD)/src/wal/podgres-wal.o
$(BUILD)/podgres-wal: $(WAL_OBJ)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $<

define layer_rule
$(call lib_of,$(1)): $(filter-out $(MAIN_OBJ),$(call obj_of,$(1)))
	@rm -f $$@
	@mkdir -p $$(@D)
	$(Q)ar rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(if $(filter $(SMALL_LAYERS),$<),$(SMALL)) -MMD -MP -c -o $@ $<

# What the assembler takes in.
$(BUILD)/src/service/page_asset.o: src/service/page.css src/service/page.js

# Objects depend on the flags they were made with.
FLAGS_NOW := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(call shell_quote,$(FLAGS_NOW)) | cmp -s - $@ || printf '%s\n' $(call shell_quote,$(FLAGS_NOW)) >$@
shell_quote = '$(subst ','\'',$(1))'
.PHONY: FORCE
FORCE:

# ---- unit tests: tests/unit/LAYER/MODULE_test.c ----

UNIT_SRC := $(sort $(wildcard tests/unit/*/*_test.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
T ?=

floors_below = $(if $(filter base,$(1)),base,$(if $(filter core,$(1)),core base,\
	$(if $(filter sys,$(1)),sys base,$(if $(filter net pg,$(1)),$(1) sys core base,\
	$(if $(filter store,$(1)),store pg net sys base,$(if $(filter service,$(1)),service store pg net sys core base,\
	$(if $(filter deploy,$(1)),deploy core base,$(LAYERS))))))))

define unit_rule
$(BUILD)/unit/$(1): $(BUILD)/tests/unit/$(1).o $(foreach l,$(call floors_below,$(firstword $(subst /, ,$(1)))),$(call lib_of,$(l)))
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS) -lcmocka -lm
endef
$(foreach t,$(patsubst tests/unit/%.c,%,$(UNIT_SRC)),$(eval $(call unit_rule,$(t))))

# They run the program that stands in this build.
$(BUILD)/unit/wal/podgres_wal_test: | $(BUILD)/podgres-wal

.PHONY: check
check: $(filter $(BUILD)/unit/$(T)%,$(UNIT_BIN)) ## unit tests; T=base/buf runs those that begin so
	@JOBS=$(JOBS) scripts/run-unit $^

.PHONY: check-asan
check-asan: ## unit tests under AddressSanitizer and UBSan
	$(MAKE) BUILD=$(BUILD)-asan SAN=address,undefined OPT='-O1 -g' check T=$(T)

# ---- system tests: the real binary as PID 1 with a real PostgreSQL (tests/system) ----

PG ?=
K ?=
# Most of a system test is waiting.
SIDE := -j $(JOBS)
SYSTEM := tests/system/run $(SIDE) --bin $(BUILD)/podgres $(if $(PG),--pg $(PG)) $(K)

.PHONY: test-system
test-system: all tools ## system tests; K='stop fence.toggle' chooses, PG=17 takes another version
	$(SYSTEM)

.PHONY: test-system-asan
test-system-asan: ## system tests with a binary under AddressSanitizer and UBSan
	$(MAKE) -j$(JOBS) BUILD=$(BUILD)-asan SAN=address,undefined OPT='-O1 -g' all tools
	PODGRES_TEST_BUILD=asan PODGRES_TEST_TOOLS=$(abspath $(BUILD)-asan)/tools tests/system/run $(SIDE) --bin $(BUILD)-asan/podgres $(if $(PG),--pg $(PG)) $(if $(K),$(K),--only asan)

.PHONY: test
test: ## install what tests need and run all of them
	scripts/setup build run test stores
	$(MAKE) -j$(JOBS) all
	$(MAKE) -j$(JOBS) check
	$(MAKE) -j$(JOBS) check-asan
	$(MAKE) size
	$(MAKE) test-system
	$(MAKE) test-system-asan

PGV ?= $(CURDIR)/build-pg
.PHONY: test-versions
test-versions: all tools ## system tests against PostgreSQL 13 to 18, installed into PGV=
	scripts/setup test versions
	scripts/pg-versions $(PGV)
	for v in 13 14 15 16 17 18; do \
		tests/system/run --bin $(BUILD)/podgres --pg $(PGV)/$$v/bin --only versions $(K) || failed=1; \
	done; [ -z "$$failed" ]

.PHONY: metrics-golden
metrics-golden: all tools ## write tests/system/metrics_golden anew, with the versions in PGV=
	for v in 13 14 15 16 17 18; do \
		PODGRES_GOLDEN=write tests/system/run --bin $(BUILD)/podgres --pg $(PGV)/$$v/bin metrics_names || exit 1; \
	done

.PHONY: model model-mutants
model: ## check the protocol of the lease with Spin: it holds, and not without any of its rules
	scripts/setup model
	tests/model/check-table --self-test
	JOBS=$(JOBS) tests/model/run $(BUILD)
model-mutants: ## only that each rule left out is seen to break it
	scripts/setup model
	JOBS=$(JOBS) tests/model/run $(BUILD) mutants

.PHONY: campaign
campaign: $(BUILD)/podgres ## the fault runs at full length: hours
	PODGRES_TEST_SCALE=full $(SYSTEM)

.PHONY: bench
bench: all ## measure start, memory, CPU, probes, size and the archive against the peers
	scripts/setup bench run stores
	tests/bench/run $(BUILD)/podgres; status=$$?; tests/bench/archive $(BUILD)/podgres && exit $$status

.PHONY: bench-archive
bench-archive: all ## WAL and base backups beside pgbackrest and barman-cloud, on one Ceph RGW
	scripts/setup bench run stores
	tests/bench/archive $(BUILD)/podgres $(BENCH)

.PHONY: bench-metrics
bench-metrics: all ## scrapes beside prometheus-postgres-exporter, of the same server
	scripts/setup bench run
	tests/bench/metrics $(BUILD)/podgres

RUNS ?= 5
.PHONY: bench-ha
bench-ha: all $(BUILD)/bench/haclient ## how long nobody can write, beside Patroni with etcd; RUNS=20
	scripts/setup bench run ha
	tests/bench/failover $(BUILD)/podgres --runs $(RUNS) $(BENCH)

$(BUILD)/bench/haclient: $(BUILD)/tests/bench/haclient.o
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< -lpq

.PHONY: test-kube
test-kube: all tools ## the tests of Lease and cluster with a real kube-apiserver and etcd; it is built once, which takes long
	scripts/setup run test kube
	[ -x "$$PODGRES_KUBE_APISERVER" ] || scripts/kube-apiserver
	tests/system/run --bin $(BUILD)/podgres $(if $(K),$(K),kube_ ha. ha_)

# ---- tools of the system tests: tests/system/NAME.c ----

TOOL_SRC := $(sort $(wildcard tests/system/*.c))
TOOL_BIN := $(patsubst tests/system/%.c,$(BUILD)/tools/%,$(TOOL_SRC))

.PHONY: tools
tools: $(TOOL_BIN) ## what the system tests drive parts of podgres with
$(BUILD)/tools/%: $(BUILD)/tests/system/%.o $(filter-out $(BUILD)/libcmd.a,$(LIBS))
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lm

# ---- fuzzing: tests/fuzz/fuzz_NAME.c, corpus in tests/fuzz/corpus/NAME ----

FUZZ_SECONDS ?= 60
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
FUZZ_SAN := address,undefined,fuzzer-no-link

.PHONY: fuzz fuzz-bins
fuzz: ## libFuzzer over every parser of foreign bytes, FUZZ_SECONDS=60 each
	$(MAKE) -j$(JOBS) BUILD=$(BUILD)-fuzz CC=clang SAN=$(FUZZ_SAN) OPT='-O1 -g' fuzz-bins
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzz $(BUILD)-fuzz/fuzz $(K)
fuzz-bins: $(FUZZ_BIN)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(filter-out $(BUILD)/libcmd.a,$(LIBS))
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lm

# ---- coverage ----

.PHONY: coverage
coverage: ## line and branch coverage of the unit tests, as text and HTML
	$(MAKE) -j$(JOBS) BUILD=$(BUILD)-cov OPT='-O1 -g --coverage' check
	gcovr --root . --object-directory $(BUILD)-cov --filter 'src/' --exclude-unreachable-branches \
		--print-summary --html-details $(BUILD)-cov/coverage.html --txt $(BUILD)-cov/coverage.txt
	@tail -n 3 $(BUILD)-cov/coverage.txt

# ---- lint: every warning is an error ----

LINT := lint-format lint-layers lint-sizes lint-banned lint-shell lint-docs lint-model lint-cppcheck lint-tidy lint-gcc lint-clang
# The rows of include/tbl are laid out by hand: one row, one line.
C_FILES := $(sort $(filter-out include/tbl/%,$(wildcard src/*/*.c include/*/*.h tests/unit/*/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch] tests/system/*.[ch])))
TIDY := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(ALL_SRC))

.PHONY: lint $(LINT)
lint: ## gcc and clang without a warning, clang-tidy, cppcheck, format, layers, sizes, docs, scripts
	scripts/setup build lint test
	$(MAKE) -k -j$(JOBS) $(LINT)
	@echo 'lint: clean'
lint-format:
	clang-format --dry-run -Werror $(C_FILES)
lint-layers:
	scripts/check-layers
lint-sizes:
	scripts/check-sizes --self-test
	scripts/check-sizes
lint-banned:
	scripts/check-banned
lint-shell:
	grep -lE '^#!/bin/(ba)?sh' -r scripts .ci tests docker | xargs shellcheck
lint-docs: $(if $(wildcard scripts/check-docs),$(BUILD)/podgres)
	$(if $(wildcard scripts/check-docs),BUILD=$(BUILD) scripts/check-docs $(BUILD)/podgres,@:)
	scripts/check-checklist
lint-model:
	tests/model/check-table --self-test
lint-gcc: $(BUILD)/podgres $(UNIT_BIN)
lint-clang:
	$(MAKE) BUILD=$(BUILD)-clang CC=clang all unit-bins
lint-cppcheck:
	@mkdir -p $(BUILD)/cppcheck $(BUILD)/cppcheck-include/sys
	@ln -sf "$$(echo '#include <sys/queue.h>' | $(CC) -M -xc - | grep -o '/[^ ]*sys/queue.h')" $(BUILD)/cppcheck-include/sys
	cppcheck -q -j$(JOBS) --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=.cppcheck-suppressions --error-exitcode=1 -D_GNU_SOURCE -D__linux__ \
		-DPODGRES_VERSION='"$(VERSION)"' -Iinclude -I$(BUILD)/cppcheck-include --cppcheck-build-dir=$(BUILD)/cppcheck src
lint-tidy: $(TIDY)
# The object knows which headers the file reads; a file is looked at again when one of them changed.
$(BUILD)/tidy/%.ok: %.c .clang-tidy $(BUILD)/%.o
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(CPPFLAGS_ALL) -std=gnu11 $(PKG_CFLAGS) 2>$@.err || { cat $@.err; exit 1; }
	@touch $@
.PHONY: unit-bins
unit-bins: $(UNIT_BIN)

# ---- promises about the binary ----

# 600 kB was the limit while there was no archive, 1 MB before the metrics.
SIZE_LIMIT := 1400000
.PHONY: size
size: $(BUILD)/podgres ## the stripped binary stays under 1.4 MB
	@strip -o $(BUILD)/podgres.stripped $<
	@size=$$(stat -c %s $(BUILD)/podgres.stripped); \
	echo "size: $$size bytes stripped, limit $(SIZE_LIMIT)"; [ "$$size" -lt $(SIZE_LIMIT) ]

.PHONY: reproducible
reproducible: ## build twice in two places and compare every byte
	scripts/check-reproducible

# ---- install ----

BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
INSTALL ?= install
MAN_PAGES := $(wildcard man/*.[1-8])

.PHONY: install
install: all ## install under DESTDIR= PREFIX=
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(BUILD)/podgres $(DESTDIR)$(BINDIR)/podgres
	$(INSTALL) -m 755 $(BUILD)/podgres-wal $(DESTDIR)$(BINDIR)/podgres-wal
	ln -sf podgres $(DESTDIR)$(BINDIR)/kubectl-podgres
	for page in $(MAN_PAGES); do \
		dir=$(DESTDIR)$(MANDIR)/man$${page##*.}; \
		$(INSTALL) -d $$dir && $(INSTALL) -m 644 $$page $$dir || exit 1; \
	done

# ---- the demonstration ----

.PHONY: demo
demo: ## a supervised PostgreSQL in ./.demo: status, query, fence, promote; leaves it running
	+@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/demo

.PHONY: demo-pitr
demo-pitr: ## a bad migration at 13:42, and a recovery to 13:41; a minute, leaves nothing behind
	+@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/demo-pitr

.PHONY: demo-stop
demo-stop: ## end what `make demo` left running
	@scripts/demo-stop

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang $(BUILD)-cov $(BUILD)-fuzz

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(TOOL_SRC))
