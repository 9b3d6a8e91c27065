/* SPDX-License-Identifier: MIT */
/*
 * exam.c - see exam.h.
 *
 * This file has the stages up to the 101: name, TCP, TLS, and what the answer says.
 */
#define _GNU_SOURCE
#include "exam.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <wspool/wspool.h>

#include "refusal.h"

#define ALL_TIME (14 * WSPOOL_SECOND) /* one more is left for what is rounded up */
#define SLOW (2 * WSPOOL_SECOND)      /* a 101 that takes longer is a fault */
#define SUBPROTOCOL "wspool.v1.json"

/* How long the parts of the first connection took. */
struct times {
    uint64_t name, tcp, tls, answer;
};

uint64_t exam_within(const struct exam *exam, uint64_t time)
{
    uint64_t until = wspool_clock() + time;
    return until < exam->deadline ? until : exam->deadline;
}

static unsigned long ms(uint64_t time)
{
    return (unsigned long)(time / WSPOOL_MILLISECOND);
}

enum answered exam_ask(struct exam *exam, const struct question *question, struct answer *answer)
{
    char why[160];
    uint64_t until = exam_within(exam, PROBE_TIME);
    if (transport_connect(&exam->t, exam->addresses, until) ||
        (exam->target->secure &&
         transport_tls(&exam->t, exam->target->host, until, why, sizeof why) != TLS_GOOD)) {
        return HUNG_UP;
    }
    return ask(&exam->t, exam->target, question, answer, until);
}

/* ---------------------------------------------------------- name, TCP and TLS */

static int examine_name(struct exam *exam)
{
    char list[4 * (INET6_ADDRSTRLEN + 2)] = "", text[INET6_ADDRSTRLEN];
    const struct target *target = exam->target;
    size_t len = 0;
    int error = transport_resolve(target->host, target->port, exam_within(exam, STEP_TIME),
                                  &exam->addresses);
    if (error) {
        report_fault(exam->report, STAGE_NAME, OWNER_NAME_SERVICE, "%s: %s", target->host,
                     error == EAI_INPROGRESS ? "the name service does not answer"
                                             : gai_strerror(error));
        return -1;
    }
    for (const struct addrinfo *a = exam->addresses; a && len < sizeof list - sizeof text - 2;
         a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) ==
            0) {
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", text);
        }
    }
    report_good(exam->report, STAGE_NAME, "%s is %s", target->host, list);
    return 0;
}

static int examine_tcp(struct exam *exam)
{
    int error = transport_connect(&exam->t, exam->addresses, exam_within(exam, STEP_TIME));
    if (error == 0) {
        report_good(exam->report, STAGE_TCP, "port %s takes connections", exam->target->port);
    } else if (error == ECONNREFUSED) {
        report_fault(exam->report, STAGE_TCP, OWNER_SERVER,
                     "nothing listens on port %s: start the server, or correct the port",
                     exam->target->port);
    } else {
        report_fault(exam->report, STAGE_TCP, OWNER_NETWORK, "port %s: %s", exam->target->port,
                     strerror(error));
    }
    return error ? -1 : 0;
}

static int examine_tls(struct exam *exam)
{
    char why[160];
    struct report *report = exam->report;
    if (!exam->target->secure) {
        report_good(report, STAGE_TLS, "none: tokens and messages can be read on the way");
        return 0;
    }
    enum tls tls =
        transport_tls(&exam->t, exam->target->host, exam_within(exam, STEP_TIME), why, sizeof why);
    switch (tls) {
    case TLS_GOOD:
        report_good(report, STAGE_TLS, "the certificate is trusted, and is for %s",
                    exam->target->host);
        break;
    case TLS_UNTRUSTED:
        report_fault(report, STAGE_TLS, OWNER_SERVER, "its certificate is wrong: %s", why);
        break;
    case TLS_ABSENT:
        report_fault(report, STAGE_TLS, OWNER_CALLER, "the port does not speak TLS: use ws://");
        break;
    case TLS_TIMEOUT:
        report_fault(report, STAGE_TLS, OWNER_SERVER, "it does not answer in TLS");
        break;
    case TLS_FAILED:
        report_fault(report, STAGE_TLS, OWNER_SERVER, "%s", why);
        break;
    }
    return tls == TLS_GOOD ? 0 : -1;
}

