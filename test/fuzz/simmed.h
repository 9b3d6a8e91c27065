/* SPDX-License-Identifier: MIT */
/*
 * fuzz/simmed.h - for fuzzers that run on the sim: what it asserts aborts, as an engine wants it.
 */
#ifndef WSPOOL_TEST_FUZZ_SIMMED_H
#define WSPOOL_TEST_FUZZ_SIMMED_H

void fuzz_simmed(void);

#endif
