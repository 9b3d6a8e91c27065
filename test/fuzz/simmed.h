/* SPDX-License-Identifier: MIT */
/*
 * fuzz/simmed.h - for fuzzers that use the sim: a failed assertion of the sim aborts, as an engine
 * expects.
 */
#ifndef WSPOOL_TEST_FUZZ_SIMMED_H
#define WSPOOL_TEST_FUZZ_SIMMED_H

void fuzz_simmed(void);

#endif
