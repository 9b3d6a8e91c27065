/* SPDX-License-Identifier: MIT */
/*
 * json/talk.h - a sim whose pool speaks wspool.v1.json, and a strict check of all that it sends.
 *
 * A talk owns a sim and a companion. In every test, each text message to a peer is checked against
 * wspool/json.h:
 * - it is an object with exactly the documented members of its type, of the documented JSON types,
 *   within their limits;
 * - connection_established is the first message, and is sent once;
 * - a publication belongs to a channel that the peer was told it is subscribed to, and has the next
 *   offset of that channel; so has what it is told to have missed. After `subscribed` with
 *   `recovered`, the first one may have any offset up to the one behind the head.
 *
 * Each peer has a cursor in its messages. The talk_expect functions compare the next message and
 * move the cursor. Where a comment says so, JSON is written with ' instead of ".
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
    wspool_json_config config; /* change it and s->config before talk_start */
    uint64_t clock;            /* result of the clock hook */
    const char *time;          /* `clock` as a timestamp */
    int may;                   /* result of the subscribe hook; default 0 */
    size_t asked;              /* calls of the subscribe hook; the last one's peer and channel */
    wspool_id asker;
    char asked_for[WSPOOL_JSON_CHANNEL_MAX];
    void (*asking)(struct talk *t, wspool_id id); /* called by the subscribe hook; optional */
    wspool_message_hook hear;                     /* the application's; default: absent */
    int hookless;                                 /* the application has no open and close hooks */
    int loose; /* do not check the order: peers join without `subscribed`, or messages are lost */
    wspool_history history; /* of the sessions of the route /kept/{name}; they fall behind. All
                               zero (default): there is no such route */
    enum wspool_priority priority; /* of these */
    uint64_t others;               /* bit n: the peer number n has another contract, and is not
                                      judged */
    wspool_config sims;            /* the sim's hooks */
} talk;

talk *talk_new(void);
/* Creates the companion, the pool and the routes of sim_start, and attaches. Returns 0, or an
 * error, which is permitted with s->no_memory only; there is no pool then. */
int talk_start(talk *t);
talk *talk_default(void);
/* Checks all messages and that nothing has leaked, and frees everything. */
void talk_free(talk *t);

/* Ways for a peer to connect. */
enum talk_way { TALK_RAW, TALK_BYTES, TALK_PENDING, TALK_HOSTED, TALK_HOSTED_PENDING, TALK_WAYS };
extern const char *const talk_ways[];
/* Returns a talk whose peers can connect in this way: a pending verdict needs a token hook. */
talk *talk_by(enum talk_way way);
sim_peer *talk_come(talk *t, enum talk_way way, const char *target);

/* Connects a peer whose client instance is `c` with its number, and skips its first messages. The
 * target has no query. */
sim_peer *talk_join(talk *t, const char *target);

/* Sends the action N of a peer that talk_join has connected, and pumps the sim. */
void talk_act(sim_peer *p, uint64_t n, const char *name);
/* The next message is the ack of it. */
void talk_expect_ack(sim_peer *p, uint64_t n, const char *result);

/* Sends a text (with ' for ") and pumps the sim. */
void talk_say(sim_peer *p, const char *text);
/* The same with printf's formats; quotes are not replaced. */
void talk_print(sim_peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns the next message, which is valid as long as the talk. Fails if there is none. */
const json_t *talk_next(sim_peer *p);
/* The next message has this type, these data (with ' for ") and the present timestamp. */
void talk_expect(sim_peer *p, const char *type, const char *data);
void talk_expect_error(sim_peer *p, const char *code, int retry, const char *id);
/* The same, and the error names exactly this channel; NULL: none. */
void talk_expect_channel_error(sim_peer *p, const char *code, int retry, const char *channel);
/* `met`: "" if the client gave no position, "recovered", or the reason why it is not, with " reset"
 * behind it if the whole state follows. */
void talk_expect_subscribed(sim_peer *p, const char *channel, wspool_channel_position at,
                            const char *met);
void talk_expect_missed(sim_peer *p, const char *channel, uint64_t from, uint64_t to);
void talk_expect_publication(sim_peer *p, const char *type, const char *channel,
                             wspool_channel_position at, const char *data);
/* A publication of type "put" with a key (NULL: none), or the removal of a key ("removed": without
 * data). */
void talk_expect_keyed(sim_peer *p, wspool_channel channel, uint64_t offset, const char *key,
                       const char *data);
/* There are no more messages. */
void talk_expect_silence(sim_peer *p);
/* Moves the cursor to the end. */
void talk_skip(sim_peer *p);

wspool_channel_position talk_at(const talk *t, wspool_channel channel);
/* Returns the target of a client that has seen everything up to `offset` of a session. Valid until
 * the next call. */
const char *talk_target_at(const talk *t, wspool_channel session, uint64_t offset);
int talk_is_member(const talk *t, wspool_channel channel, const sim_peer *p);
/* Publishes; `data` with ' for ", or NULL. Returns the result of wspool_json_broadcast. */
int talk_publish(talk *t, wspool_channel channel, const char *type, const char *data);
/* Parses JSON written with ' for ". */
json_t *talk_json(const char *text);

#endif
