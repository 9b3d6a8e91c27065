# Event loops of others: which are installed, and what programs on them need. `make` builds the
# example of each that is there, and names the others.

loops/libuv.libs    := -luv
loops/libevent.libs := -levent_core
loops/libev.libs    := -lev
loops/glib.libs     := $(shell $(PKG_CONFIG) --libs glib-2.0 2>/dev/null || echo -lglib-2.0)
glib.cflags         := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags glib-2.0 2>/dev/null))

# libev has no .pc file.
loop_found = $(strip $(or $(filter epoll poll,$(1)),$(if $(filter libev,$(1)),\
    $(wildcard /usr/include/ev.h /usr/local/include/ev.h),\
    $(shell $(PKG_CONFIG) --exists $(or $(loop_pc.$(1)),$(1)) && echo yes))))
loop_pc.libevent := libevent_core
loop_pc.glib     := glib-2.0

LOOPS         := $(patsubst examples/loops/%.c,%,$(wildcard examples/loops/*.c))
LOOPS_MISSING := $(strip $(foreach l,$(LOOPS),$(if $(call loop_found,$(l)),,$(l))))
EXAMPLES      := $(filter-out $(LOOPS_MISSING:%=loops/%),$(EXAMPLES))
$(foreach l,$(LOOPS),$(eval loops/$(l).companions := sockets))

.PHONY: loops-missing
all: $(if $(LOOPS_MISSING),loops-missing)
loops-missing:
	@echo '  (examples/loops without: $(LOOPS_MISSING). make deps installs what they need.)'

# The tests of the adapters.
loop.libs := -Wl,--as-needed $(loops/libuv.libs) $(loops/libevent.libs) $(loops/libev.libs) \
             $(loops/glib.libs)

# glib's headers lie elsewhere.
build/%/examples/loops/glib.o build/%/examples/loops/glib.ok build/%/test/loop/test_glib.o \
    build/%/test/loop/test_glib.ok: private CPPFLAGS += $(glib.cflags)
