# Builds and installs libwspool. `make help` lists the targets. test/test.mk has the targets of the
# tests.

# ------------------------------------------------------------ what you may set

CC         ?= cc
AR         ?= ar
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
CPPFLAGS   ?=
LDFLAGS    ?=
# HARDENING=no: without the flags that make a bug harder to exploit.
HARDENING  ?= yes

PREFIX       ?= /usr/local
LIBDIR       ?= $(PREFIX)/lib
INCLUDEDIR   ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DESTDIR      ?=

# How many compilers and tests run at a time.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
# WERROR=1, or CI=1: warnings are errors. V=1: prints whole commands.
WERROR ?= $(CI)
CI     ?=
V      ?=

# ---------------------------------- nothing below is meant to be changed

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

yes = $(filter-out 0 no false,$(1))
include lib/toolchain.mk

version_part = $(shell sed -n 's/^\#define WSPOOL_VERSION_$(1) //p' include/wspool/version.h)
MAJOR   := $(call version_part,MAJOR)
VERSION := $(MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
# The version in a SONAME: before 1.0 the interface changes with each minor release.
SOVERSION := $(if $(filter 0,$(MAJOR)),$(MAJOR).$(call version_part,MINOR),$(MAJOR))

LAYERS   := base wire link channel policy pool report client os
HEADERS  := $(sort $(wildcard include/wspool/*.h))
ADAPTERS := $(sort $(wildcard include/wspool/adapters/*.h))

# Companions: a library each, on top of this one, made of lib/NAME/*.c and NAME.sources, and what it
# needs besides.
COMPANIONS   := json jwt deflate sockets uring
json.libs     := $(call flags_of,libs,jansson,-ljansson)
jwt.libs      := $(call flags_of,libs,hogweed,-lhogweed) $(call flags_of,libs,nettle,-lnettle) \
                 $(call flags_of,libs,gmp,-lgmp) $(json.libs)
deflate.libs  := $(call flags_of,libs,zlib,-lz)
uring.libs    := $(call flags_of,libs,liburing,-luring)
uring.sources := $(patsubst %,lib/sockets/%.c,address linger listen proxy system table tune \
                 waiting)

# An example is a file, or a folder whose .c files form one program (each file of examples/loops is
# a program of its own). Then come the companions and libraries that it needs.
EXAMPLES := $(sort $(patsubst examples/%.c,%,$(wildcard examples/*.c examples/loops/*.c)) \
                   $(filter-out loops,$(patsubst examples/%/,%,$(dir $(wildcard examples/*/*.c)))))
echo.companions  := deflate sockets uring
load.companions  := sockets
cards.companions := json jwt sockets
cards.libs       := -lmicrohttpd -lsqlite3
doctor.libs      := -ljansson -lssl -lcrypto
include examples/loops/loops.mk

LIBS := -lwslay $(call flags_of,libs,nettle,-lnettle) $(ATOMIC)

