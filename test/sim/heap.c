/* SPDX-License-Identifier: MIT */
/*
 * sim/heap.c - counts allocations and lets them fail. See sim/heap.h.
 *
 * -Wl,--wrap does not reach into libwslay.so, so this file defines malloc itself, on top of the
 * names that glibc keeps for this purpose. A sanitizer has a malloc of its own and does not allow
 * this, but it has hooks that count.
 */
#include "heap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SIM_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIM_SANITIZED 1
#endif

_Thread_local volatile int sim_inside;
volatile sim_libc sim_c;

/* ------------------------------------------------------------ the pool's */

/* In front of each block. It has 16 bytes, so that the block has the alignment of malloc. */
typedef struct heap_head {
    size_t size;
    uint64_t mark;
} heap_head;

#define HEAP_MARK UINT64_C(0x5ca1ab1e0ddba11)

static int heap_refuses(sim_heap *heap)
{
    size_t call = atomic_fetch_add(&heap->calls, 1) + 1;
    if (heap->fail_at != 0 && (call == heap->fail_at || (heap->fail_on && call > heap->fail_at))) {
        heap->failed++;
        return 1;
    }
    return 0;
}

static void heap_count(sim_heap *heap, size_t size)
{
    size_t live = atomic_fetch_add(&heap->live_bytes, size) + size;
    atomic_fetch_add(&heap->live_blocks, 1);
    if (live > atomic_load(&heap->peak_bytes))
        atomic_store(&heap->peak_bytes, live);
}

/* Returns 1 if new memory is filled. Code must not rely on zeros or on old contents. Under
 * valgrind and MemorySanitizer new memory stays as it is: otherwise they would take a byte that was
 * never written, and that is sent, for a written one. */
static int heap_fills(void)
{
#ifdef TEST_LEAVES_MEMORY
    return 0;
#endif
    static atomic_int fills;
    if (atomic_load(&fills) == 0)
        atomic_store(&fills, getenv("WSPOOL_SLOW") == NULL ? 1 : 2);
    return atomic_load(&fills) == 1;
}

static void *heap_malloc(size_t size, void *user)
{
    sim_heap *heap = user;
    heap_head *head;
    int inside = sim_inside;
    if (heap_refuses(heap) || size > SIZE_MAX - sizeof *head)
        return NULL;
    sim_inside = 0;
    head = malloc(sizeof *head + size);
    sim_inside = inside;
    if (head == NULL)
        return NULL;
    head->size = size;
    head->mark = HEAP_MARK;
    if (heap_fills())
        memset(head + 1, 0xa5, size);
    heap_count(heap, size);
    return head + 1;
}

static void heap_free(void *block, void *user)
{
    sim_heap *heap = user;
    heap_head *head = block;
    int inside = sim_inside;
    if (block == NULL)
        return;
    head--;
    if (head->mark != HEAP_MARK)
        abort(); /* not a block of this heap, or freed before */
    atomic_fetch_sub(&heap->live_bytes, head->size);
    atomic_fetch_sub(&heap->live_blocks, 1);
    head->mark = 0;
    memset(head + 1, 0x5a, head->size);
    sim_inside = 0;
    free(head);
    sim_inside = inside;
}

/* Always moves the block, so that no pointer into the old block stays valid by chance. */
static void *heap_realloc(void *block, size_t size, void *user)
{
    void *moved;
    size_t old;
    if (block == NULL)
        return heap_malloc(size, user);
    old = ((heap_head *)block - 1)->size;
    moved = heap_malloc(size, user);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old < size ? old : size);
    heap_free(block, user);
    return moved;
}

wspool_mem sim_heap_hooks(sim_heap *heap)
{
    wspool_mem mem = {heap_malloc, heap_realloc, heap_free, heap};
    return mem;
}

/* ------------------------------------------------------ the C library's */

#ifdef SIM_SANITIZED

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
/* Declared as in sanitizer/allocator_interface.h, a header that gcc does not ship. */
size_t __sanitizer_get_allocated_size(const volatile void *block);
int __sanitizer_install_malloc_and_free_hooks(void (*got)(const volatile void *, size_t),
                                              void (*gave)(const volatile void *));

static void libc_got(const volatile void *block, size_t size)
{
    (void)block;
    if (sim_inside > 0) {
        sim_c.calls++;
        sim_c.live++;
        sim_c.live_bytes += (long)size;
    }
}

static void libc_gave(const volatile void *block)
{
    if (sim_inside > 0 && block != NULL) {
        sim_c.live--;
        sim_c.live_bytes -= (long)__sanitizer_get_allocated_size((const void *)block);
    }
}

int sim_libc_counts(void)
{
    static int installed;
    if (!installed)
        installed = __sanitizer_install_malloc_and_free_hooks(libc_got, libc_gave) > 0;
    return installed;
}
#else
int sim_libc_counts(void)
{
    return 0;
}
#endif

int sim_libc_fails(void)
{
    return 0;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static int libc_refuses(void)
{
    if (sim_inside <= 0)
        return 0;
    sim_c.calls++;
    if (sim_c.fail_at != 0 &&
        (sim_c.calls == sim_c.fail_at || (sim_c.fail_on && sim_c.calls > sim_c.fail_at))) {
        sim_c.failed++;
        return 1;
    }
    return 0;
}

static void *libc_count(void *block)
{
    if (block != NULL && sim_inside > 0) {
        sim_c.live++;
        sim_c.live_bytes += (long)malloc_usable_size(block);
    }
    return block;
}

void *malloc(size_t size)
{
    return libc_refuses() ? NULL : libc_count(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return libc_refuses() ? NULL : libc_count(__libc_calloc(count, size));
}

void free(void *block)
{
    if (block != NULL && sim_inside > 0) {
        sim_c.live--;
        sim_c.live_bytes -= (long)malloc_usable_size(block);
    }
    __libc_free(block);
}

void *realloc(void *block, size_t size)
{
    void *moved;
    long old = block != NULL && sim_inside > 0 ? (long)malloc_usable_size(block) : 0;
    if (libc_refuses())
        return NULL;
    moved = __libc_realloc(block, size);
    if (sim_inside > 0 && moved != NULL) {
        if (block == NULL)
            sim_c.live++;
        sim_c.live_bytes += (long)malloc_usable_size(moved) - old;
    }
    return moved;
}

int sim_libc_counts(void)
{
    size_t before = sim_c.calls;
    void *volatile probe;
    int works;
    sim_inside++;
    probe = malloc(40);
    free(probe);
    sim_inside--;
    works = sim_c.calls == before + 1;
    sim_c.calls = before;
    return works;
}

int sim_libc_fails(void)
{
    return sim_libc_counts();
}

#endif

void sim_libc_reset(void)
{
    sim_c = (sim_libc){0};
}
