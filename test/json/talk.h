/* SPDX-License-Identifier: MIT */
/*
 * json/talk.h - a sim whose pool speaks wspool.v1.json, and a strict reader of what it says.
 *
 * A talk owns a sim and its companion. Whatever a peer is told in text is judged, in every test:
 * an object with exactly the members that wspool/json.h documents for its type, of their types
 * and within their bounds, in an order that a client can rely on: connection_established comes
 * first and once, a publication belongs to a channel that the peer was told it is subscribed to,
 * and has the offset that is next there.
 *
 * Each peer has a cursor in what it was told; talk_expect and its kin move it. JSON is written
 * with ' for " where a function says so.
 */
#ifndef WSPOOL_TEST_JSON_TALK_H
#define WSPOOL_TEST_JSON_TALK_H

#include "../sim/sim.h"

#include <wspool/json.h>

#define TALK_CLOCK UINT64_C(1753618154042)
#define TALK_TIME "2025-07-27T12:09:14.042Z"

typedef struct talk {
    sim *s;
    wspool_json *json;
    wspool_json_config config; /* change it, and s->config, before talk_start */
    uint64_t clock;            /* what the clock hook answers */
    const char *time;          /* how that is written */
    int may;                   /* what the subscribe hook answers: 0 */
    size_t asked;              /* how often it was asked; by whom, for what */
    wspool_id asker;
    char asked_for[WSPOOL_JSON_CHANNEL_MAX];
    void (*asking)(struct talk *t, wspool_id id); /* called in it */
    wspool_message_hook hear;                     /* the application's; none */
    int hookless;       /* the application has no open and no close hook */
    int loose;          /* peers join in silence, or messages are lost: their order is not judged */
    wspool_config sims; /* the hooks of the sim */
} talk;

talk *talk_new(void);
/* Attaches, makes the pool and the routes of sim_start. 0, or what failed (with s->no_memory). */
int talk_start(talk *t);
talk *talk_default(void);
/* Judges all that was said, and looks for leaks. */
void talk_free(talk *t);

/* Ways for a peer to come in. */
enum talk_way { TALK_RAW, TALK_BYTES, TALK_PENDING, TALK_HOSTED, TALK_HOSTED_PENDING, TALK_WAYS };
extern const char *const talk_ways[];
/* A talk whose peers come in by these ways; those with a pending verdict need a token hook. */
talk *talk_by(enum talk_way way);
sim_peer *talk_come(talk *t, enum talk_way way, const char *target);

/* Joins, and moves the cursor behind the greeting. */
sim_peer *talk_join(talk *t, const char *target);

/* Says a text (with ' for "), and pumps. */
void talk_say(sim_peer *p, const char *text);
/* The same after printf, without any change. */
void talk_print(sim_peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next message; it lives as long as the talk. */
const json_t *talk_next(sim_peer *p);
/* The next message has this type, and these data (with ' for "), and was said now. */
void talk_expect(sim_peer *p, const char *type, const char *data);
void talk_expect_error(sim_peer *p, const char *code, int retry, const char *id);
/* `met` is "" when no position was given, "recovered", or the reason why not. */
void talk_expect_subscribed(sim_peer *p, const char *channel, struct wspool_position at,
                            const char *met);
void talk_expect_publication(sim_peer *p, const char *type, const char *channel,
                             struct wspool_position at, const char *data);
/* There is nothing more. */
void talk_expect_silence(sim_peer *p);
/* Moves the cursor behind all that came. */
void talk_skip(sim_peer *p);

struct wspool_position talk_at(const talk *t, wspool_channel channel);
int talk_is_member(const talk *t, wspool_channel channel, const sim_peer *p);
/* To a channel; `data` with ' for ", or NULL. Answers what the call answered. */
int talk_publish(talk *t, wspool_channel channel, const char *type, const char *data);
/* JSON written with ' for ". */
json_t *talk_json(const char *text);

#endif
