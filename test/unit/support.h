/* SPDX-License-Identifier: MIT */
/*
 * unit/support.h - the tools that all unit tests share: TEST, an allocator that counts and can
 * fail, and random numbers that are the same in every run.
 *
 *     struct test_mem mem = {0};
 *     wspool_mem hooks = test_mem_hooks(&mem);
 *     mem.fail_at = 3;                 // the third allocation from here fails ...
 *     mem.fail_on = 1;                 // ... and so do all behind it
 *     ...
 *     assert_int_equal(mem.live, 0);   // a leak
 *
 * To run a scenario with each allocation failing once:
 *
 *     for (size_t n = 1;; n++) {
 *         struct test_mem mem = {.fail_at = n};
 *         run(test_mem_hooks(&mem));
 *         if (mem.failures == 0) break; // it needs fewer than n
 *     }
 *
 * A realloc counts as one allocation and always moves the block, so that the sanitizer finds a
 * pointer that was kept too long. Blocks are filled with 0xa5 when they are allocated. A free of a
 * block that this allocator never returned, or that another test_mem returned, fails the test.
 */
#ifndef WSP_TEST_UNIT_SUPPORT_H
#define WSP_TEST_UNIT_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wspool/config.h>

#include "../tools/test.h"

struct test_mem {
    size_t fail_at;  /* each allocation decrements it; the one that makes it 0 fails */
    int fail_on;     /* after one failure all fail, until this and fail_at are set anew */
    size_t calls;    /* allocations requested, including failed ones */
    size_t failures; /* how many of these failed */
    size_t live;     /* blocks not freed yet: a leak at the end */
    size_t bytes;    /* bytes in these blocks */
    size_t peak;     /* the highest value of `bytes` */
};

/* In front of each block. 32 bytes keep the alignment of malloc. 16 bytes would put some blocks
 * on a cache line by chance. */
struct test_mem_head {
    struct test_mem *owner;
    size_t size;
    uint64_t mark;
    uint64_t unused;
};
#define TEST_MEM_MARK UINT64_C(0x77737020626c6f63)

static inline int test_mem_fails(struct test_mem *mem)
{
    mem->calls++;
    if ((mem->fail_at != 0 && --mem->fail_at == 0) || (mem->fail_on && mem->failures != 0)) {
        mem->failures++;
        return 1;
    }
    return 0;
}

static inline void *test_mem_give(struct test_mem *mem, size_t size)
{
    struct test_mem_head *head = malloc(sizeof(*head) + size);
    if (!head) {
        fail_msg("the machine is out of memory");
        return NULL;
    }
    head->owner = mem;
    head->size = size;
    head->mark = TEST_MEM_MARK;
    head->unused = 0;
#ifndef TEST_LEAVES_MEMORY /* MemorySanitizer finds what reads it */
    memset(head + 1, 0xa5, size);
#endif
    mem->live++;
    mem->bytes += size;
    if (mem->bytes > mem->peak) {
        mem->peak = mem->bytes;
    }
    return head + 1;
}

static inline void *test_mem_malloc(size_t size, void *user)
{
    struct test_mem *mem = user;
    assert_int_not_equal(size, 0);
    return test_mem_fails(mem) ? NULL : test_mem_give(mem, size);
}

static inline void test_mem_free(void *block, void *user)
{
    struct test_mem *mem = user;
    assert_non_null(block); /* the hook is never called with NULL */
    struct test_mem_head *head = (struct test_mem_head *)block - 1;
    assert_true(head->mark == TEST_MEM_MARK);
    assert_ptr_equal(head->owner, mem);
    assert_int_not_equal(mem->live, 0);
    mem->live--;
    mem->bytes -= head->size;
    head->mark = 0;
    free(head);
}

static inline void *test_mem_realloc(void *block, size_t size, void *user)
{
    struct test_mem *mem = user;
    assert_int_not_equal(size, 0);
    if (test_mem_fails(mem)) {
        return NULL;
    }
    void *larger = test_mem_give(mem, size);
    if (block) {
        const struct test_mem_head *head = (struct test_mem_head *)block - 1;
        memcpy(larger, block, head->size < size ? head->size : size);
        test_mem_free(block, mem);
    }
    return larger;
}

static inline wspool_mem test_mem_hooks(struct test_mem *mem)
{
    wspool_mem hooks = {test_mem_malloc, test_mem_realloc, test_mem_free, mem};
    return hooks;
}

/* splitmix64: any state is valid, and the same state gives the same numbers in every run. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Returns a number below `end`. `end` must not be 0. */
static inline uint64_t test_below(uint64_t *state, uint64_t end)
{
    return test_random(state) % end;
}

#endif
