/* SPDX-License-Identifier: MIT */
/*
 * model/check_log.c - check_log < LOG: prints the first violation of a log, with its line, and
 * returns 1; or prints what the log proves, and returns 0. model/README.md describes the log.
 *
 * In a log that begins with `loose`, the publishers and readers had no common clock. Between two
 * lines `quiet` or `restart`, all publications are therefore taken first.
 */
#define _GNU_SOURCE /* getline */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    size_t number;
    char *text;
};

static int is(const char *line, const char *word)
{
    line += strspn(line, " \t");
    size_t len = strlen(word);
    return strncmp(line, word, len) == 0 && strchr(" \t\r\n", line[len]) != NULL;
}

/* Judges a part of the log: publications first, if that is asked for. Exits at a violation. */
static void judge(model *m, struct line *lines, size_t count, int publications_first)
{
    for (int turn = publications_first ? 0 : 1; turn < 2; turn++)
        for (size_t i = 0; i < count; i++) {
            const char *why;
            if (publications_first && is(lines[i].text, "publish") != (turn == 0))
                continue;
            why = model_line(m, lines[i].number, lines[i].text);
            if (why != NULL) {
                printf("%s\n    %s\n", why, lines[i].text);
                exit(1);
            }
        }
    for (size_t i = 0; i < count; i++)
        free(lines[i].text);
}

int main(void)
{
    model *m = model_new();
    const struct model_totals *totals = model_totals(m);
    struct line *lines = NULL;
    size_t count = 0, cap = 0, number = 0, size = 0;
    int loose = 0;
    char *text = NULL;
    while (getline(&text, &size, stdin) >= 0) {
        text[strcspn(text, "\r\n")] = '\0';
        if (count == cap) {
            cap = cap * 2 + 1000;
            lines = realloc(lines, cap * sizeof *lines);
            if (lines == NULL)
                return 2;
        }
        lines[count++] = (struct line){++number, text};
        if (!loose || is(text, "quiet") || is(text, "restart")) {
            int begins = is(text, "loose");
            judge(m, lines, count, loose);
            loose |= begins;
            count = 0;
        }
        text = NULL;
        size = 0;
    }
    free(text);
    judge(m, lines, count, loose);
    printf("all rules hold: %zu lines, %" PRIu64 " published, %" PRIu64 " got, %" PRIu64
           " joins, %" PRIu64 " resumes (%" PRIu64 " recovered), %" PRIu64 " times missed, %" PRIu64
           " cuts, %" PRIu64 " restarts, %" PRIu64 " times quiet\n",
           number, totals->published, totals->got, totals->joined,
           totals->recovered + totals->epoch_changed + totals->too_old + totals->unknown_offset,
           totals->recovered, totals->missed, totals->cut, totals->restarts, totals->quiets);
    free(lines);
    model_free(m);
    return 0;
}
