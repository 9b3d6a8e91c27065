/* SPDX-License-Identifier: MIT */
/*
 * bench/rows.h - what the benchmarks in memory share: options, a clock, printing a row. One
 * program, one thread.
 */
#ifndef WSPOOL_TEST_BENCH_ROWS_H
#define WSPOOL_TEST_BENCH_ROWS_H

#include <stdint.h>
#include <stdnoreturn.h>

#define MAX_RUNS 25

extern int runs;  /* runs of each timed row, after one that warms up */
extern int quick; /* only a check that it works: fewer and shorter runs */

/* Reads --runs N and --quick, and prints the title. */
void rows_begin(int argc, char **argv, const char *what);
/* Prints the median and the range of `runs` values, then `more`. Sorts the values. */
void print_row(const char *name, double *values, int decimals, const char *unit, const char *more);

double now_ns(void);
uint64_t next_random(uint64_t *state); /* start with SEED to get the same numbers each time */
noreturn void fail(const char *what);

#define SEED UINT64_C(88172645463325252)

#endif
