# Builds the test programs and runs the tests. The Makefile includes this file and has the libraries
# and the examples. test/README.md describes the folders.

CLANG  ?= clang
# The Python of the tests: Debian's own, because it finds python3-websockets.
PYTHON ?= /usr/bin/python3

.PHONY: deps check check-programs nightly conformance mutants attack bench costs \
        coverage fast-tests mutation-sample lint format stage foreign msan

# -------------------------------------------------------------------- variants

# Sanitizers need line numbers (-g1). Full debug information compiles slower: use make -B
# ASAN_DEBUG=-g for a debugger. gcc's two disabled warnings are wrong for code that a sanitizer has
# rewritten.
ASAN_DEBUG    ?= -g1
TEST_VARIANTS := clang asan tsan msan cov fast fuzz afl i386 s390x
VARIANTS      += $(TEST_VARIANTS)
clang.cc      = $(CLANG)
clang.flags   = $(CFLAGS)
asan.cc       = $(CC)
asan.flags    = -O1 $(ASAN_DEBUG) -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -Wno-maybe-uninitialized -Wno-format-truncation \
                -DWSP_CHECK=1
tsan.cc       = $(CLANG)
tsan.flags    = -O1 -g -fsanitize=thread -pthread
# tools/boundary.c stands between the programs and the libraries that clang has not compiled.
msan.cc       = $(CLANG)
msan.flags    = -O1 -g1 -fno-omit-frame-pointer -fsanitize=memory \
                -fsanitize-memory-track-origins -DWSP_CHECK=1 -DTEST_LEAVES_MEMORY=1
msan.objects  = build/msan/test/tools/boundary.o
msan.wrap     = wslay_frame_context_init wslay_frame_recv nettle_sha1_init nettle_sha1_update \
                nettle_sha1_digest nettle_base64_encode_raw deflateInit2_ deflate inflateInit2_ \
                inflate
msan.libs     = -lz
cov.cc        = $(CC)
cov.flags     = -O0 -g --coverage -DWSP_CHECK=1
# Fast to build and to run, for test/mutants/sample.
fast.cc       = $(CC)
fast.flags    = -O1 -DWSP_CHECK=1
fuzz.cc       = $(CLANG)
fuzz.flags    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
                -fsanitize-coverage-ignorelist=test/fuzz/ignored.txt -fno-sanitize-recover=all \
                -DWSP_CHECK=1
afl.cc        = AFL_QUIET=1 afl-clang-fast
afl.flags     = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -DWSP_CHECK=1
# 32 bits, and the other byte order. test/tools/foreign fetches the libraries.
foreign       = -O1 -g1 -DWSP_CHECK=1 -isystem build/foreign/$(1)/usr/include \
                -Lbuild/foreign/$(1)/all -Wl,-rpath-link,build/foreign/$(1)/all
i386.cc       = i686-linux-gnu-gcc
i386.flags    = $(call foreign,i386) -Wno-psabi
s390x.cc      = s390x-linux-gnu-gcc
s390x.flags   = $(call foreign,s390x)

# Symbols of tests are visible: one test replaces malloc, and libwslay.so must use that malloc.
$(VARIANTS:%=build/%/test/%.o): TEST_FLAGS = -fvisibility=default

$(foreach v,$(TEST_VARIANTS),$(eval $(call variant,$(v))))
$(foreach v,$(TEST_VARIANTS),$(foreach l,$(LIBRARIES),$(eval $(call archive,$(v),$(l)))))
$(foreach e,$(EXAMPLES),$(eval $(call example,asan,examples-asan,$(e))))

# -------------------------------------------------------------- test programs

