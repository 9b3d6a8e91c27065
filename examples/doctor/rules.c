/* SPDX-License-Identifier: MIT */
/*
 * rules.c - the part of exam.h that asks again with one thing changed: an unknown version, a foreign
 * origin, no token. What is refused shows the rules of the endpoint.
 */
#include "exam.h"

#include <stdio.h>

#include <wspool/wspool.h>

#include "frames.h"

#define UNKNOWN_VERSION 14 /* of the protocol: it is not registered */
#define FOREIGN "https://doctor.invalid"

/* Asks, and closes politely if that was accepted. Returns the status of the answer; 0: none came. */
static int probe(struct exam *exam, const struct question *question, struct answer *answer)
{
    struct frames frames;
    int status = exam_ask(exam, question, answer) == ANSWERED ? answer->status : 0;
    if (status == 101 && frames_init(&frames, &exam->t, 1, answer->body, answer->body_len) == 0) {
        frames_close(&frames, exam_within(exam, PROBE_TIME / 2));
        frames_fini(&frames);
    }
    transport_close(&exam->t);
    return status;
}

static const char *status_text(int status, char text[32])
{
    snprintf(text, 32, status ? "HTTP %d" : "no answer", status);
    return text;
}

static void examine_version(struct exam *exam)
{
    static struct answer answer;
    struct question question = exam->question;
    char value[VALUE_ROOM];
    question.version = UNKNOWN_VERSION;
    int status = probe(exam, &question, &answer);
    if (status == 101) {
        report_fault(exam->report, STAGE_VERSION, OWNER_SERVER,
                     "it accepts version %d, which does not exist", UNKNOWN_VERSION);
    } else if (status && answer_header(&answer, "Sec-WebSocket-Version", value)) {
        report_good(exam->report, STAGE_VERSION, "13; others get HTTP %d, and the list %s", status,
                    value);
    } else if (status) {
        report_good(exam->report, STAGE_VERSION, "13; others get HTTP %d without a list", status);
    } else {
        report_good(exam->report, STAGE_VERSION, "13; others are not answered");
    }
}

static void examine_origin(struct exam *exam)
{
    static struct answer answer;
    struct question question = exam->question;
    question.origin = FOREIGN;
    if (exam->report->verdicts[STAGE_ORIGIN].judged) {
        return; /* ours was refused */
    }
    int status = probe(exam, &question, &answer);
    if (status == 101) {
        report_good(exam->report, STAGE_ORIGIN,
                    "pages of any origin may connect: never let cookies decide who enters");
    } else {
        char text[32];
        report_good(exam->report, STAGE_ORIGIN, "%s may connect; a foreign one gets %s",
                    exam->question.origin, status_text(status, text));
    }
}

static void examine_token(struct exam *exam)
{
    static struct answer answer;
    struct question question = exam->question;
    question.token = NULL;
    if (!exam->question.token) {
        report_good(exam->report, STAGE_TOKEN, "none is needed");
        return;
    }
    int status = probe(exam, &question, &answer);
    if (status == 101) {
        report_good(exam->report, STAGE_TOKEN, "accepted, but none is needed");
    } else {
        char text[32];
        report_good(exam->report, STAGE_TOKEN, "accepted; without one: %s",
                    status_text(status, text));
    }
}

void exam_rules(struct exam *exam)
{
    static void (*const rules[])(struct exam *) = {examine_version, examine_origin, examine_token};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (wspool_clock() < exam->deadline) { /* otherwise they are not judged */
            rules[i](exam);
        }
    }
}