/* -------------------------------------------------------------- the answer */

/* Many servers that expect TLS end the connection when plain text comes. */
static int speaks_tls(struct exam *exam)
{
    char why[160];
    enum tls tls = TLS_FAILED;
    transport_close(&exam->t);
    if (transport_connect(&exam->t, exam->addresses, exam_within(exam, PROBE_TIME)) == 0) {
        tls = transport_tls(&exam->t, exam->target->host, exam_within(exam, PROBE_TIME), why,
                            sizeof why);
    }
    return tls == TLS_GOOD || tls == TLS_UNTRUSTED;
}

static void report_no_answer(struct exam *exam, enum answered answered)
{
    if (answered == HUNG_UP && !exam->target->secure && speaks_tls(exam)) {
        answered = IS_TLS;
    }
    struct report *report = exam->report;
    switch (answered) {
    case SILENCE:
        report_fault(report, STAGE_HTTP, OWNER_SERVER, "it takes the request and does not answer");
        break;
    case HUNG_UP:
        report_fault(report, STAGE_HTTP, OWNER_SERVER, "it ends the connection without an answer");
        break;
    case TOO_LONG:
        report_fault(report, STAGE_HTTP, OWNER_SERVER, "the head of its answer exceeds 8 KiB");
        break;
    case NOT_HTTP:
        report_fault(report, STAGE_HTTP, OWNER_CALLER, "what answers does not speak HTTP/1.1");
        break;
    case IS_TLS:
        report_fault(report, STAGE_HTTP, OWNER_CALLER, "the port speaks TLS: use wss://");
        break;
    case ANSWERED:
        break;
    }
}

/* After a 403: asks once more without the Origin. If that helps, the origin was the reason, and the
 * examination goes on with what was answered now. */
static void examine_refused_origin(struct exam *exam, struct times *times)
{
    static struct answer second;
    struct question question = exam->question;
    int behind = answer_proxy(&exam->answer, exam->proxy);
    question.origin = NULL;
    transport_close(&exam->t);
    uint64_t began = wspool_clock();
    if (exam_ask(exam, &question, &second) != ANSWERED || second.status == 403) {
        return;
    }
    times->answer = wspool_clock() - began;
    report_fault(exam->report, STAGE_ORIGIN,
                 exam->options->origin ? OWNER_CALLER
                 : behind              ? OWNER_PROXY
                                       : OWNER_APPLICATION,
                 "pages of %s may not connect%s", exam->question.origin,
                 exam->options->origin ? ": the list of origins does not have it"
                 : behind ? ": forward Host, or name the origin of the pages with --origin"
                          : ": allow it, or name the origin of the pages with --origin");
    exam->question = question;
    exam->answer = second;
}

static int examine_answer(struct exam *exam, struct times *times)
{
    uint64_t began = wspool_clock();
    enum answered answered =
        ask(&exam->t, exam->target, &exam->question, &exam->answer, exam_within(exam, STEP_TIME));
    times->answer = wspool_clock() - began;
    if (answered != ANSWERED) {
        report_no_answer(exam, answered);
        return -1;
    }
    if (exam->answer.status == 403) {
        examine_refused_origin(exam, times);
    }
    if (exam->answer.status != 101) {
        refusal_judge(exam->report, &exam->question, &exam->answer);
        return -1;
    }
    return 0;
}

