# Flags that depend on the last make, on the compiler, its target and the packages. The Makefile
# includes this file.

# `make install` installs what the last make has built: settings that it is not given are those of
# that make.
SETTINGS := CC AR PKG_CONFIG CFLAGS CPPFLAGS LDFLAGS HARDENING WERROR
ifeq ($(MAKECMDGOALS),install)
-include build/settings.mk
given = $(filter command environment,$(firstword $(origin $(1))))
$(foreach s,$(SETTINGS),$(if $(call given,$(s)),,\
    $(if $(filter undefined,$(origin built.$(s))),,$(eval $(s) = $$(built.$(s))))))
endif

build/settings.mk: FORCE
	$(call stamp,$(foreach s,$(SETTINGS),'built.$(s) = $(subst $$,$$$$,$($(s)))'))

# What a package needs of the compiler or the linker: pkg-config says it, or else the name does.
flags_of = $(shell $(PKG_CONFIG) --$(1) $(2) 2>/dev/null || echo $(3))

# The compiler says what its target is: an x86, and whether its 64-bit atomics need a library.
target := $(shell printf '__x86_64__ __i386__\n__GCC_ATOMIC_LLONG_LOCK_FREE' | \
              $(CC) $(CFLAGS) $(CPPFLAGS) -E -P - 2>/dev/null)
ATOMIC := $(if $(filter 0 1,$(lastword $(target))),-latomic)

# The flags that make a bug harder to exploit. _FORTIFY_SOURCE needs an optimizing compiler; a
# packager's own comes first.
ifneq ($(call yes,$(HARDENING)),)
harden  := -fstack-protector-strong -fstack-clash-protection \
           $(if $(filter 1,$(wordlist 1,2,$(target))),-fcf-protection) \
           $(if $(findstring _FORTIFY_SOURCE,$(CC) $(CFLAGS) $(CPPFLAGS)),,\
               $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
harden_links    := -Wl,-z,relro,-z,now
harden_programs := -pie
endif
