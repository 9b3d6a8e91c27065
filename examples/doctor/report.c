/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

static const char *const stage_names[] = {
#define X(name, word) word,
    STAGES(X)
#undef X
};

static const char *const owner_names[] = {
#define X(name, words) words,
    OWNERS(X)
#undef X
};

/* ---------------------------------------------------------------- recording */

static void make_printable(char *text)
{
    for (; *text; text++) {
        *text = *text < ' ' || *text > '~' ? '?' : *text;
    }
}

__attribute__((format(printf, 4, 0))) static void record(struct report *report, enum stage stage,
                                                         enum owner owner, const char *format,
                                                         va_list arguments)
{
    struct verdict *verdict = &report->verdicts[stage];
    if (verdict->owner == OWNER_NOBODY) {
        verdict->judged = 1;
        verdict->owner = owner;
        vsnprintf(verdict->detail, sizeof verdict->detail, format, arguments);
        make_printable(verdict->detail);
    }
}

void report_good(struct report *report, enum stage stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    record(report, stage, OWNER_NOBODY, format, arguments);
    va_end(arguments);
}

void report_fault(struct report *report, enum stage stage, enum owner owner, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    record(report, stage, owner, format, arguments);
    va_end(arguments);
}

void report_note(struct report *report, enum stage stage, const char *format, ...)
{
    char *detail = report->verdicts[stage].detail;
    size_t len = strlen(detail);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail + len, sizeof report->verdicts[stage].detail - len, format, arguments);
    va_end(arguments);
    make_printable(detail);
}

/* ----------------------------------------------------------------- printing */

static int is_asked_for(const struct report *report, enum stage stage)
{
    return stage != STAGE_IDLE || report->wants_idle;
}

int report_ok(const struct report *report)
{
    for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
        const struct verdict *verdict = &report->verdicts[stage];
        if (is_asked_for(report, stage) && (!verdict->judged || verdict->owner != OWNER_NOBODY)) {
            return 0;
        }
    }
    return 1;
}

int report_json(const struct report *report)
{
    json_t *stages = json_array();
    for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
        const struct verdict *verdict = &report->verdicts[stage];
        if (verdict->judged) {
            int ok = verdict->owner == OWNER_NOBODY;
            json_array_append_new(stages,
                                  json_pack("{s:s, s:b, s:s, s:s?}", "stage", stage_names[stage],
                                            "ok", ok, "detail", verdict->detail, "owner",
                                            ok ? NULL : owner_names[verdict->owner]));
        }
    }
    json_t *all = json_pack("{s:b, s:o}", "ok", report_ok(report), "stages", stages);
    int failed = !all || json_dumpf(all, stdout, JSON_INDENT(2)) || printf("\n") < 0;
    json_decref(all);
    return failed || fflush(stdout) ? -1 : 0;
}

int report_table(const struct report *report)
{
    const char *before = "not judged: ";
    printf("%s\n", report->url);
    for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
        const struct verdict *verdict = &report->verdicts[stage];
        if (verdict->judged) {
            printf("  %-11s  %-5s  %s\n", stage_names[stage], verdict->owner ? "FAULT" : "ok",
                   verdict->detail);
        }
        if (verdict->owner) {
            printf("  %-11s         likely owner: %s\n", "", owner_names[verdict->owner]);
        }
    }
    for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
        if (!report->verdicts[stage].judged && is_asked_for(report, stage)) {
            printf("%s%s", before, stage_names[stage]);
            before = ", ";
        }
    }
    printf("%s%s\n", *before == ',' ? "\n" : "", report_ok(report) ? "all is well" : "not well");
    return fflush(stdout) || ferror(stdout) ? -1 : 0;
}
