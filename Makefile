# libwspool: build, test, install. `make help` lists what can be made.

# ------------------------------------------------------------ what you may set

CC       ?= cc
CLANG    ?= clang
AR       ?= ar
CFLAGS   ?= -O2 -g
CPPFLAGS ?=
LDFLAGS  ?=

PREFIX       ?= /usr/local
LIBDIR       ?= $(PREFIX)/lib
INCLUDEDIR   ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DESTDIR      ?=

# The Python of the tests: Debian's own, since that is the one that finds python3-websockets.
PYTHON ?= /usr/bin/python3
# How many compilers and tests at a time.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
# WERROR=1, or CI=1: warnings are errors. V=1: show whole commands.
WERROR ?=
CI     ?=
V      ?=

# ------------------------------- Nothing is meant to be changed below this line

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

version_part = $(shell sed -n 's/^\#define WSPOOL_VERSION_$(1) //p' include/wspool/version.h)
MAJOR   := $(call version_part,MAJOR)
VERSION := $(MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
SONAME  := libwspool.so.$(MAJOR)
SHARED  := libwspool.so.$(VERSION)

FLOORS  := base wire link channel policy pool os
SOURCES := $(sort $(foreach floor,$(FLOORS),$(wildcard lib/$(floor)/*.c)))
HEADERS := $(sort $(wildcard include/wspool/*.h))
ADAPTERS := $(sort $(wildcard include/wspool/adapters/*.h))
EXAMPLES := $(sort $(patsubst examples/%.c,%,$(wildcard examples/*.c)) \
                   $(patsubst examples/%/,%,$(dir $(wildcard examples/*/*.c))))

# Companions: a library each, on top of this one, with what it needs besides.
COMPANIONS   := json deflate
json.libs    := -ljansson
deflate.libs := -lz
# What an example, or a kind of test programs, needs beyond the library.
bench.companions := deflate
echo.companions  := deflate
cards.companions := json
cards.libs       := -lmicrohttpd
echo.libs        := -luring
load.libs        := -lz

LIBS  := -lwslay $(shell pkg-config --libs nettle 2>/dev/null || echo -lnettle)
yes    = $(filter-out 0 no false,$(1))

# What is public is declared between `#pragma GCC visibility push(default)` and pop in the public
# headers; all else stays hidden. Objects are made once, fit for the static and the shared library.
BASE  := -std=c11 -pedantic -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
         -fvisibility=hidden -fPIC -Iinclude -Ilib \
         $(if $(call yes,$(WERROR) $(CI)),-Werror)

# Tests hide nothing: one of them stands in for malloc, which libwslay.so must then see.
seen = $(if $(filter test/%,$(1)),-fvisibility=default)

# Each variant has its own compiler, flags and folder, so that sanitizer builds never mix.
# (gcc guesses wrongly about the values of variables in code that a sanitizer has rewritten.)
VARIANTS := release clang asan tsan cov fast fuzz afl
release.cc    = $(CC)
release.flags = $(CFLAGS)
clang.cc      = $(CLANG)
clang.flags   = $(CFLAGS)
asan.cc       = $(CC)
asan.flags    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -Wno-maybe-uninitialized -Wno-format-truncation \
                -DWSP_CHECK=1
tsan.cc       = $(CLANG)
tsan.flags    = -O1 -g -fsanitize=thread -pthread
cov.cc        = $(CC)
cov.flags     = -O0 -g --coverage -DWSP_CHECK=1
# Quick to build and to run, for test/mutants/sample.
fast.cc       = $(CC)
fast.flags    = -O1 -DWSP_CHECK=1
fuzz.cc       = $(CLANG)
fuzz.flags    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
                -fsanitize-coverage-ignorelist=test/fuzz/ignored.txt -fno-sanitize-recover=all \
                -DWSP_CHECK=1
afl.cc        = AFL_QUIET=1 afl-clang-fast
afl.flags     = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -DWSP_CHECK=1

Q   := $(if $(call yes,$(V)),,@)
say  = $(if $(Q),@echo "  $(1)")
# Rewrites a file only when its contents change; what depends on it is made again then.
define stamp
@mkdir -p $(@D)
@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@
endef

.PHONY: all lib deps demo check check-programs conformance mutants bench costs coverage \
        fast-tests mutation-sample lint format install uninstall stage clean help FORCE

