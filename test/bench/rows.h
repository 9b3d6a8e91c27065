/* SPDX-License-Identifier: MIT */
/*
 * bench/rows.h - what the benchmarks in memory share: their options, a clock, and how a row is
 * printed. One program, one thread.
 */
#ifndef WSPOOL_TEST_BENCH_ROWS_H
#define WSPOOL_TEST_BENCH_ROWS_H

#include <stdint.h>
#include <stdnoreturn.h>

#define MAX_RUNS 25

extern int runs;  /* of each timed row; one more goes before them and warms up */
extern int quick; /* only to see that it works: fewer runs, shorter ones */

/* Takes --runs N and --quick, and prints the title. */
void rows_begin(int argc, char **argv, const char *what);
/* The median of `runs` values, and their range. `more` stands behind it. Sorts them. */
void print_row(const char *name, double *values, int decimals, const char *unit, const char *more);

double now_ns(void);
uint64_t next_random(uint64_t *state); /* begin with SEED: the same numbers each time */
noreturn void fail(const char *what);

#define SEED UINT64_C(88172645463325252)

#endif
