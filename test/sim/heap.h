/* SPDX-License-Identifier: MIT */
/*
 * sim/heap.h - watches two heaps: that of the pool (config.mem), and that of the C library inside
 * the calls of the pool, which is what wslay allocates.
 *
 * The pool's heap is counted and can be told to fail, with and without sanitizers. The C library's
 * heap is counted by replacing malloc, or by the hooks of AddressSanitizer. It can be told to fail
 * only when malloc is replaced. Under valgrind neither works: call sim_libc_counts and
 * sim_libc_fails before a test relies on it.
 *
 * "Inside" is a depth per thread. sim.c raises it around each call of the pool and lowers it around
 * each hook, so that allocations of the tests themselves are not counted.
 */
#ifndef WSPOOL_TEST_SIM_HEAP_H
#define WSPOOL_TEST_SIM_HEAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>

/* volatile: the compiler makes assumptions about malloc */
extern _Thread_local volatile int sim_inside;

/* Makes one call of the pool inside. */
#define SIM_IN(call) (sim_inside++, sim_answer((call)))
#define SIM_DO(call) (sim_inside++, (call), (void)sim_inside--)

/* A call of the pool has returned: sim.c checks the pool. */
void sim_step(void);

static inline int sim_answer(int answer)
{
    sim_inside--;
    sim_step();
    return answer;
}

typedef struct sim_heap {
    atomic_size_t live_bytes; /* bytes allocated and not freed */
    atomic_size_t live_blocks;
    atomic_size_t peak_bytes;
    atomic_size_t calls; /* number of allocations requested */
    size_t fail_at;      /* the number of the call that fails; 0: none */
    int fail_on;         /* all calls behind it fail, too */
    size_t failed;       /* how many failed */
} sim_heap;

/* Returns the hooks of a heap, for a config. */
wspool_mem sim_heap_hooks(sim_heap *heap);

typedef struct sim_libc {
    size_t calls;
    long live; /* blocks not freed */
    long live_bytes;
    size_t fail_at; /* as in sim_heap */
    int fail_on;
    size_t failed;
} sim_libc;

extern volatile sim_libc sim_c; /* as in sim_heap */

int sim_libc_counts(void);
int sim_libc_fails(void);

/* Sets all counts to zero. */
void sim_libc_reset(void);

#endif