# test/KIND/test_*.c (test/bench/bench_*.c) are programs. The other .c files of the folder are
# linked into each of them. Those of test/sim are linked into other kinds too, but not into bench,
# which must not get the malloc of test/sim/heap.c.
KINDS    := unit sim model clients laws hostile oom threads loop storm bench $(COMPANIONS)
programs  = $(patsubst %.c,%,$(sort $(wildcard test/$(1)/test_*.c test/$(1)/bench_*.c)))
support   = $(filter-out test_% bench_% check_%,$(notdir $(wildcard test/$(1)/*.c)))
# What a kind, or a program of test/bench/net, needs besides. A companion's own tests link the
# companion.
sim.objects   := $(patsubst %,test/model/%.o,model positions members keys actions)
storm.objects := $(sim.objects) test/model/judge.o
$(foreach c,$(COMPANIONS),$(eval $(c).companions += $(c)))
bench.companions := deflate jwt
clients.companions := json sockets
loop.companions  := deflate sockets uring
storm.companions := json sockets
test_tls.libs    := -lssl -lcrypto
test_constant_time.libs := -Wl,--wrap=nettle_memeql_sec
# Calls that test/loop/net.c stands in for.
loop.wrap := accept4 send sendmsg epoll_wait epoll_pwait2 wspool_clock \
             wspool_sockets_new wspool_sockets_turn
net_load.libs    := -lz

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
                 $$(patsubst %.c,build/$(1)/test/$(2)/%.o,$$(call support,$(2))) $$($(1).objects) \
                 $$($(2).objects:%=build/$(1)/%) \
                 $$(if $$(filter unit sim model bench,$(2)),,build/$(1)/test/world.a) \
                 $$(call companion_archives,$(1),$(2)) build/$(1)/libwspool.a
	$$(call say,LD     $$@)
	$$(Q)$$($(1).cc) $$($(1).flags) -o $$@ $$^ $$($(2).wrap:%=-Wl,--wrap=%) \
	    $$($(1).wrap:%=-Wl,--wrap=%) $$(LDFLAGS) $(if $(filter bench,$(2)),,-lcmocka) \
	    -pthread $$(LIBS) $$(call libs_besides,$(2)) $$($(1).libs) $$($$(@F).libs)
endef
$(foreach v,$(VARIANTS),$(eval $(call world,$(v))))
$(foreach v,$(VARIANTS),$(foreach k,$(KINDS),$(foreach p,$(call programs,$(k)),\
    $(eval $(call program,$(v),$(k),$(p))))))

# Judges a log of deliveries: build/release/test/model/check_log < LOG
CHECK_LOG := build/release/test/model/check_log

$(CHECK_LOG): $(patsubst %,build/release/test/model/%.o,check_log judge model positions members keys actions)
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(LDFLAGS)

# The socket benchmark: the floor to compare with, and the load generator. test/bench/net/run starts
# them.
NET_BENCH := $(patsubst %.c,build/release/%,$(sort $(wildcard test/bench/net/*.c)))

$(NET_BENCH): build/release/%: build/release/%.o
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(LDFLAGS) $(net_$(@F).libs)

# The attack load: honest peers measure a server of examples/ while others attack it.
ATTACK := build/release/test/hostile/load/load

$(ATTACK): $(patsubst %.c,build/release/%.o,$(sort $(wildcard test/hostile/load/*.c)))
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(LDFLAGS) -lz

# Costs are counted in the release build; the linker redirects each system call to the counter.
COSTS      := build/release/test/costs/costs
costs_wrap := send sendto sendmsg write writev recv recvmsg read readv epoll_wait epoll_ctl accept4 \
              setsockopt shutdown close wspool_clock

$(COSTS): %: %.o build/release/libwspool_jwt.a build/release/libwspool_sockets.a \
          build/release/libwspool.a
	$(call say,LD     $@)
	$(Q)$(release.cc) $(release.flags) -o $@ $^ $(costs_wrap:%=-Wl,--wrap=%) $(LDFLAGS) $(LIBS) \
	    $(jwt.libs)

# valgrind runs the release program. The folder tells test/tools/run-test to use valgrind.
build/valgrind/%: build/release/%
	@mkdir -p $(@D)
	$(Q)ln -f $< $@

EVERY_KIND     := unit sim model clients laws hostile oom $(COMPANIONS)
of_kinds        = $(foreach k,$(2),$(addprefix build/$(1)/,$(call programs,$(k))))
ASAN_TESTS     := $(call of_kinds,asan,loop storm $(EVERY_KIND))
TSAN_TESTS     := $(call of_kinds,tsan,threads)
VALGRIND_TESTS := $(call of_kinds,valgrind,sim) build/valgrind/test/jwt/test_constant_time
# wslay's allocations can be made to fail only in a build without a sanitizer, which replaces
# malloc.
RELEASE_TESTS  := $(call of_kinds,release,oom hostile) build/release/test/json/test_memory \
                  build/release/test/clients/test_contract
COV_TESTS      := $(call of_kinds,cov,$(EVERY_KIND))
FAST_TESTS     := $(call of_kinds,fast,$(EVERY_KIND))
# Hosts under random traffic, which take as long as they are given.
traffic         = build/$(1)/test/loop/test_tls build/$(1)/test/loop/test_async
NIGHTLY_VALGRIND := $(call of_kinds,valgrind,$(EVERY_KIND)) $(call traffic,valgrind) \
                    build/valgrind/test/loop/test_thousand
BENCHES        := $(call of_kinds,release,bench)
ABI_TESTS      := $(sort $(wildcard test/abi/*.py test/laws/*.py test/costs/*.py))
LOOP_TESTS     := $(sort $(wildcard $(foreach e,sh py js mjs,\
                    $(foreach k,loop conformance browser client model jwt,test/$(k)/test_*.$(e)))))

include test/fuzz/fuzz.mk

# clang checks everything, tests and examples included; only its warnings count here. The tsan
# variant compiles the core with clang.
CLANG_CHECKED  := $(patsubst %.c,build/clang/%.ok,$(filter-out $(call sources,wspool),\
                      $(sort $(wildcard lib/*/*.c examples/*.c examples/*/*.c test/*/*.c \
                                        test/*/*/*.c))))

build/clang/%.ok: %.c build/clang/flags
	$(call say,CHECK  clang $<)
	@mkdir -p $(@D)
	$(Q)$(clang.cc) $(BASE) $(clang.flags) $(CPPFLAGS) -fsyntax-only -MMD -MP -MT $@ -MF $@.d $<
	@touch $@

# ---------------------------------------------------------------------- checks

# NPM=1 installs npm and Playwright, which then drives the browser in the tests of the cards board;
# and Firefox, for test_firefox.
NPM ?=
# PEERS=all also runs the peers of test/loop/peers that are large or must be compiled.
PEERS ?=
more  = $(strip $(if $(call yes,$(NPM)),npm) $(if $(filter all,$(PEERS)),peers))
install_more = [ -z '$(more)' ] || test/tools/deps $(more) || \
               echo 'The tests that need these packages are skipped.'

strict = WERROR=$(if $(WERROR),$(WERROR),1)

deps:
	@PYTHON='$(PYTHON)' test/tools/deps build check lint
	@$(install_more)

# All tests; the last lines are the output of prove. The sub-make comes after deps, which may
# install the compiler. The mutants take longest, so they start first; then the tests that wait for
# sockets and browsers. One more test runs than there are processors, because these tests wait.
CHECKS := $(ATTACK) $(LOOP_TESTS) $(VALGRIND_TESTS) $(TSAN_TESTS) $(RELEASE_TESTS) $(ASAN_TESTS) \
          $(FUZZ_TESTS) $(ABI_TESTS)

check:
	@PYTHON='$(PYTHON)' test/tools/deps build check
	@$(install_more)
	@$(MAKE) --no-print-directory $(parallel) $(strict) check-programs
	@MAKEFLAGS= MAKELEVEL= $(strict) PYTHON='$(PYTHON)' CC='$(CC)' PEERS='$(PEERS)' \
	    NPM='$(if $(call yes,$(NPM)),1)' \
	    WSPOOL_COMPANIONS='$(COMPANIONS)' CHECKED='$(CHECKS)' \
	    prove --timer -j$$(($(JOBS) + 1)) --exec '$(PYTHON) test/tools/run-test' \
	    test/mutants/run $(CHECKS)

check-programs: all stage $(CLANG_CHECKED) $(ASAN_TESTS) $(TSAN_TESTS) $(VALGRIND_TESTS) \
                $(RELEASE_TESTS) $(FUZZ_TESTS) $(BENCHES) $(NET_BENCH) $(COSTS) $(ATTACK) \
                $(CHECK_LOG) $(EXAMPLES:%=build/examples-asan/%)

# The long forms of what make check does in minutes, one after the other: test/README.md has a table
# of them. All of them run, whatever fails. PARTS='msan fuzz' runs these alone, and each is a target,
# too: make nightly-msan.
NIGHTLY      := check conformance mutants attack delivery storm restart outage valgrind traffic msan \
                foreign planted fuzz coverage
PARTS        ?= $(NIGHTLY)
NIGHTLY_FUZZ ?= 300
as_tests      = prove --timer -j$(JOBS) --exec '$(PYTHON) test/tools/run-test'
again         = $(MAKE) --no-print-directory

nightly:
	@MAKE='$(MAKE)' $(PYTHON) test/tools/nightly $(PARTS)

# Those that are targets of their own.
nightly-conformance nightly-mutants nightly-attack nightly-msan nightly-foreign nightly-coverage: \
nightly-%:
	@$(again) $*

nightly-check:
	@$(again) check NPM=1 PEERS=all

# The runs of test_delivery, each from a seed of its own.
DELIVERY_RUNS ?= 10000
nightly-delivery:
	@$(again) $(parallel) $(strict) build/asan/test/sim/test_delivery
	@TEST_TIMEOUT=3600 DELIVERY_RUNS=$(DELIVERY_RUNS) DELIVERY_PEERS=50 $(as_tests) \
	    build/asan/test/sim/test_delivery

# 200 clients through 50 cuts and three restarts of their server.
nightly-storm:
	@$(again) $(parallel) $(strict) build/asan/test/storm/test_storm
	@TEST_TIMEOUT=3600 STORM=full $(as_tests) build/asan/test/storm/test_storm

# 2,000 clients through a restart of a server that spreads their first attempts over 10 s, and ten
# with the default spread; the histograms are in the log.
nightly-restart:
	@$(again) $(parallel) $(strict) build/asan/test/clients/test_restart
	@TEST_TIMEOUT=3600 RESTART_CLIENTS=2000 RESTART_SPREAD=10 RESTART_AWAY=1000 $(as_tests) -v \
	    build/asan/test/clients/test_restart
	@RESTART_CLIENTS=10 RESTART_AWAY=1000 RESTART_MEDIAN=2 $(as_tests) -v \
	    build/asan/test/clients/test_restart

# The board in a browser that is without its network, and then frozen, for a minute each.
nightly-outage:
	@test/tools/deps npm || true
	@$(again) $(parallel) $(strict) build/examples/cards
	@TEST_TIMEOUT=3600 OUTAGE=60 $(as_tests) test/browser/test_outage.mjs test/browser/test_firefox.mjs

nightly-valgrind:
	@$(again) $(parallel) $(strict) $(NIGHTLY_VALGRIND)
	@TEST_TIMEOUT=3600 $(as_tests) $(NIGHTLY_VALGRIND)

# Hosts under random traffic, for TRAFFIC_TIME seconds each, from a seed that is new each time.
TRAFFIC_TIME ?= 60
nightly-traffic:
	@$(again) $(parallel) $(strict) $(call traffic,asan)
	@TEST_TIMEOUT=3600 WSPOOL_SECONDS=$(TRAFFIC_TIME) WSPOOL_SEED=$$(date +%s) \
	    $(as_tests) $(call traffic,asan)

nightly-planted:
	@$(again) fuzz-planted

nightly-fuzz:
	@$(again) fuzz FUZZ_TIME=$(NIGHTLY_FUZZ)

# Unit and sim tests on i386, and on s390x under qemu.
foreign:
	@test/tools/deps build foreign || true
	@for arch in i386 s390x; do \
	    test/tools/foreign $$arch; \
	    case $$? in 0) ;; 77) continue ;; *) exit 1 ;; esac; \
	    $(MAKE) --no-print-directory $(parallel) $(strict) foreign-$$arch || exit 1; \
	done

foreign-%: FORCE
	@$(MAKE) -s --no-print-directory $(parallel) $(call of_kinds,$*,unit sim)
	@TEST_TIMEOUT=600 prove --timer -j$(JOBS) --exec '$(PYTHON) test/tools/run-test' \
	    $(call of_kinds,$*,unit sim)

# MemorySanitizer judges every kind of test without sockets and without jansson.
MSAN_TESTS := $(call of_kinds,msan,unit sim laws hostile oom deflate)

msan:
	@PYTHON='$(PYTHON)' test/tools/deps build check
	@$(MAKE) -s --no-print-directory $(parallel) $(strict) $(MSAN_TESTS)
	@TEST_TIMEOUT=600 prove --timer -j$(JOBS) --exec '$(PYTHON) test/tools/run-test' $(MSAN_TESTS)

# Installs to build/stage, for the tests that build against an installed library.
stage: lib
	$(Q)rm -rf build/stage
	$(Q)$(MAKE) --no-print-directory -s install DESTDIR=build/stage PREFIX=/usr/local

# Tests the shipped server against RFC 6455 and RFC 7692: every case, in every chunking. If there is
# a wstest, the Autobahn testsuite runs too.
conformance: build/examples/echo
	@WSPOOL_COMPANIONS='$(COMPANIONS)' prove --timer --exec '$(PYTHON) test/tools/run-test' \
	    test/conformance/test_conformance.py :: --full
	@TEST_TIMEOUT=1800 prove --timer --exec '$(PYTHON) test/tools/run-test' \
	    test/conformance/autobahn.py

# Runs the tests against a library that is broken on purpose, in more ways than make check has time
# for.
mutants:
	@PYTHON='$(PYTHON)' test/tools/deps build check
	@$(MAKE) --no-print-directory $(parallel) $(strict) check-programs
	@MAKEFLAGS= MAKELEVEL= $(strict) TEST_TIMEOUT=3600 \
	    $(PYTHON) test/tools/run-test test/mutants/run --all

# Attacks the shipped servers, and judges what honest peers see. ATTACK_FLAGS='--only bombs'.
attack: $(ATTACK) build/examples/echo build/examples/cards
	@$(ATTACK) --full $(ATTACK_FLAGS)

# BENCH_ROWS=fanout,echo and BENCH_FLAGS='--reps 9' are passed to test/bench/net/run.
bench: $(BENCHES) $(NET_BENCH) build/examples/echo
	@for bench in $(BENCHES); do $$bench || exit 1; done
	@$(PYTHON) test/bench/net/run $(if $(BENCH_ROWS),--rows '$(BENCH_ROWS)') $(BENCH_FLAGS)

# Counts the costs that must not grow, and writes them into test/bench/README.md. make check compares with it.
costs: $(COSTS)
	@$(PYTHON) test/costs/costs.py --write

coverage: $(COV_TESTS)
	@find build/cov -name '*.gcda' -delete
	@prove -j$(JOBS) --exec '$(PYTHON) test/tools/run-test' $^
	@$(PYTHON) test/tools/coverage build/cov

# Breaks N random places of lib/, chosen by SEED, one at a time, and counts how many a test catches.
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

help::
	@echo
	@echo 'make check      installs packages, builds with gcc and clang, runs every test'
	@echo 'make nightly    the long forms, one after the other: $(NIGHTLY)'
	@echo '                (PARTS="msan fuzz": these alone)'
	@echo 'make foreign    runs unit and sim tests on i386, and on s390x under qemu'
	@echo 'make msan       runs tests with MemorySanitizer'
	@echo 'make deps       installs the Debian packages that these targets need'
	@echo 'make conformance  tests the echo server against RFC 6455 and RFC 7692, in full'
	@echo 'make mutants    breaks the library on purpose, and checks that the tests fail'
	@echo 'make attack     attacks the example servers, and judges what honest peers see'
	@echo 'make bench      measures memory and time, then over sockets (BENCH_ROWS=fanout,echo)'
	@echo 'make costs      counts calls, instructions, allocations; writes test/bench/README.md'
	@echo 'make coverage   prints which lines the tests reach, and why not the others'
	@echo 'make mutation-sample   how many of N=$(N) random faults (SEED=$(SEED)) a test catches'
	@echo 'make fuzz       FUZZ="http pool" FUZZ_TIME=60 (seconds each) ENGINE=libfuzzer|afl'
	@echo 'make fuzz-planted  checks that each fuzzer finds a bug that was planted for it'
	@echo 'make lint       clang-format, clang-tidy, clang --analyze, cppcheck, gcc -fanalyzer; make format'
	@echo 'Variables: CLANG and PYTHON (used by the tests); NPM=1 (Playwright drives the board);'
	@echo 'PEERS=all (more real peers).'
