/* SPDX-License-Identifier: MIT */
/*
 * sim/sim.h - a whole pool without sockets, under a clock held by hand.
 *
 * A sim owns one pool, a seed and virtual peers. Each peer is both ends of a transport: the
 * host's, which is driven exactly as the sketch in wspool/wspool.h says, and the client's, which
 * writes requests and frames and reads strictly (sim/client.h). Between the two the bytes can be
 * cut at random points in both directions, a transport can stand still, end or fail.
 *
 * Every hook is recorded, in order. Behind each call that is made by SIM_IN, from outside of all
 * hooks, the newest pool of the thread must pass wspool_check, in builds with WSP_CHECK; with more
 * than a few peers only now and then, so that it takes no more than a share of the time. Behind each
 * pump the books must balance, and the numbers agree with what was seen from outside. A sim that is freed has seen each
 * open peer end exactly once, each identity freed exactly once, and every block of memory back.
 */
#ifndef WSPOOL_TEST_SIM_H
#define WSPOOL_TEST_SIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/wspool.h>

#include "../tools/test.h"
#include "client.h"
#include "heap.h"

#define MS WSPOOL_MILLISECOND
#define SEC WSPOOL_SECOND

typedef struct sim sim;
typedef struct sim_peer sim_peer;

enum sim_what {
    SIM_OPENED,
    SIM_MESSAGE,
    SIM_CLOSED,
    SIM_DROPPED,
    SIM_PRESSURE,
    SIM_CHANNEL,
    SIM_LOG,
    SIM_TOKEN,
    SIM_CAPACITY,
    SIM_VERDICT,
    SIM_IDENTITY_FREED,
    SIM_WHATS
};

/* What a hook was told. Fields that a hook does not have are zero. */
typedef struct sim_event {
    enum sim_what what;
    wspool_id id;
    sim_peer *peer;
    uint64_t now;
    long number;     /* end, pressed, present, HTTP status, level, request is there */
    uint64_t count;  /* messages dropped; kind of a channel */
    char text[300];  /* channel or event */
    char reason[64]; /* of a log record; subprotocol; token */
    char query[64];  /* of the open hook */
    char agreed[64]; /* the same: the extension */
    char address[128];
    size_t len;       /* of the message, or of the channel's name */
    const void *data; /* those bytes; only while the hook runs */
} sim_event;

/* How the transports cut what passes. */
enum sim_chop {
    SIM_WHOLE,  /* not at all */
    SIM_RANDOM, /* at random, both ways, and vectors are peeked a few at a time */
    SIM_BYTES   /* reads of one byte */
};

struct sim_peer {
    sim *sim;
    size_t number;
    wspool_id id;
    /* the transport */
    blob in; /* written by the client */
    size_t fed;
    size_t room;  /* bytes that it takes yet; SIZE_MAX: no end */
    int reading;  /* the pool wants to read */
    int blocked;  /* an ack fell short, and nobody has said writable since */
    int waiting;  /* hosted: not adopted yet */
    int cut;      /* it ended: 1 + enum wspool_gone_why */
    int told;     /* and the pool knows */
    int listed;   /* for CLOSE */
    int reset;    /* with RESET beside it */
    int released; /* the id is stale */
    uint64_t released_at;
    struct iovec flight[16]; /* a write under way, with asynchronous writes */
    int flights;
    blob flown; /* what it looked like when it began */
    int ignored;
    int away; /* the pool knows of that write: wspool_under_way */
    /* the client */
    reader reader;
    size_t seen;
    int mute_pings; /* does not answer */
    int mute_close;
    int said_close;
    uint64_t hash; /* of all bytes that the pool sent */
    /* what the hooks said */
    int opened;
    int ended;
    uint64_t opened_at;
    uint64_t ended_at;
    wspool_closed closed;
    uint64_t dropped;
    int pressed;
    got *heard; /* messages */
    size_t heards;
    size_t heard_cap;
    void *test; /* for the test */
};

typedef struct sim_identity {
    int freed;
} sim_identity;

