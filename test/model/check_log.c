/* SPDX-License-Identifier: MIT */
/*
 * model/check_log.c - check_log < LOG: prints the first violation of a log, with its line, and
 * returns 1; or prints what the log proves, and returns 0. model/README.md describes the log.
 */
#include "judge.h"

#include <inttypes.h>

int main(void)
{
    struct judgement judgement;
    const struct model_totals *totals = &judgement.totals;
    judge_log(stdin, &judgement);
    if (*judgement.why != '\0') {
        printf("%s\n    %s\n", judgement.why, judgement.line);
        return 1;
    }
    printf("all rules hold: %zu lines, %" PRIu64 " published, %" PRIu64 " got, %" PRIu64
           " joins, %" PRIu64 " resumes (%" PRIu64 " recovered), %" PRIu64 " times missed, %" PRIu64
           " cuts, %" PRIu64 " restarts, %" PRIu64 " times quiet\n",
           judgement.lines, totals->published, totals->got, totals->joined,
           totals->recovered + totals->epoch_changed + totals->too_old + totals->unknown_offset,
           totals->recovered, totals->missed, totals->cut, totals->restarts, totals->quiets);
    return 0;
}
