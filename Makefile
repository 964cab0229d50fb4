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
PKG_CONFIG ?= pkg-config

# net and pg, store and service ... do not see each other; scripts/check-layers says who may see whom.
LAYERS := cmd deploy service store pg net sys core base

# libpq and libmicrohttpd are loaded by the one service that uses them (src/sys/dynlib.c): linking
# them would cost every process more than a megabyte of relocated pages.
LINK_PKGS := libcjson yaml-0.1 zlib
HEADER_PKGS := libpq libmicrohttpd gnutls
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LINK_PKGS) $(HEADER_PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LINK_PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wformat=2 -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla -Wnull-dereference \
	-Wimplicit-fallthrough -Werror
ARCH := $(shell uname -m)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE \
	$(if $(SAN),,-D_FORTIFY_SOURCE=2) $(if $(filter x86_64,$(ARCH)),-fcf-protection=full)
OPT ?= -O2 -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DPODGRES_VERSION='"$(VERSION)"' -Iinclude $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(OPT) $(WARN) $(HARDEN) -ffunction-sections -fdata-sections -fno-common \
	-ffile-prefix-map=$(CURDIR)=. $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed,--build-id=sha1 \
	$(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

src_of = $(sort $(wildcard src/$(1)/*.c))
obj_of = $(patsubst %.c,$(BUILD)/%.o,$(call src_of,$(1)))
lib_of = $(BUILD)/lib$(1).a
MAIN_OBJ := $(BUILD)/src/cmd/main.o

ALL_SRC := $(foreach l,$(LAYERS),$(call src_of,$(l)))
ALL_LIBS := $(foreach l,$(LAYERS),$(lib_of))
LIBS := $(foreach l,$(LAYERS),$(call lib_of,$(l)))

.PHONY: all
all: $(BUILD)/podgres ## build podgres

$(BUILD)/podgres: $(MAIN_OBJ) $(LIBS)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(MAIN_OBJ) -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS) -lm

define layer_rule
$(call lib_of,$(1)): $(filter-out $(MAIN_OBJ),$(call obj_of,$(1)))
	@rm -f $$@
	@mkdir -p $$(@D)
	ar rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

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
	$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS) -lcmocka -lm
endef
$(foreach t,$(patsubst tests/unit/%.c,%,$(UNIT_SRC)),$(eval $(call unit_rule,$(t))))

.PHONY: check
check: $(filter $(BUILD)/unit/$(T)%,$(UNIT_BIN)) ## unit tests; T=base/buf runs those that begin so
	@scripts/run-unit $^

.PHONY: check-asan
check-asan: ## unit tests under AddressSanitizer and UBSan
	$(MAKE) BUILD=$(BUILD)-asan SAN=address,undefined OPT='-O1 -g' check T=$(T)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-asan

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRC) $(UNIT_SRC))