struct sim {
    wspool *pool;
    wspool_config config; /* change it before sim_start */
    sim_heap heap;
    uint64_t seed;
    uint64_t entropy; /* what the entropy hook draws from */
    uint64_t rng;
    uint64_t now;
    enum sim_chop chop;
    unsigned async;   /* percent of writes that end in a later turn */
    int says_away;    /* and the pool is told */
    int no_memory;    /* calls may answer NOMEM */
    int keep_heard;   /* peers keep what the message hook got: 1 */
    int keep_journal; /* 1 */
    /* knobs of the hooks; set before sim_start */
    int ask_token;
    int ask_capacity;
    wspool_verdict verdict; /* what the token hook answers */
    int grant;              /* and when it accepts, a new identity with it */
    int full;               /* what the capacity hook answers */
    const char *address;    /* of the next peers; NULL: none */
    const char *key;
    void (*react)(sim *s, const sim_event *event); /* called in each hook, once recorded */
    void *test;
    /* peers */
    sim_peer **peers;
    size_t peer_count;
    size_t peer_cap;
    size_t first_live; /* all before it are released */
    /* record */
    sim_event *events;
    size_t event_count;
    size_t event_cap;
    size_t counts[SIM_WHATS];
    blob journal;
    atomic_int wakes;
    sim_identity **identities;
    size_t identity_count;
    /* what was seen from outside */
    uint64_t attempts;
    uint64_t opened;
    uint64_t ended[WSPOOL_END_COUNT];
    uint64_t messages;
    uint64_t fed;
    uint64_t acked;
    uint64_t short_acks;
    long present;   /* channels */
    uint64_t turns; /* of pumps, ever */
    size_t steps;   /* until the next look at the pool */
};

/* Are we where everything takes ten times as long? Then a test may do less. */
int sim_slow(void);

/* Config with all hooks, this heap, and entropy from the seed. */
sim *sim_new(uint64_t seed);
/* Makes the pool, with the routes /echo, /all (GLOBAL "all"), /room/{name} (ITEM). */
void sim_start(sim *s);
/* The same without routes; NOMEM when no_memory is set and there was none. */
int sim_start_bare(sim *s);
/* Both in one, with the defaults. */
sim *sim_default(uint64_t seed);
void sim_free(sim *s);
/* The pool only, for a look at what follows. */
void sim_free_pool(sim *s);

uint64_t sim_random(sim *s);
uint64_t sim_below(sim *s, uint64_t limit);
uint64_t sim_mix(uint64_t *state);

/* ------------------------------------------------------------------ peers */

/* A transport, nothing written. NULL when the pool said no; *why then has its answer. */
sim_peer *sim_open(sim *s, int *why);
/* Opens and writes the request; it is fed by the pump. */
sim_peer *sim_connect(sim *s, const client_request *request);
sim_peer *sim_connect_to(sim *s, const char *target);
/* Connects and pumps until it is open. NULL only with no_memory. */
sim_peer *sim_join(sim *s, const char *target);
/* Connects, pumps, and expects this answer, with all that belongs to a refusal. The word may be
 * NULL: any. */
sim_peer *sim_refused(sim *s, const client_request *request, int status, const char *word);
/* The answer that is there already. */
void sim_expect_refusal(sim_peer *p, int status, const char *word);

/* Hosted: *p is the peer, NULL when it was refused. Answers what wspool_upgrade answered. */
int sim_upgrade(sim *s, const client_request *request, wspool_answer *answer, sim_peer **p);
int sim_adopt(sim_peer *p, const void *bytes, size_t len);

/* The client writes. Nothing is fed before the next pump. */
void sim_write(sim_peer *p, const void *bytes, size_t len);
void sim_frame(sim_peer *p, unsigned first, const void *payload, size_t len);
void sim_text(sim_peer *p, const char *text);
void sim_ping(sim_peer *p, const char *payload);
/* A Close; code 0: without one. */
void sim_say_close(sim_peer *p, int code, const char *reason);
/* The transport ends: after all that was written, or at once with FAILED. */
void sim_cut(sim_peer *p, enum wspool_gone_why why);
/* It takes nothing more; it flows again. */
void sim_stall(sim_peer *p);
void sim_flow(sim_peer *p);
void sim_flow_all(sim *s);

/* ------------------------------------------------------------------- time */

/* Turns of the loop until nothing moves; then the books. */
void sim_pump(sim *s);
/* One turn; 1 when something moved. */
int sim_turn(sim *s);
/* Lets time pass, sleeping from deadline to deadline as a host would. */
void sim_pass(sim *s, uint64_t time);
/* Compares the pool's numbers with the books and with what was seen. */
void sim_books(sim *s);
/* The stats, for a look. */
struct wspool_stats sim_stats(const sim *s);

/* ----------------------------------------------------------------- record */

/* The n-th event of a kind, or NULL. */
const sim_event *sim_event_of(const sim *s, enum sim_what what, size_t n);
/* How many log records of this event. */
size_t sim_logged(const sim *s, const char *event);

/* A peer that was open has ended, once, with this reason, and its transport is closed. */
void sim_expect_end(const sim_peer *p, enum wspool_end why);
/* And this code went out, on the wire and in the hook. */
void sim_expect_close(const sim_peer *p, enum wspool_end why, int code);
/* It is open and well. */
void sim_expect_open(const sim_peer *p);
/* The n-th message that the client got. */
void sim_expect_message(const sim_peer *p, size_t n, const char *text);

sim_identity *sim_identity_new(sim *s);
int sim_broadcast(sim *s, wspool_channel channel, const char *text);
int sim_send(sim_peer *p, const char *text);

#endif
