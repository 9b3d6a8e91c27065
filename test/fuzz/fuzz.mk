# The fuzzers. Each test/fuzz/fuzz_NAME.c is a program. The other files of the folder are linked
# into each of them, except the two that have a main. The Makefile includes this file.
#
#     build/fuzz/test/fuzz/fuzz_NAME   libFuzzer           make fuzz
#     build/afl/test/fuzz/fuzz_NAME    AFL++ (afl.c)       make fuzz ENGINE=afl
#     build/asan/test/fuzz/fuzz_NAME   replay.c            make check
#     build/cov/test/fuzz/fuzz_NAME    the same, to see what a corpus reaches

# Which fuzzers (default: all), how many seconds each, and which engine: libfuzzer or afl.
FUZZ      ?=
FUZZ_TIME ?= 60
ENGINE    ?= libfuzzer
# .clusterfuzzlite/build.sh sets these two.
FUZZ_ENGINE ?= -fsanitize=fuzzer
fuzz.linker ?= $(fuzz.cc)

FUZZERS     := $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_CHOICE := $(if $(strip $(FUZZ)),$(FUZZ),$(FUZZERS))
FUZZ_SHARED := $(filter-out replay.c afl.c fuzz_%,$(notdir $(wildcard test/fuzz/*.c)))
FUZZ_LIBS    = -lcmocka -pthread $(LIBS) $(foreach c,$(COMPANIONS),$($(c).libs))

define fuzzer # variant, name, file with a main, flags for the linker
build/$(1)/test/fuzz/fuzz_$(2): build/$(1)/test/fuzz/fuzz_$(2).o \
        $(patsubst %.c,build/$(1)/test/fuzz/%.o,$(3) $(FUZZ_SHARED)) build/$(1)/test/json/talk.o \
        build/$(1)/test/world.a $(COMPANIONS:%=build/$(1)/libwspool_%.a) build/$(1)/libwspool.a
	$$(call say,LD     $$@)
	$$(Q)$$(or $$($(1).linker),$$($(1).cc)) $$($(1).flags) $(4) -o $$@ $$^ $$(LDFLAGS) $$(FUZZ_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,fuzz,$(f),,$(FUZZ_ENGINE))))
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,afl,$(f),afl.c)))
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,asan,$(f),replay.c)))
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,cov,$(f),replay.c)))

FUZZ_TESTS := $(FUZZERS:%=build/asan/test/fuzz/fuzz_%)

.PHONY: fuzz fuzz-programs fuzz-planted

fuzz-programs: $(FUZZ_CHOICE:%=build/$(if $(filter afl,$(ENGINE)),afl,fuzz)/test/fuzz/fuzz_%)

fuzz:
	@PYTHON='$(PYTHON)' test/tools/deps build fuzz
	@$(MAKE) --no-print-directory $(parallel) fuzz-programs
	@$(PYTHON) test/fuzz/run --engine $(ENGINE) --time $(FUZZ_TIME) $(FUZZ_CHOICE)

# Each fuzzer must find a bug that was planted for it, within five minutes.
fuzz-planted:
	@PYTHON='$(PYTHON)' test/tools/deps build fuzz
	@$(MAKE) --no-print-directory $(parallel) ENGINE=libfuzzer FUZZ= fuzz-programs
	@$(PYTHON) test/fuzz/planted/run $(FUZZ)
