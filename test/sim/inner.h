/* SPDX-License-Identifier: MIT */
/* sim/inner.h - what the files of the sim share among themselves. */
#ifndef WSPOOL_TEST_SIM_INNER_H
#define WSPOOL_TEST_SIM_INNER_H

#include "sim.h"

/* Puts the hooks that record everything into the config; and those that are there on demand. */
void sim_hooks(sim *s);
void sim_hooks_that_decide(sim *s);

/* The peer behind an id that is not stale. */
sim_peer *sim_peer_of(sim *s, wspool_id id);

uint64_t sim_hash(uint64_t hash, const void *bytes, size_t len);

/* How many hooks are on the stack of this thread. */
extern _Thread_local int sim_hooked;

#endif
