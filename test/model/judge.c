/* SPDX-License-Identifier: MIT */
/* model/judge.c - see model/judge.h. */
#define _GNU_SOURCE /* getline */
#include "judge.h"

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

/* Judges a part of the log: publications first, if that is asked for. */
static void judge_part(model *m, struct line *lines, size_t count, int publications_first,
                       struct judgement *judgement)
{
    for (int turn = publications_first ? 0 : 1; turn < 2; turn++)
        for (size_t i = 0; i < count && *judgement->why == '\0'; i++) {
            const char *why;
            if (publications_first && is(lines[i].text, "publish") != (turn == 0))
                continue;
            why = model_line(m, lines[i].number, lines[i].text);
            if (why != NULL) {
                snprintf(judgement->why, sizeof judgement->why, "%s", why);
                snprintf(judgement->line, sizeof judgement->line, "%s", lines[i].text);
            }
        }
    for (size_t i = 0; i < count; i++)
        free(lines[i].text);
}

void judge_log(FILE *log, struct judgement *judgement)
{
    model *m = model_new();
    struct line *lines = NULL;
    size_t count = 0, cap = 0, size = 0;
    int loose = 0;
    char *text = NULL;
    memset(judgement, 0, sizeof *judgement);
    while (*judgement->why == '\0' && getline(&text, &size, log) >= 0) {
        text[strcspn(text, "\r\n")] = '\0';
        if (count == cap) {
            cap = cap * 2 + 1000;
            lines = realloc(lines, cap * sizeof *lines);
            if (lines == NULL)
                abort();
        }
        lines[count++] = (struct line){++judgement->lines, text};
        if (!loose || is(text, "quiet") || is(text, "restart")) {
            int begins = is(text, "loose");
            judge_part(m, lines, count, loose, judgement);
            loose |= begins;
            count = 0;
        }
        text = NULL;
        size = 0;
    }
    free(text);
    judge_part(m, lines, count, loose, judgement);
    free(lines);
    judgement->totals = *model_totals(m);
    model_free(m);
}
