/* SPDX-License-Identifier: MIT */
/*
 * unit/guard.h - memory between two inaccessible pages. A read of one byte too far crashes.
 *
 *     struct guard guard;
 *     guard_open(&guard, 65536);
 *     parse(guard_at_end(&guard, bytes, len), len);    // the byte behind it can't be read
 *     parse(guard_at_start(&guard, bytes, len), len);  // the byte before it can't be read
 *     guard_close(&guard);
 *
 * A guard holds one input at a time. Include this file first, because it needs more than C11.
 */
#ifndef WSP_TEST_UNIT_GUARD_H
#define WSP_TEST_UNIT_GUARD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

struct guard {
    char *base;  /* the first inaccessible page */
    size_t page; /* bytes in a page */
    size_t room; /* accessible bytes between the two pages; whole pages */
};

static inline void guard_open(struct guard *guard, size_t room)
{
    guard->page = (size_t)sysconf(_SC_PAGESIZE);
    guard->room = (room + guard->page - 1) / guard->page * guard->page;
    if (guard->room == 0) {
        guard->room = guard->page;
    }
    guard->base =
        mmap(NULL, guard->room + 2 * guard->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guard->base != MAP_FAILED);
    assert_int_equal(mprotect(guard->base + guard->page, guard->room, PROT_READ | PROT_WRITE), 0);
}

static inline void guard_close(struct guard *guard)
{
    assert_int_equal(munmap(guard->base, guard->room + 2 * guard->page), 0);
    guard->base = NULL;
}

/* Returns `len` bytes that end at the end of the memory, or begin at its beginning. */
static inline char *guard_room_at_end(const struct guard *guard, size_t len)
{
    assert_true(len <= guard->room);
    return guard->base + guard->page + guard->room - len;
}

static inline char *guard_room_at_start(const struct guard *guard, size_t len)
{
    assert_true(len <= guard->room);
    return guard->base + guard->page;
}

/* Copies the bytes to that place and returns the copy. */
static inline char *guard_at_end(const struct guard *guard, const void *bytes, size_t len)
{
    char *to = guard_room_at_end(guard, len);

    if (len > 0) {
        memcpy(to, bytes, len);
    }
    return to;
}

static inline char *guard_at_start(const struct guard *guard, const void *bytes, size_t len)
{
    char *to = guard_room_at_start(guard, len);

    if (len > 0) {
        memcpy(to, bytes, len);
    }
    return to;
}

#endif
