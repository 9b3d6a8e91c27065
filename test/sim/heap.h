/* SPDX-License-Identifier: MIT */
/*
 * sim/heap.h - two heaps under watch: the pool's own (config.mem) and the C library's, as far as
 * it is used from inside a call of the pool, which is what wslay allocates.
 *
 * The pool's heap is counted and can be told to fail, with and without sanitizers. The C
 * library's is counted by interposing malloc, or by the hooks that AddressSanitizer has; it can
 * be told to fail only when malloc is interposed. Under valgrind neither works: ask
 * sim_libc_counts and sim_libc_fails before relying on it.
 *
 * "Inside" is a depth per thread: sim.c raises it around each call of the pool and lowers it
 * around each hook, so that the allocations of the tests themselves count nowhere.
 */
#ifndef WSPOOL_TEST_SIM_HEAP_H
#define WSPOOL_TEST_SIM_HEAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>

extern _Thread_local volatile int sim_inside; /* volatile: the compiler knows malloc too well */

/* One answer, with the watch on. */
#define SIM_IN(call) (sim_inside++, sim_answer((call)))
#define SIM_DO(call) (sim_inside++, (call), (void)sim_inside--)

/* A call of the pool is over: sim.c looks at the pool. */
void sim_step(void);

static inline int sim_answer(int answer)
{
    sim_inside--;
    sim_step();
    return answer;
}

typedef struct sim_heap {
    atomic_size_t live_bytes; /* asked for and not given back */
    atomic_size_t live_blocks;
    atomic_size_t peak_bytes;
    atomic_size_t calls; /* how often memory was asked for */
    size_t fail_at;      /* the call of this number fails; 0: none */
    int fail_on;         /* and all behind it */
    size_t failed;       /* how many did */
} sim_heap;

/* The hooks of a heap for a config. */
wspool_mem sim_heap_hooks(sim_heap *heap);

typedef struct sim_libc {
    size_t calls;
    long live; /* blocks */
    long live_bytes;
    size_t fail_at; /* as above */
    int fail_on;
    size_t failed;
} sim_libc;

extern volatile sim_libc sim_c; /* as above */

int sim_libc_counts(void);
int sim_libc_fails(void);

/* Counts from zero. */
void sim_libc_reset(void);

#endif
