/* SPDX-License-Identifier: MIT */
/* bench/rows.c - see bench/rows.h. */
#define _POSIX_C_SOURCE 200809L
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int runs = 7;
int quick;

static const char *program = "bench";

noreturn void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", program, what);
    exit(1);
}

double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

uint64_t next_random(uint64_t *state) /* Marsaglia's xorshift */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void print_row(const char *name, double *values, int decimals, const char *unit, const char *more)
{
    qsort(values, (size_t)runs, sizeof *values, by_value);
    printf("%-44s %8.*f %-5s [%.*f-%.*f]%s\n", name, decimals, values[runs / 2], unit, decimals,
           values[0], decimals, values[runs - 1], more);
    fflush(stdout);
}

void rows_begin(int argc, char **argv, const char *what)
{
    const char *slash = strrchr(argv[0], '/');
    program = slash ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = 1;
            runs = 3;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = atoi(argv[++i]);
        }
    }
    if (runs < 1 || runs > MAX_RUNS) {
        fail("--runs takes 1 to 25");
    }
    printf("%s in memory: median of %d runs [least-most]\n", what, runs);
}