all: lib $(EXAMPLES:%=build/examples/%)
lib: build/libwspool.a build/libwspool.so build/$(SONAME) build/wspool.pc \
     $(foreach c,$(COMPANIONS),build/libwspool_$(c).a build/libwspool_$(c).so build/wspool_$(c).pc)

# --------------------------------------------------------------------- objects

# build/VARIANT/flags holds the command that compiles and the libraries that are linked: change
# either, and all is made again (but for test/mutants/run, whose mutants may give warnings).
define variant
build/$(1)/flags: $(if $(KEEP_FLAGS),,FORCE)
	$$(call stamp,'$$($(1).cc) $$(strip $$(BASE) $$($(1).flags) $$(CPPFLAGS))' '$$(LDFLAGS) $$(LIBS)')

build/$(1)/%.o: %.c build/$(1)/flags
	$$(call say,CC     $(1) $$<)
	@mkdir -p $$(@D)
	$$(Q)$$($(1).cc) $$(BASE) $$($(1).flags) $$(CPPFLAGS) $$(call seen,$$<) -MMD -MP -c -o $$@ $$<

build/$(1)/members: FORCE
	$$(call stamp,$$(SOURCES))

build/$(1)/libwspool.a: $$(SOURCES:%.c=build/$(1)/%.o) build/$(1)/members
	$$(call say,AR     $$@)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach v,$(VARIANTS),$(eval $(call variant,$(v))))

# ------------------------------------------------------------------- libraries

build/libwspool.a: build/release/libwspool.a
	$(Q)ln -f $< $@

build/$(SHARED): build/release/libwspool.a lib/wspool.map
	$(call say,LD     $@)
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/wspool.map \
	    -Wl,-z,defs $(LDFLAGS) -o $@ $(SOURCES:%.c=build/release/%.o) $(LIBS)

build/$(SONAME) build/libwspool.so: build/$(SHARED)
	$(Q)ln -sf $(SHARED) $@

