/* SPDX-License-Identifier: MIT */
/* report.h - what examples/load has measured: counts, reasons, latencies; and how it is printed. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* Latencies in classes, each 3 % wide: exact enough for percentiles, and of one size. */
#define LATENCY_CLASSES 2048

struct latencies {
    uint64_t count;
    uint32_t classes[LATENCY_CLASSES];
};

void latency_add(struct latencies *latencies, uint64_t nanoseconds);
/* Returns nanoseconds, or 0 if there are none. */
uint64_t latency_at(const struct latencies *latencies, double part);

#define REASONS 32

struct report {
    unsigned connected; /* at the end */
    unsigned failed;    /* never connected */
    unsigned lost;      /* connections that have ended before the end */
    struct {
        char text[96];
        unsigned count;
    } reasons[REASONS]; /* of both; the last one gathers what has no place */
    const char *kind;   /* of the messages */
    uint64_t sent, delivered;
    double seconds;
    struct latencies handshake, delivery;
};

/* Counts a failure. */
void report_reason(struct report *report, const char *text);
/* Prints all. Returns 1 if at least 95 % are connected, else 0. */
int report_print(const struct report *report, const struct options *options);

#endif
