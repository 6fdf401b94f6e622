# pushpipe: `make help' lists the targets.

# --- what there is -----------------------------------------------------------

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.PHONY: all help demo check check-crash units unit lint flags format fuzz fuzzers coverage \
	distcheck check-debian13 check-compose check-chart check-deb check-jenkinsfile check-monitoring check-sentry \
	bench-send bench-stages install uninstall clean deps-build deps-run deps-test deps-lint FORCE

VERSION := $(shell cat VERSION)
STAGES  := $(patsubst stages/%.c,%,$(wildcard stages/push-*.c))
UNITS   := $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
FUZZERS := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))
LIB_SRC := $(wildcard lib/*/*.c)
ASSETS  := $(wildcard lib/*/*.lua lib/stats/page/*)
MOCK_SRC := $(wildcard test/mock/*.c)
PAGES   := $(wildcard man/*.[157])
PKGS    := hiredis libcurl libssl libcrypto libnghttp2 libpcre2-8 libmicrohttpd lmdb yyjson
OPTIONAL_PKGS := hiredis_ssl

# --- how it is built ---------------------------------------------------------

BUILD   := build
BIN     := bin
comma   := ,
ifdef SANITIZE
BUILD   := build/$(subst $(comma),-,$(SANITIZE))
BIN     := $(BUILD)/bin
EXTRA   := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef COVERAGE
BUILD   := build/coverage
BIN     := $(BUILD)/bin
EXTRA   := --coverage
endif
ifneq ($(V),1)
Q   := @
say  = @printf '  %-6s %s\n' $(1) $(2);
endif

CC     ?= cc
ifeq ($(origin CC),default)
CC     := cc
endif
AR     ?= ar
CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wswitch-enum
ifeq ($(WERROR),1)
WARN   += -Werror
endif
HARDEN := -fstack-protector-strong -fno-common -fPIE
ifndef SANITIZE
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

# Asked only when something is to be compiled, so that `make help', `install' of
# a built tree and the targets that install the packages work without them.
ifeq ($(filter help clean demo check lint format fuzz coverage distcheck check-% deps-%,$(MAKECMDGOALS)),)
MISSING := $(strip $(foreach p,$(PKGS),$(shell pkg-config --exists $(p) || echo $(p))))
ifneq ($(MISSING),)
$(error missing development packages: $(MISSING); run: scripts/deps build)
endif
FOUND      := $(PKGS) $(foreach p,$(OPTIONAL_PKGS),$(shell pkg-config --exists $(p) && echo $(p)))
PKG_CFLAGS := $(shell pkg-config --cflags $(FOUND)) \
	$(patsubst %,-DHAVE_%=1,$(shell echo $(filter $(OPTIONAL_PKGS),$(FOUND)) | tr a-z A-Z))
PKG_LIBS   := -Wl,--as-needed $(shell pkg-config --libs $(FOUND)) -lm
endif

OUR_CPPFLAGS := -Ilib -D_POSIX_C_SOURCE=200809L -DPUSH_VERSION='"$(VERSION)"'
OUR_CFLAGS := -std=c11 $(WARN) $(HARDEN) $(EXTRA) $(PKG_CFLAGS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
LINK    = $(CC) $(EXTRA) $(CFLAGS) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

# --- rules -------------------------------------------------------------------

all: $(BUILD)/libpush.a $(STAGES:%=$(BIN)/%) $(if $(MOCK_SRC),$(BIN)/push-mock) ## build every program

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{ printf "  %-17s %s\n", $$1, $$2 }' Makefile

# Static pattern rules name every object, so none is an intermediate file.
ASSET_OBJ := $(ASSETS:%=$(BUILD)/%.o)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(ASSET_OBJ)
MOCK_OBJ := $(MOCK_SRC:%.c=$(BUILD)/%.o)
OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(MOCK_OBJ) $(STAGES:%=$(BUILD)/stages/%.o) \
	$(UNITS:%=$(BUILD)/test/unit/%.o)

$(OBJ): $(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -MMD -MP -c -o $@ $<

$(ASSET_OBJ): $(BUILD)/%.o: % $(BUILD)/flags scripts/embed
	@mkdir -p $(@D)
	$(call say,EMBED,$<)scripts/embed $< >$(BUILD)/$*.c && $(COMPILE) -c -o $@ $(BUILD)/$*.c

$(BUILD)/libpush.a: $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(STAGES:%=$(BIN)/%): $(BIN)/%: $(BUILD)/stages/%.o $(BUILD)/libpush.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK)

$(BIN)/push-mock: $(MOCK_OBJ) $(BUILD)/libpush.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK)

$(UNITS:%=$(BUILD)/test/unit/%): %: %.o $(BUILD)/libpush.a
	$(call say,LD,$@)$(LINK)

# Written only when the flags differ, so that a change of flags rebuilds.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE))' >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

-include $(OBJ:.o=.d)

# --- checks ------------------------------------------------------------------

PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

deps-build: ; @scripts/deps build
deps-run: ; @scripts/deps build run
deps-test: ; @scripts/deps test
deps-lint: ; @scripts/deps lint

demo: deps-run ## install what is missing, build, run the whole chain on real input
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@scripts/demo

check: deps-test ## install what the tests need, build, run every test (ONLY=part-of-a-name)
	@$(MAKE) --no-print-directory $(PARALLEL) all units
	@scripts/check '$(BUILD)' '$(BIN)' $(ONLY)

check-crash: deps-test ## kill and stop everything at random under load (SEED, CRASH_TASKS, CRASH_KILLS)
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@PUSH_BIN='$(BIN)' scripts/check-crash

units: $(UNITS:%=$(BUILD)/test/unit/%)

unit: units ## C unit tests
	$(Q)set -e; for t in $(UNITS:%=$(BUILD)/test/unit/%); do $$t; done

lint: deps-lint ## formatting, analysers, pages, layers (ONLY=names of checks)
	@scripts/lint $(ONLY)

flags: # for scripts/lint
	@echo '$(filter-out -DPUSH_VERSION%,$(OUR_CPPFLAGS)) -std=c11 $(WARN) $(PKG_CFLAGS)'

format: ## rewrite the sources in the house format
	clang-format -i $(wildcard lib/*/*.[ch] stages/*.c test/*/*.[ch])

