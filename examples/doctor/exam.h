/* SPDX-License-Identifier: MIT */
/*
 * exam.h - the examination of an endpoint: connections that are made, one at a time.
 *
 * The first connection is the one that a client would make; it goes through all stages until one of
 * them fails. If it is accepted, shorter ones follow with one thing changed each.
 */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "handshake.h"
#include "options.h"
#include "report.h"
#include "target.h"
#include "transport.h"

#define STEP_TIME (4 * WSPOOL_SECOND)
#define PROBE_TIME (2 * WSPOOL_SECOND) /* of a shorter connection */

struct exam {
    const struct options *options;
    const struct target *target;
    struct report *report;
    struct addrinfo *addresses;
    uint64_t deadline;
    struct question question;
    struct transport t;
    struct answer answer;
    int behind; /* a proxy is seen, and its name */
    char proxy[32];
};

/* Takes 15 s and options->idle at most. */
void exam_run(const struct options *options, const struct target *target, struct report *report);

/* What the parts of an examination share. */

/* Returns when a step ends that may take so long: earlier if the whole time is over. */
uint64_t exam_within(const struct exam *exam, uint64_t time);
/* Asks on a connection of its own, exam->t, of which nothing is reported. */
enum answered exam_ask(struct exam *exam, const struct question *question, struct answer *answer);

/* opened.c: the stages `ping`, `idle` and `close`, behind the 101 of exam->answer. */
void exam_opened(struct exam *exam);
/* rules.c: the stages `version`, `origin` and `token`, once the endpoint has accepted us. */
void exam_rules(struct exam *exam);

#endif