# For each library: its sources, what it is linked with, and its version map.
LIBRARIES  := wspool $(COMPANIONS:%=wspool_%)
folders     = $(if $(filter wspool,$(1)),$(LAYERS),$(1:wspool_%=%))
sources     = $(sort $(foreach folder,$(call folders,$(1)),$(wildcard lib/$(folder)/*.c) \
                                                            $($(folder).sources)))
objects     = $(patsubst %.c,build/$(1)/%.o,$(2))
links_with  = $(if $(filter wspool,$(1)),$(LIBS),-Lbuild -lwspool $($(1:wspool_%=%).libs))
version_map = $(firstword $(wildcard lib/$(1).map lib/$(1:wspool_%=%)/$(1).map))

# The public headers declare public functions between `#pragma GCC visibility push(default)` and
# pop; everything else is hidden. An object is compiled once for the static and the shared library.
BASE  := -std=c11 -pedantic -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
         -fvisibility=hidden -fPIC -Iinclude -Ilib $(if $(call yes,$(WERROR)),-Werror) \
         $(patsubst -I%,-isystem %,$(foreach p,nettle jansson zlib liburing,$(call flags_of,cflags,$(p))))

# Each variant has its own compiler, flags and folder. build/release is what is installed;
# test/test.mk adds the variants of the tests. Objects of tests get TEST_FLAGS too.
VARIANTS      := release
release.cc    = $(CC)
release.flags = $(CFLAGS) $(harden)

Q   := $(if $(call yes,$(V)),,@)
say  = $(if $(Q),@echo "  $(1)")
# Rewrites a file only if its contents change, so that its dependents are made again only then.
define stamp
@mkdir -p $(@D)
@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@
endef

.PHONY: all lib demo install uninstall clean help FORCE

all: lib $(EXAMPLES:%=build/examples/%)
lib: $(foreach l,$(LIBRARIES),build/lib$(l).a build/lib$(l).so build/$(l).pc) build/settings.mk

# --------------------------------------------------------------------- objects

# build/VARIANT/flags holds the compile command and the linked libraries. If either changes,
# everything is made again (except for test/mutants/run, whose mutants may cause warnings).
define variant
build/$(1)/flags: $(if $(KEEP_FLAGS),,FORCE)
	$$(call stamp,'$$($(1).cc) $$(strip $$(BASE) $$($(1).flags) $$(CPPFLAGS))' '$$(LDFLAGS) $$(LIBS)')

build/$(1)/%.o: %.c build/$(1)/flags
	$$(call say,CC     $(1) $$<)
	@mkdir -p $$(@D)
	$$(Q)$$($(1).cc) $$(BASE) $$($(1).flags) $$(CPPFLAGS) $$(TEST_FLAGS) -MMD -MP -c -o $$@ $$<

endef

# The second stamp notices that a source file was deleted.
define archive # variant, library
build/$(1)/lib$(2).members: FORCE
	$$(call stamp,$$(call sources,$(2)))

build/$(1)/lib$(2).a: $$(call objects,$(1),$$(call sources,$(2))) build/$(1)/lib$(2).members
	$$(call say,AR     $$@)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef

define library
build/lib$(1).a: build/release/lib$(1).a
	$$(Q)ln -f $$< $$@

build/lib$(1).so.$(VERSION): build/release/lib$(1).a $$(call version_map,$(1)) \
                             $(if $(filter wspool,$(1)),,build/libwspool.so)
	$$(call say,LD     $$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(harden_links) -shared -Wl,-soname,lib$(1).so.$(SOVERSION) \
	    -Wl,--version-script=$$(call version_map,$(1)) -Wl,-z,defs $$(LDFLAGS) -o $$@ \
	    $$(call objects,release,$$(call sources,$(1))) $$(call links_with,$(1))

build/lib$(1).so: build/lib$(1).so.$(VERSION)
	$$(Q)ln -sf lib$(1).so.$(VERSION) build/lib$(1).so.$(SOVERSION)
	$$(Q)ln -sf lib$(1).so.$(VERSION) $$@
endef

# Linked with the static libraries, so that the program runs from its place in build/.
companion_archives = $(foreach c,$($(2).companions),build/$(1)/libwspool_$(c).a)
libs_besides       = $($(1).libs) $(foreach c,$($(1).companions),$($(c).libs))

define example # variant, folder of the program, example
build/$(2)/$(3): $$(call objects,$(1),$(sort $(wildcard examples/$(3).c examples/$(3)/*.c))) \
                 $$(call companion_archives,$(1),$(3)) build/$(1)/libwspool.a
	$$(call say,LD     $$@)
	@mkdir -p $$(@D)
	$$(Q)$$($(1).cc) $$($(1).flags) $(if $(filter release,$(1)),$(harden_links) $(harden_programs)) \
	    -o $$@ $$^ $$(LDFLAGS) $$(LIBS) $$(call libs_besides,$(3))
endef

$(eval $(call variant,release))
$(foreach l,$(LIBRARIES),$(eval $(call archive,release,$(l))))
$(foreach l,$(LIBRARIES),$(eval $(call library,$(l))))
$(foreach e,$(EXAMPLES),$(eval $(call example,release,examples,$(e))))

build/pc.vars: FORCE
	$(call stamp,'$(VERSION) $(PREFIX) $(LIBDIR) $(INCLUDEDIR) $(ATOMIC)')

build/%.pc: pkgconfig/%.pc.in build/pc.vars
	$(Q)sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' \
	    -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' \
	    -e 's|@ATOMIC@|$(ATOMIC)|' -e 's| *$$||' $< > $@

demo:
	@test/tools/deps build
	@$(MAKE) --no-print-directory $(parallel) all
	@test/tools/demo

# --------------------------------------------------------------------- install

install: lib
	install -d '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(PKGCONFIGDIR)' \
	    '$(DESTDIR)$(INCLUDEDIR)/wspool/adapters'
	install -m 644 $(HEADERS) '$(DESTDIR)$(INCLUDEDIR)/wspool'
	install -m 644 $(ADAPTERS) '$(DESTDIR)$(INCLUDEDIR)/wspool/adapters'
	install -m 644 $(LIBRARIES:%=build/%.pc) '$(DESTDIR)$(PKGCONFIGDIR)'
	install -m 644 $(LIBRARIES:%=build/lib%.a) '$(DESTDIR)$(LIBDIR)'
	install -m 755 $(LIBRARIES:%=build/lib%.so.$(VERSION)) '$(DESTDIR)$(LIBDIR)'
	cd '$(DESTDIR)$(LIBDIR)' && for l in $(LIBRARIES); do \
	    ln -sf lib$$l.so.$(VERSION) lib$$l.so.$(SOVERSION) && \
	    ln -sf lib$$l.so.$(VERSION) lib$$l.so || exit 1; \
	done

uninstall:
	cd '$(DESTDIR)$(LIBDIR)' && \
	    rm -f $(foreach l,$(LIBRARIES),lib$(l).a lib$(l).so lib$(l).so.*)
	cd '$(DESTDIR)$(PKGCONFIGDIR)' && rm -f $(LIBRARIES:%=%.pc)
	rm -rf '$(DESTDIR)$(INCLUDEDIR)/wspool'

clean:
	rm -rf build

help::
	@echo 'make            builds the libraries and the examples, in build/'
	@echo 'make lib        builds the libraries only'
	@echo 'make demo       installs packages, builds, runs the cards board on http://127.0.0.1:3001'
	@echo 'make install    installs to PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR)'
	@echo 'make uninstall  removes what make install has installed'
	@echo 'make clean      removes build/'
	@echo 'Variables: CC, AR, CFLAGS, CPPFLAGS, LDFLAGS, PKG_CONFIG; HARDENING=no; JOBS (compilers and'
	@echo 'tests at a time); WERROR=1 (warnings are errors); V=1 (prints whole commands).'

# A make inside this one gets its jobs from the outer one, if that has a jobserver.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

include test/test.mk

-include $(shell find $(wildcard $(VARIANTS:%=build/%)) -name '*.d' 2>/dev/null)
