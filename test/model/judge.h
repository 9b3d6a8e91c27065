/* SPDX-License-Identifier: MIT */
/*
 * model/judge.h - judges a whole log.
 *
 * In a log that begins with `loose`, the publishers and readers had no common clock. Between two
 * lines `quiet` or `restart`, all publications are therefore taken first.
 */
#ifndef WSPOOL_TEST_MODEL_JUDGE_H
#define WSPOOL_TEST_MODEL_JUDGE_H

#include <stdio.h>

#include "model.h"

struct judgement {
    char why[700];  /* the first violation; empty: there is none */
    char line[200]; /* the line that it was found at, or its beginning */
    size_t lines;
    struct model_totals totals;
};

void judge_log(FILE *log, struct judgement *judgement);

#endif
