/* SPDX-License-Identifier: MIT */
/* sim/internal.h - declarations that the files of the sim share. */
#ifndef WSPOOL_TEST_SIM_INTERNAL_H
#define WSPOOL_TEST_SIM_INTERNAL_H

#include "sim.h"

/* Sets the hooks that record everything, and the optional ones, in the config. */
void sim_hooks(sim *s);
void sim_hooks_that_decide(sim *s);

/* Returns the peer of an id that is not stale. */
sim_peer *sim_peer_of(sim *s, wspool_id id);

uint64_t sim_hash(uint64_t hash, const void *bytes, size_t len);

/* Number of hooks on the stack of this thread. */
extern _Thread_local int sim_hooked;

#endif
