/* SPDX-License-Identifier: MIT */
/*
 * opened.c - the part of exam.h that looks at an open WebSocket: it is pinged, left in silence, and
 * closed.
 */
#include "exam.h"

#include <stdio.h>

#include <wspool/wspool.h>

#include "frames.h"

#define SETTLE_TIME (200 * WSPOOL_MILLISECOND)
#define CLOSE_TIME (3 * WSPOOL_SECOND)

static unsigned long ms(uint64_t time)
{
    return (unsigned long)(time / WSPOOL_MILLISECOND);
}

/* Who ends connections without a Close, or lets them starve: a proxy if there is one. */
static enum owner carrier(const struct exam *exam, enum owner otherwise)
{
    return exam->behind ? OWNER_PROXY : otherwise;
}

/* The Close that the endpoint sent on its own: which stage it belongs to, and whom. */
static void report_closed(struct exam *exam, const struct frames *frames, enum stage stage)
{
    enum owner owner = OWNER_SERVER;
    switch (frames->code) {
    case WSPOOL_CLOSE_TOKEN_EXPIRED:
    case WSPOOL_CLOSE_NOT_ALLOWED:
    case WSPOOL_CLOSE_POLICY:
    case 3000: /* Unauthorized, Forbidden: the registry of IANA */
    case 3003:
    case 4401: /* the habit of many applications */
    case 4403:
        stage = STAGE_TOKEN;
        owner = OWNER_CALLER;
        break;
    case WSPOOL_CLOSE_TRY_LATER:
    case WSPOOL_CLOSE_SHED:
        stage = STAGE_CAPACITY;
        break;
    case WSPOOL_CLOSE_UNSUPPORTED:
    case WSPOOL_CLOSE_INTERNAL:
    case WSPOOL_CLOSE_NORMAL:
    case WSPOOL_CLOSE_NO_STATUS:
        owner = OWNER_APPLICATION;
        break;
    default:
        break;
    }
    report_fault(exam->report, stage, owner, "closed by it with %u %s", frames->code,
                 frames->reason);
}

/* Returns 0 if the connection is still there, else reports how it ended. */
static int still_open(struct exam *exam, const struct frames *frames, enum stage stage,
                      const char *when)
{
    switch (frames->ending) {
    case END_NONE:
        return 0;
    case END_CLOSE:
        report_closed(exam, frames, stage);
        break;
    case END_FIN:
    case END_RESET:
        report_fault(exam->report, stage,
                     carrier(exam, stage == STAGE_IDLE ? OWNER_NETWORK : OWNER_SERVER),
                     "the connection %s without a Close %s",
                     frames->ending == END_FIN ? "ended" : "was reset", when);
        break;
    case END_BROKEN:
        report_fault(exam->report, stage, OWNER_SERVER, "it sends frames that RFC 6455 forbids");
        break;
    }
    return -1;
}

static int examine_ping(struct exam *exam, struct frames *frames)
{
    uint64_t began = wspool_clock();
    frames_ping(frames, exam_within(exam, STEP_TIME));
    frames_read(frames, 1, exam_within(exam, STEP_TIME));
    unsigned long took = ms(wspool_clock() - began);
    if (frames->pongs == 1) { /* a server that accepts first and judges then closes now */
        frames_read(frames, 2, exam_within(exam, SETTLE_TIME));
    }
    if (still_open(exam, frames, STAGE_PING, "after the 101")) {
        return -1;
    }
    if (frames->pongs == 0) {
        report_fault(exam->report, STAGE_PING, carrier(exam, OWNER_SERVER),
                     exam->behind ? "no pong in %lu ms: the proxy holds back what is sent"
                                  : "no pong in %lu ms",
                     took);
        return -1;
    }
    report_good(exam->report, STAGE_PING, "a pong after %lu ms", took);
    return 0;
}

static int examine_idle(struct exam *exam, struct frames *frames)
{
    char when[64];
    uint64_t began = wspool_clock(), silence = exam->options->idle * WSPOOL_SECOND;
    unsigned pongs = frames->pongs, pings = frames->pings;
    if (exam->options->idle == 0) {
        return 0;
    }
    frames_read(frames, UINT32_MAX, began + silence);
    snprintf(when, sizeof when, "after %lu ms of silence", ms(wspool_clock() - began));
    exam->deadline += wspool_clock() - began;
    if (still_open(exam, frames, STAGE_IDLE, when)) {
        return -1;
    }
    frames_ping(frames, exam_within(exam, STEP_TIME));
    frames_read(frames, pongs + 1, exam_within(exam, STEP_TIME));
    if (still_open(exam, frames, STAGE_IDLE, when)) {
        return -1;
    }
    if (frames->pongs == pongs) {
        report_fault(exam->report, STAGE_IDLE, carrier(exam, OWNER_NETWORK), "no pong %s", when);
        return -1;
    }
    report_good(exam->report, STAGE_IDLE, "survived %u s; the endpoint pinged %u times",
                exam->options->idle, frames->pings - pings);
    return 0;
}

static void examine_close(struct exam *exam, struct frames *frames)
{
    frames_close(frames, exam_within(exam, CLOSE_TIME));
    if (frames->ending == END_NONE) {
        report_fault(exam->report, STAGE_CLOSE, carrier(exam, OWNER_SERVER),
                     "a Close is not answered");
    } else if (frames->ending == END_CLOSE && frames->code == WSPOOL_CLOSE_NORMAL) {
        report_good(exam->report, STAGE_CLOSE, "1000 is answered with 1000");
    } else if (frames->ending == END_CLOSE && frames->code == WSPOOL_CLOSE_NO_STATUS) {
        report_good(exam->report, STAGE_CLOSE, "1000 is answered with a Close without a code");
    } else {
        (void)still_open(exam, frames, STAGE_CLOSE, "where it should have answered one");
    }
}

void exam_opened(struct exam *exam)
{
    struct frames frames;
    char value[VALUE_ROOM];
    int compressed = answer_header(&exam->answer, "Sec-WebSocket-Extensions", value) != NULL;
    if (frames_init(&frames, &exam->t, compressed, exam->answer.body, exam->answer.body_len)) {
        return; /* out of memory: the stages are not judged */
    }
    if (examine_ping(exam, &frames) == 0 && examine_idle(exam, &frames) == 0) {
        examine_close(exam, &frames);
    }
    frames_fini(&frames);
}
