# CreatorNexus: the extension is built by PGXS, the core library, the bridge and the tests of the core by CMake.
#
#   make up | down | status   a private cluster with demo data and the bridge
#   make tour                 what it can do, line by line: brings it up, and fails where a line does
#   make check                everything that proves it
#   make / make install       the extension alone, for the server that PG_CONFIG names

TASKS = up down status tour check conformance bench fuzz lint eval-hashtags crash-long media-long
.PHONY: $(TASKS)

# These need nothing but a shell, and PGXS has a 'check' of its own: it is read for the other goals only.
ifneq ($(filter $(TASKS),$(MAKECMDGOALS)),)

up:
	@scripts/up.sh
down:
	@scripts/down.sh
status:
	@scripts/status.sh
tour:
	@scripts/up.sh >/dev/null && scripts/tour.sh --run
check:
	@scripts/check.sh
conformance:
	@scripts/conformance.sh
bench:
	@scripts/bench.sh
eval-hashtags:
	@scripts/eval_hashtags.sh
fuzz:
	@scripts/fuzz.sh
lint:
	@scripts/check.sh lint
crash-long:
	@NEXUS_CRASH_KILLS=1000 NEXUS_CRASH_POSTS=20000 HTTP=test/http/021_publisher_crash.t scripts/check.sh http
	@grep '^# ' .run/check-logs/http.log
media-long:
	@NEXUS_MEDIA_FILES=1000 NEXUS_MEDIA_KILLS=100 HTTP=test/http/051_media_worker.t scripts/check.sh http
	@grep '^# ' .run/check-logs/http.log

else

EXTENSION = extension/creatornexus
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" extension/creatornexus.control)

MODULE_big = creatornexus
CORE_SOURCES := $(sort $(wildcard extension/core/*.cpp extension/core/*/*.cpp))
GLUE_SOURCES := $(sort $(wildcard extension/glue/*.cpp))
OBJS = $(CORE_SOURCES:.cpp=.o) $(GLUE_SOURCES:.cpp=.o)

INSTALL_SQL := $(sort $(wildcard sql/install/*.sql))
DATA_built = build/creatornexus--$(EXTVERSION).sql
DATA = $(wildcard sql/upgrade/*.sql)

# Up to PostgreSQL 15 PGDLLEXPORT is empty on Linux: with hidden visibility even the module's magic would vanish.
PG_CPPFLAGS = -I$(srcdir)/extension -I$(srcdir)/build/generated -DPGDLLEXPORT='__attribute__((visibility("default")))'
CXX_DIALECT = -std=c++20 -Wno-register
PG_CXXFLAGS = $(CXX_DIALECT) -Wall -Wextra -fvisibility=hidden -fvisibility-inlines-hidden -MMD -MP
SHLIB_LINK = -lutf8proc -lstdc++ -lm

# 'make installcheck' runs the regression tests against a server of yours; 00_setup makes the database they share.
REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
EXTRA_CLEAN = build $(OBJS:.o=.d)

# No bitcode for the JIT: LLVM 14 aborts the server when it plans to inline C++ that has aliases among its symbols
# (complete and base object constructors are one), and there is nothing to gain from inlining calls as large as ours.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

-include $(OBJS:.o=.d)

UNICODE_TABLES = build/generated/unicode_tables.inc
$(OBJS): | $(UNICODE_TABLES)
$(UNICODE_TABLES): scripts/unicode_tables.py
	mkdir -p $(@D)
	python3 $< > $@.tmp && mv $@.tmp $@

# A file that is gone makes nothing newer: what is built from lists of files depends on the lists too.
build/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(INSTALL_SQL) $(OBJS) > $@.tmp
	@if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi
.PHONY: FORCE
FORCE:
$(MODULE_big)$(DLSUFFIX): build/sources

build/creatornexus--$(EXTVERSION).sql: build/sources $(INSTALL_SQL) extension/creatornexus.control Makefile
	mkdir -p $(@D)
	{ printf '%s\n' '\echo Use "CREATE EXTENSION creatornexus" to load this file. \quit'; cat $(INSTALL_SQL); } > $@

endif
