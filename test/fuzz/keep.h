/* SPDX-License-Identifier: MIT */
/* fuzz/keep.h - operations about what channels keep: keys, publishers' ids, seeds. */
#ifndef WSPOOL_TEST_FUZZ_KEEP_H
#define WSPOOL_TEST_FUZZ_KEEP_H

#include "../sim/sim.h"

#include "fuzz.h"

/* WHAT KEY SIZE: takes one operation on a channel from the input, and judges its result. */
void fuzz_keep(sim *s, wspool_channel channel, fuzz_input *in);

#endif
