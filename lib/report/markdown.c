/* SPDX-License-Identifier: MIT */
/*
 * report/markdown.c - a diagnosis for people: see wspool/diagnose.h.  Layer 5.
 *
 * All texts in it are constants of the library, so nothing has to be escaped.
 */
#include <wspool/diagnose.h>
#include <wspool/error.h>

#include "report/text.h"

static void put_percent(struct wsp_text *text, uint32_t hundredths)
{
    wsp_text_put_number(text, hundredths / 100);
    wsp_text_put(text, ".");
    wsp_text_put_number(text, hundredths / 10 % 10);
    wsp_text_put(text, " %");
}

static void put_row(struct wsp_text *text, const char *name, uint64_t number, const char *unit)
{
    wsp_text_put(text, "| ");
    wsp_text_put(text, name);
    wsp_text_put(text, " | ");
    wsp_text_put_number(text, number);
    wsp_text_put(text, " ");
    wsp_text_put(text, unit);
    wsp_text_put(text, " |\n");
}

static void put_percent_row(struct wsp_text *text, const char *name, uint32_t hundredths)
{
    wsp_text_put(text, "| ");
    wsp_text_put(text, name);
    wsp_text_put(text, " | ");
    put_percent(text, hundredths);
    wsp_text_put(text, " |\n");
}

static void put_issue(struct wsp_text *text, const wspool_diagnosis *diagnosis,
                      const wspool_issue *issue)
{
    wsp_text_put(text, "## ");
    wsp_text_put(text, wspool_severity_name(issue->severity));
    wsp_text_put(text, ": ");
    wsp_text_put(text, issue->word);
    wsp_text_put(text, " (");
    wsp_text_put(text, wspool_issue_type_name(issue->type));
    wsp_text_put(text, ")\n\n");
    wsp_text_put(text, issue->description);
    wsp_text_put(text, "\n\n");
    for (uint32_t i = 0; i < issue->evidence_count; i++) {
        const wspool_evidence *evidence = &issue->evidence[i];
        wsp_text_put(text, "- ");
        wsp_text_put(text, evidence->name);
        wsp_text_put(text, ": ");
        wsp_text_put_number(text, evidence->value);
        wsp_text_put(text, " ");
        wsp_text_put(text, evidence->unit);
        wsp_text_put(text, "\n");
    }
    wsp_text_put(text, issue->evidence_count > 0 ? "\n" : "");
    if (issue->cause_count > 0) {
        wsp_text_put(text, "Comes from: ");
        for (uint32_t i = 0; i < issue->cause_count; i++) {
            for (uint32_t k = 0; k < diagnosis->issue_count; k++) {
                if (diagnosis->issues[k].name == issue->causes[i]) {
                    wsp_text_put(text, i > 0 ? ", " : "");
                    wsp_text_put(text, diagnosis->issues[k].word);
                }
            }
        }
        wsp_text_put(text, ".\n\n");
    }
    wsp_text_put(text, "**What to do.** ");
    wsp_text_put(text, issue->solution);
    wsp_text_put(text, " Concerned: ");
    wsp_text_put(text, issue->components);
    wsp_text_put(text, ".\n\n");
}

static void put_metrics(struct wsp_text *text, const wspool_diagnosis_metrics *metrics)
{
    wsp_text_put(text, "## Numbers\n\n| What | Value |\n|---|---|\n");
    put_percent_row(text, "attempts to connect that succeed", metrics->connect_percent);
    put_row(text, "accepted", metrics->connects, "peers");
    put_row(text, "refused, or left", metrics->connects_failed, "peers");
    put_row(text, "half of the handshakes take up to", metrics->handshake_p50, "us");
    put_row(text, "19 of 20 handshakes take up to", metrics->handshake_p95, "us");
    put_row(text, "half of the round trips take up to", metrics->round_trip_p50, "us");
    put_row(text, "19 of 20 round trips take up to", metrics->round_trip_p95, "us");
    put_row(text, "19 of 20 queues wait up to", metrics->queue_age_p95, "us");
    put_row(text, "ended by a failure", metrics->ended_by_failure, "peers");
    put_row(text, "open now", metrics->peers, "peers");
    put_row(text, "channels now", metrics->channels, "channels");
    if (metrics->room != UINT64_MAX) {
        put_row(text, "memory of the pool", metrics->own_bytes, "bytes");
        put_percent_row(text, "memory", metrics->memory_percent);
        put_percent_row(text, "processor", metrics->cpu_percent);
        put_percent_row(text, "open files", metrics->files_percent);
        put_percent_row(text, "connections", metrics->connections_percent);
        put_row(text, "room for", metrics->room, "more peers");
    }
}

int wspool_diagnosis_write(const wspool_diagnosis *diagnosis, const wspool_writer *writer)
{
    struct wsp_text text;
    if (!diagnosis || diagnosis->size != sizeof *diagnosis ||
        diagnosis->issue_count > WSPOOL_ISSUE_COUNT || !writer || !writer->call) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_text_init(&text, writer);
    wsp_text_put(&text, "# Diagnosis\n\n");
    if (diagnosis->issue_count == 0) {
        wsp_text_put(&text, "Nothing is wrong.\n\n");
    } else {
        wsp_text_put(&text, diagnosis->success ? "It works, and something is to be improved: "
                                               : "Something is wrong: ");
        wsp_text_put_number(&text, diagnosis->issue_count);
        wsp_text_put(&text, diagnosis->issue_count == 1 ? " issue.\n\n" : " issues.\n\n");
    }
    for (uint32_t i = 0; i < diagnosis->issue_count; i++) {
        put_issue(&text, diagnosis, &diagnosis->issues[i]);
    }
    put_metrics(&text, &diagnosis->metrics);
    return wsp_text_end(&text);
}
