/* SPDX-License-Identifier: MIT */
/* diagnosis.h - what is wrong with the server now: for operators, and for whoever asks for its health. */
#ifndef CARDS_DIAGNOSIS_H
#define CARDS_DIAGNOSIS_H

#include <stdint.h>

#include <wspool/stats.h>

#define PAST 6 /* so many looks, ten seconds apart: a diagnosis judges the last minute */

/* The numbers of the pool in the last minute. Zero at the start. */
struct past {
    wspool_statistics looks[PAST];
    unsigned taken; /* so far; the next one replaces looks[taken % PAST] */
    uint64_t next;  /* when */
};

struct app;

/* To be called in each turn of the loop. */
void diagnosis_tick(struct app *app, uint64_t now);

#endif