companion_objects = $(patsubst %.c,build/$(2)/%.o,$(sort $(wildcard lib/$(1)/*.c)))

define companion_variant # companion, variant
build/$(2)/libwspool_$(1).a: $$(call companion_objects,$(1),$(2))
	$$(call say,AR     $$@)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
define companion
build/libwspool_$(1).a: build/release/libwspool_$(1).a
	$$(Q)ln -f $$< $$@

build/libwspool_$(1).so.$(VERSION): build/release/libwspool_$(1).a lib/$(1)/wspool_$(1).map \
                                    build/libwspool.so build/$(SONAME)
	$$(call say,LD     $$@)
	$$(Q)$$(CC) $$(CFLAGS) -shared -Wl,-soname,libwspool_$(1).so.$(MAJOR) \
	    -Wl,--version-script=lib/$(1)/wspool_$(1).map -Wl,-z,defs $$(LDFLAGS) -o $$@ \
	    $$(call companion_objects,$(1),release) -Lbuild -lwspool $$($(1).libs)

build/libwspool_$(1).so: build/libwspool_$(1).so.$(VERSION)
	$$(Q)ln -sf libwspool_$(1).so.$(VERSION) build/libwspool_$(1).so.$(MAJOR)
	$$(Q)ln -sf libwspool_$(1).so.$(VERSION) $$@
endef
$(foreach c,$(COMPANIONS),$(eval $(call companion,$(c))))
$(foreach c,$(COMPANIONS),$(foreach v,$(VARIANTS),$(eval $(call companion_variant,$(c),$(v)))))

build/wspool.pc.vars: FORCE
	$(call stamp,'$(VERSION) $(PREFIX) $(LIBDIR) $(INCLUDEDIR)')

build/%.pc: pkgconfig/%.pc.in build/wspool.pc.vars
	$(Q)sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' \
	    -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' $< > $@

# -------------------------------------------------------------------- examples

# An example is a file, or a folder whose .c files are one program. It is linked with the static
# library, so that it runs from where it is. The loop tests also drive it under the sanitizers.
objects    = $(patsubst %.c,build/$(1)/%.o,$(sort $(wildcard $(2))))
of_example = $(call objects,$(1),examples/$(2).c examples/$(2)/*.c) \
             $(foreach c,$($(2).companions),build/$(1)/libwspool_$(c).a) build/$(1)/libwspool.a
libs_beside = $($(1).libs) $(foreach c,$($(1).companions),$($(c).libs))

define example
build/examples/$(1): $$(call of_example,release,$(1))
	$$(call say,LD     $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(release.cc) $$(release.flags) -o $$@ $$^ $$(LDFLAGS) $$(LIBS) $$(call libs_beside,$(1))

build/examples-asan/$(1): $$(call of_example,asan,$(1))
	$$(call say,LD     $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(asan.cc) $$(asan.flags) -o $$@ $$^ $$(LDFLAGS) $$(LIBS) $$(call libs_beside,$(1))
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))

# -------------------------------------------------------------- test programs

# test/KIND/test_*.c (test/bench/bench_*.c) are programs. The other .c files of the folder are
# linked into each of them; those of test/sim serve other kinds too, but not
# bench, which would get the malloc of test/sim/heap.c.
KINDS    := unit sim laws hostile oom threads loop bench $(COMPANIONS)
programs  = $(patsubst %.c,%,$(sort $(wildcard test/$(1)/test_*.c test/$(1)/bench_*.c)))
support   = $(filter-out test_% bench_%,$(notdir $(wildcard test/$(1)/*.c)))
libs_of   = $(if $(filter bench,$(1)),,-lcmocka) -pthread $(LIBS) \
            $(foreach c,$(call beside,$(1)),$($(c).libs)) $(if $(filter loop,$(1)),-luring)
# A companion's own tests are linked with it; other kinds say what they need above.
beside    = $(filter $(COMPANIONS),$(1)) $($(1).companions)

define world
build/$(1)/test/world.members: FORCE
	$$(call stamp,$$(call support,sim))

build/$(1)/test/world.a: $$(patsubst %.c,build/$(1)/test/sim/%.o,$$(call support,sim)) \
                         build/$(1)/test/world.members
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef

define program # variant, kind, path without .c
build/$(1)/$(3): build/$(1)/$(3).o $$(if $$(filter bench,$(2)),,build/$(1)/test/tools/test.o) \
                 $$(patsubst %.c,build/$(1)/test/$(2)/%.o,$$(call support,$(2))) \
                 $$(if $$(filter unit sim bench,$(2)),,build/$(1)/test/world.a) \
                 $$(foreach c,$$(call beside,$(2)),build/$(1)/libwspool_$$(c).a) \
                 build/$(1)/libwspool.a
	$$(call say,LD     $$@)
	$$(Q)$$($(1).cc) $$($(1).flags) -o $$@ $$^ $$(LDFLAGS) $$(call libs_of,$(2))
endef
$(foreach v,$(VARIANTS),$(eval $(call world,$(v))))
$(foreach v,$(VARIANTS),$(foreach k,$(KINDS),$(foreach p,$(call programs,$(k)),\
    $(eval $(call program,$(v),$(k),$(p))))))

# The socket benchmark: a floor to measure against, and the load. test/bench/net/run drives them.
NET_BENCH := $(patsubst %.c,build/release/%,$(sort $(wildcard test/bench/net/*.c)))

$(NET_BENCH): build/release/%: build/release/%.o
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(LDFLAGS) $($(@F).libs)

# Costs are counted in the release build; the linker leads each system call to the counter.
COSTS      := build/release/test/costs/costs
costs_wrap := send sendto sendmsg write writev recv recvmsg read readv epoll_wait epoll_ctl accept4 \
              setsockopt shutdown close wspool_clock

$(COSTS): %: %.o build/release/libwspool.a
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(costs_wrap:%=-Wl,--wrap=%) $(LDFLAGS) $(LIBS)

# valgrind runs the release program; the folder tells test/tools/run-test so.
build/valgrind/%: build/release/%
	@mkdir -p $(@D)
	$(Q)ln -f $< $@

of_kinds        = $(foreach k,$(2),$(addprefix build/$(1)/,$(call programs,$(k))))
ASAN_TESTS     := $(call of_kinds,asan,loop unit sim laws hostile oom $(COMPANIONS))
TSAN_TESTS     := $(call of_kinds,tsan,threads)
VALGRIND_TESTS := $(call of_kinds,valgrind,sim) build/valgrind/test/loop/test_thousand
# Memory that wslay asks for can only be made to fail where no sanitizer has taken malloc over.
RELEASE_TESTS  := $(call of_kinds,release,oom hostile) build/release/test/json/test_memory
COV_TESTS      := $(call of_kinds,cov,unit sim laws hostile oom $(COMPANIONS))
FAST_TESTS     := $(call of_kinds,fast,unit sim laws hostile oom $(COMPANIONS))
BENCHES        := $(call of_kinds,release,bench)
ABI_TESTS      := $(sort $(wildcard test/abi/*.py test/laws/*.py test/costs/*.py))
LOOP_TESTS     := $(sort $(wildcard $(foreach e,sh py js mjs,\
                    $(foreach k,loop conformance browser,test/$(k)/test_*.$(e)))))

include test/fuzz/fuzz.mk

# Everything compiles with clang too, tests and examples included.
CLANG_OBJECTS  := $(call objects,clang,lib/*/*.c examples/*.c examples/*/*.c test/*/*.c \
                           test/bench/net/*.c)

# ---------------------------------------------------------------------- checks

# A make inside this one gets its jobs from the outer one, if that has any to give.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
strict   = WERROR=$(if $(WERROR),$(WERROR),1)

deps:
	@PYTHON='$(PYTHON)' test/tools/deps build check lint

demo:
	@test/tools/deps build
	@$(MAKE) --no-print-directory $(parallel) all
	@test/tools/demo

# All proofs; the last lines are those of prove. The sub-make comes after deps, which may have
# installed the compiler that it needs.
check:
	@PYTHON='$(PYTHON)' test/tools/deps build check
	@$(MAKE) --no-print-directory $(parallel) $(strict) check-programs
	@MAKEFLAGS= MAKELEVEL= $(strict) PYTHON='$(PYTHON)' CC='$(CC)' \
	    WSPOOL_COMPANIONS='$(COMPANIONS)' \
	    prove --timer -j$(JOBS) --exec '$(PYTHON) test/tools/run-test' \
	    $(LOOP_TESTS) $(VALGRIND_TESTS) $(TSAN_TESTS) $(RELEASE_TESTS) $(ASAN_TESTS) \
	    $(FUZZ_TESTS) $(ABI_TESTS) test/mutants/run

check-programs: all stage $(CLANG_OBJECTS) $(ASAN_TESTS) $(TSAN_TESTS) $(VALGRIND_TESTS) \
                $(RELEASE_TESTS) $(FUZZ_TESTS) $(BENCHES) $(NET_BENCH) $(COSTS) \
                $(EXAMPLES:%=build/examples-asan/%)

# What a user would get, for the tests that build against it.
stage: lib
	$(Q)rm -rf build/stage
	$(Q)$(MAKE) --no-print-directory -s install DESTDIR=build/stage PREFIX=/usr/local

# The server as it is shipped against RFC 6455 and RFC 7692: every case, in every chunking. Where
# there is a wstest, the Autobahn testsuite has its say too.
conformance: build/examples/echo
	@WSPOOL_COMPANIONS='$(COMPANIONS)' prove --timer --exec '$(PYTHON) test/tools/run-test' \
	    test/conformance/test_conformance.py :: --full
	@TEST_TIMEOUT=1800 prove --timer --exec '$(PYTHON) test/tools/run-test' \
	    test/conformance/autobahn.py

# The tests against a library that is broken on purpose: more ways than make check has time for.
mutants:
	@PYTHON='$(PYTHON)' test/tools/deps build check
	@$(MAKE) --no-print-directory $(parallel) $(strict) check-programs
	@MAKEFLAGS= MAKELEVEL= $(strict) TEST_TIMEOUT=3600 \
	    $(PYTHON) test/tools/run-test test/mutants/run --all

# BENCH_ROWS=fanout,echo and BENCH_FLAGS='--reps 9' go to test/bench/net/run.
bench: $(BENCHES) $(NET_BENCH) build/examples/echo
	@for bench in $(BENCHES); do $$bench || exit 1; done
	@$(PYTHON) test/bench/net/run $(if $(BENCH_ROWS),--rows '$(BENCH_ROWS)') $(BENCH_FLAGS)

# What may not grow: counted, and written into README.md, where make check looks.
costs: $(COSTS)
	@$(PYTHON) test/costs/costs.py --write

coverage: $(COV_TESTS)
	@find build/cov -name '*.gcda' -delete
	@prove -j$(JOBS) --exec '$(PYTHON) test/tools/run-test' $^
	@$(PYTHON) test/tools/coverage build/cov

# N places of lib/, chosen by SEED, each broken in its turn: how many does a test see?
N    ?= 200
SEED ?= 1
fast-tests: $(FAST_TESTS)
mutation-sample:
	@nice -n 5 $(PYTHON) test/mutants/sample -n $(N) --seed $(SEED)

lint:
	@test/tools/deps build lint
	@test/tools/lint -j$(JOBS)

format:
	@find include lib examples test -name '*.[ch]' -exec clang-format -i {} +

# --------------------------------------------------------------------- install

install: lib
	install -d '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(PKGCONFIGDIR)' \
	    '$(DESTDIR)$(INCLUDEDIR)/wspool/adapters'
	install -m 644 $(HEADERS) '$(DESTDIR)$(INCLUDEDIR)/wspool'
	$(if $(ADAPTERS),install -m 644 $(ADAPTERS) '$(DESTDIR)$(INCLUDEDIR)/wspool/adapters')
	install -m 644 build/libwspool.a '$(DESTDIR)$(LIBDIR)'
	install -m 755 build/$(SHARED) '$(DESTDIR)$(LIBDIR)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/libwspool.so'
	install -m 644 build/wspool.pc $(COMPANIONS:%=build/wspool_%.pc) '$(DESTDIR)$(PKGCONFIGDIR)'
	for c in $(COMPANIONS); do \
	    install -m 644 build/libwspool_$$c.a '$(DESTDIR)$(LIBDIR)' && \
	    install -m 755 build/libwspool_$$c.so.$(VERSION) '$(DESTDIR)$(LIBDIR)' && \
	    ln -sf libwspool_$$c.so.$(VERSION) '$(DESTDIR)$(LIBDIR)'/libwspool_$$c.so.$(MAJOR) && \
	    ln -sf libwspool_$$c.so.$(VERSION) '$(DESTDIR)$(LIBDIR)'/libwspool_$$c.so || exit 1; \
	done

uninstall:
	cd '$(DESTDIR)$(LIBDIR)' && rm -f libwspool.a libwspool.so $(SONAME) $(SHARED) \
	    $(foreach c,$(COMPANIONS),libwspool_$(c).a libwspool_$(c).so libwspool_$(c).so.*)
	cd '$(DESTDIR)$(PKGCONFIGDIR)' && rm -f wspool.pc $(COMPANIONS:%=wspool_%.pc)
	rm -rf '$(DESTDIR)$(INCLUDEDIR)/wspool'

clean:
	rm -rf build

help:
	@echo 'make            the libraries and the examples, in build/'
	@echo 'make demo       sets up, builds, runs the cards board on http://127.0.0.1:3001'
	@echo 'make check      sets up, builds with gcc and clang, runs every test'
	@echo 'make deps       installs the Debian packages that are missing for all of this'
	@echo 'make conformance  the echo server against RFC 6455 and RFC 7692, in full'
	@echo 'make mutants    breaks the library on purpose, in every way that the tests must see'
	@echo 'make bench      what it costs: in memory, then over sockets (BENCH_ROWS=fanout,echo)'
	@echo 'make costs      calls, instructions, allocations: counted, into the table of README.md'
	@echo 'make coverage   which lines the tests reach, and why not the others'
	@echo 'make mutation-sample   how many of N=$(N) faults, by chance from SEED=$(SEED), a test sees'
	@echo 'make fuzz       FUZZ="http pool" FUZZ_TIME=60 (seconds each) ENGINE=libfuzzer|afl'
	@echo 'make fuzz-planted  what the fuzzers find when a bug is put there on purpose'
	@echo 'make lint       clang-format, clang-tidy and cppcheck; make format puts the layout right'
	@echo 'make install    PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR); make uninstall'
	@echo 'make clean      removes build/'
	@echo
	@echo 'CC, CLANG, CFLAGS, CPPFLAGS, LDFLAGS, JOBS, WERROR=1 and V=1 do what they say.'

-include $(shell find $(wildcard $(VARIANTS:%=build/%)) -name '*.d' 2>/dev/null)
