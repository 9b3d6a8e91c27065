/* SPDX-License-Identifier: MIT */
/*
 * hostile/hostile.h - shared by the tests of hostile peers: measures the memory that all peers hold
 * together, and holds it to a bound.
 *
 * Bounds are in bytes and messages, never in elapsed time. The list hostile/TRAPS says which tests
 * cover each trap and each class of advisories.
 */
#ifndef WSPOOL_TEST_HOSTILE_H
#define WSPOOL_TEST_HOSTILE_H

#include "../sim/sim.h"

/* A peer's record and its share of the tables. A table that grows exists twice for a moment. */
#define HOSTILE_RECORD (192 + 40)
#define HOSTILE_TABLES 65536

/* Returns the bytes of the pool's heap and, where it can be counted, of wslay's. */
static inline size_t hostile_held(const sim *s)
{
    return s->heap.live_bytes + (size_t)sim_c.live_bytes;
}

/* Holds the heap to a bound from here on. */
typedef struct hostile_bound {
    size_t before;
} hostile_bound;

static inline hostile_bound hostile_begin(sim *s)
{
    hostile_bound b = {hostile_held(s)};
    s->heap.peak_bytes = s->heap.live_bytes;
    return b;
}

static inline void hostile_expect(const sim *s, hostile_bound b, size_t most)
{
    size_t held = hostile_held(s);
    if (held > b.before + most)
        fail_msg("%zu bytes are held, %zu more than before; at most %zu", held, held - b.before,
                 most);
}

/* Makes a pool for many peers that keeps no record of its messages. */
static inline sim *hostile_sim(uint64_t seed, uint32_t peers)
{
    sim *s = sim_new(seed);
    s->config.max_peers = peers;
    s->config.max_handshakes = peers;
    s->keep_heard = 0;
    s->keep_journal = 0;
    return s;
}

#endif