/* What a 101 says (RFC 6455, section 4.1). */
static void examine_accepted(struct exam *exam)
{
    const struct answer *answer = &exam->answer;
    struct report *report = exam->report;
    const char *wanted = exam->options->subprotocol;
    char value[VALUE_ROOM];
    exam->behind = answer_proxy(answer, exam->proxy);
    if (!answer_lists(answer, "Upgrade", "websocket") ||
        !answer_lists(answer, "Connection", "Upgrade")) {
        report_fault(report, STAGE_HTTP, exam->behind ? OWNER_PROXY : OWNER_SERVER,
                     "HTTP 101 without its headers Upgrade and Connection");
    }
    if (!answer_header(answer, "Sec-WebSocket-Accept", value) ||
        strcmp(value, answer->accept) != 0) {
        report_fault(report, STAGE_HTTP, exam->behind ? OWNER_PROXY : OWNER_SERVER,
                     "HTTP 101 to another request: Sec-WebSocket-Accept is wrong");
    }
    report_good(report, STAGE_HTTP, "HTTP 101%s%s", exam->behind ? " through " : "",
                exam->behind ? exam->proxy : "");

    const char *chosen = answer_header(answer, "Sec-WebSocket-Protocol", value);
    if (chosen && strcmp(chosen, exam->question.subprotocol) != 0) {
        report_fault(report, STAGE_SUBPROTOCOL, OWNER_SERVER, "it chose %s, which was not offered",
                     chosen);
    } else if (wanted && !chosen) {
        report_fault(report, STAGE_SUBPROTOCOL, OWNER_APPLICATION, "it does not speak %s", wanted);
    }
    report_good(report, STAGE_SUBPROTOCOL, "%s", chosen ? chosen : "none was chosen");

    const char *extensions = answer_header(answer, "Sec-WebSocket-Extensions", value);
    if (extensions &&
        (strncmp(extensions, EXTENSION, strlen(EXTENSION)) != 0 || strchr(extensions, ','))) {
        report_fault(report, STAGE_EXTENSIONS, OWNER_SERVER, "it chose %s, which was not offered",
                     extensions);
    }
    report_good(report, STAGE_EXTENSIONS, "%s", extensions ? extensions : "none was chosen");
    report_good(report, STAGE_CAPACITY, "there was room");
}

static void examine_times(struct exam *exam, const struct times *times)
{
    uint64_t all = times->name + times->tcp + times->tls + times->answer;
    uint64_t longest = times->name;
    enum owner owner = OWNER_NAME_SERVICE;
    if (times->tcp > longest) {
        longest = times->tcp;
        owner = OWNER_NETWORK;
    }
    if (times->tls > longest) {
        longest = times->tls;
        owner = OWNER_SERVER;
    }
    if (times->answer > longest) {
        owner = OWNER_APPLICATION;
    }
#define PARTS \
    "101 after %lu ms: name %lu, TCP %lu, TLS %lu, answer %lu", ms(all), ms(times->name), \
        ms(times->tcp), ms(times->tls), ms(times->answer)
    if (all > SLOW) {
        report_fault(exam->report, STAGE_TIME, owner, PARTS);
    } else {
        report_good(exam->report, STAGE_TIME, PARTS);
    }
#undef PARTS
}

/* ---------------------------------------------------------------------- all */

void exam_run(const struct options *options, const struct target *target, struct report *report)
{
    static struct exam exam; /* large */
    struct times times = {0};
    uint64_t began = wspool_clock(), then = began;
    exam = (struct exam){.options = options,
                         .target = target,
                         .report = report,
                         .deadline = began + ALL_TIME,
                         .question = {13, options->origin ? options->origin : target->origin,
                                      options->token,
                                      options->subprotocol ? options->subprotocol : SUBPROTOCOL},
                         .t = {.fd = -1}};
    int failed = examine_name(&exam);
    times.name = wspool_clock() - then;
    if (!failed) {
        then = wspool_clock();
        failed = examine_tcp(&exam);
        times.tcp = wspool_clock() - then;
    }
    if (!failed) {
        then = wspool_clock();
        failed = examine_tls(&exam);
        times.tls = wspool_clock() - then;
    }
    if (!failed && examine_answer(&exam, &times) == 0) {
        examine_accepted(&exam);
        examine_times(&exam, &times);
        if (report->verdicts[STAGE_HTTP].owner == OWNER_NOBODY) {
            exam_opened(&exam);
        }
        transport_close(&exam.t);
        exam_rules(&exam);
    }
    transport_close(&exam.t);
    if (exam.addresses) {
        freeaddrinfo(exam.addresses);
    }
}