coverage: deps-test ## run every test, print how much of each file ran
	@$(MAKE) --no-print-directory $(PARALLEL) all units COVERAGE=1
	@find build/coverage -name '*.gcda' -delete
	@scripts/check build/coverage build/coverage/bin $(ONLY)
	@scripts/coverage build/coverage

check-debian13: ## build, test and package in a bare Debian 13, with Redis and Valkey (root)
	@scripts/check-debian13 $(ONLY)

check-compose: ## build the images, run docker-compose.yml, kill every service (root)
	@scripts/check-compose

check-chart: ## lint, render and type-check the Helm chart (npm, root)
	@scripts/check-chart

check-deb: ## build the Debian packages, lint, install, start, upgrade and purge them (root)
	@scripts/check-deb

check-jenkinsfile: ## parse the Jenkinsfile, walk through it
	@scripts/check-jenkinsfile

check-sentry: ## let Sentry's own development server read what push-sentry sends (npm, root)
	@scripts/check-sentry

check-monitoring: ## scrape the running chain with a real Prometheus: metrics, alerts, dashboard
	@scripts/check-monitoring

bench-stages: deps-test ## CPU per record of each policy stage, against cat and jq -c (QUICK=1)
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@PUSH_BIN='$(abspath $(BIN))' test/bench/stages $(if $(QUICK),--quick,--out docs/bench-stages.txt)

bench-send: deps-test ## CPU and memory of a notification: push-apns, h2load, node-apn, apns2 (QUICK=1)
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@PUSH_BIN='$(BIN)' test/bench/peers/install build/peers
	@PUSH_BIN='$(BIN)' test/bench/send $(if $(QUICK),--quick,--out docs/bench-send.txt)

distcheck: deps-build ## build, install and run from nothing but the tracked files
	@scripts/distcheck

FUZZ_BUILD := build/fuzz
fuzz: deps-lint ## fuzz each parser; FUZZ_SECONDS=60 each
	@$(MAKE) --no-print-directory $(PARALLEL) fuzzers CC=clang BUILD=$(FUZZ_BUILD) \
		SANITIZE=fuzzer-no-link,address,undefined
	@scripts/fuzz $${FUZZ_SECONDS:-60} $(FUZZERS:%=$(FUZZ_BUILD)/test/fuzz/%)

fuzzers: $(FUZZERS:%=$(BUILD)/test/fuzz/%)
$(FUZZERS:%=$(BUILD)/test/fuzz/%): $(BUILD)/test/fuzz/%: test/fuzz/%.c $(wildcard test/fuzz/*.h) $(BUILD)/libpush.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)$(COMPILE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(filter-out %.h,$^) $(PKG_LIBS) $(LDLIBS)

# --- install -----------------------------------------------------------------

COMPLETIONS := $(patsubst %,$(BUILD)/completions/%,$(STAGES) push-mock)
$(COMPLETIONS): $(BUILD)/completions/%: $(BIN)/% scripts/completion
	@mkdir -p $(@D)
	$(call say,MAKE,$@)scripts/completion $< >$@

install: all $(COMPLETIONS) ## install programs, pages, completion; PREFIX, DESTDIR, BINDIR, MANDIR
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(STAGES:%=$(BIN)/%) $(BIN)/push-mock $(DESTDIR)$(BINDIR)
	for p in $(PAGES); do install -D -m 644 $$p $(DESTDIR)$(MANDIR)/man$${p##*.}/$${p##*/} || exit; done
	install -d $(DESTDIR)$(COMPLETIONDIR)
	install -m 644 $(COMPLETIONS) $(DESTDIR)$(COMPLETIONDIR)

uninstall: ## remove what install put there
	rm -f $(STAGES:%=$(DESTDIR)$(BINDIR)/%) $(DESTDIR)$(BINDIR)/push-mock
	for p in $(PAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$${p##*/}; done
	rm -f $(COMPLETIONS:$(BUILD)/completions/%=$(DESTDIR)$(COMPLETIONDIR)/%)

clean: ## remove what was built
	rm -rf build $(filter-out bin/.gitignore,$(wildcard bin/*))
