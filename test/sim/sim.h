/* SPDX-License-Identifier: MIT */
/*
 * sim/sim.h - a whole pool without sockets. The test sets the clock by hand.
 *
 * A sim owns one pool, a seed and virtual peers. Each peer is both sides of a transport. The host's
 * side is driven as the sketch in wspool/wspool.h says. The client's side writes requests and
 * frames and reads strictly (sim/client.h). Between them the bytes can be cut at random points in
 * both directions, and a transport can stand still, end or fail.
 *
 * What is checked:
 * - Every hook call is recorded, in order.
 * - After each call made by SIM_IN outside all hooks, in builds with WSP_CHECK, the newest pool of
 *   the thread must pass wspool_check. With more than a few peers this is done less often, so that
 *   it takes only a share of the time.
 * - After each pump the counters must balance, and agree with what was counted from outside.
 * - When a sim is freed, each open peer has ended exactly once, each identity was freed exactly
 *   once, and every block of memory was freed.
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
#define SIM_EPOCH UINT64_C(1700000000000) /* the wall clock when a sim's clock is at 0 */

typedef struct sim sim;
typedef struct sim_peer sim_peer;

enum sim_what {
    SIM_OPENED,
    SIM_MESSAGE,
    SIM_CLOSED,
    SIM_EXPIRING,
    SIM_RENEWED,
    SIM_MISSED,
    SIM_PRESSURE,
    SIM_CHANNEL,
    SIM_LOG,
    SIM_TOKEN,
    SIM_CAPACITY,
    SIM_VERDICT,
    SIM_IDENTITY_FREED,
    SIM_WHATS
};

/* The arguments of a hook. Fields that a hook does not have are zero. */
typedef struct sim_event {
    enum sim_what what;
    wspool_id id;
    sim_peer *peer;
    uint64_t now;
    /* end; reason of a refused token, -1: accepted; above the watermark; channel active; HTTP status; log level; has a request; missed with
     * a reset */
    long number;
    uint64_t count;      /* kind of a channel; first offset that was missed; expiry of a token */
    uint64_t last;       /* last offset that was missed; time until the expiry */
    char text[300];      /* channel or event */
    char reason[64];     /* of a log record; or subprotocol; or token; or "reset" */
    char query[64];      /* of the open hook */
    char negotiated[64]; /* of the open hook: the extension */
    char address[128];
    size_t len;       /* of the message, or of the channel's name */
    const void *data; /* these bytes; valid only while the hook runs */
} sim_event;

/* How the transports cut the bytes. */
enum sim_chop {
    SIM_WHOLE,  /* not at all */
    SIM_RANDOM, /* at random in both directions; peeks with few vectors */
    SIM_BYTES   /* reads of one byte */
};

struct sim_peer {
    sim *sim;
    size_t number;
    wspool_id id;
    /* The transport. */
    blob in; /* written by the client */
    size_t fed;
    size_t room;  /* bytes that it still accepts; SIZE_MAX: no limit */
    int reading;  /* the pool wants to read */
    int blocked;  /* an ack was short, and writable was not called since */
    int waiting;  /* hosted: not adopted yet */
    int cut;      /* it has ended: 1 + enum wspool_gone_why */
    int told;     /* and the pool was told */
    int listed;   /* wspool_next listed it for CLOSE */
    int reset;    /* with RESET, too */
    int released; /* the id is stale */
    uint64_t released_at;
    struct iovec flight[16]; /* an asynchronous write that is under way */
    int flights;
    blob flown; /* the bytes when that write began */
    int ignored;
    int away; /* wspool_under_way was called for that write */
    /* The client. */
    reader reader;
    size_t seen;
    int mute_pings; /* does not send Pongs */
    int mute_close;
    int said_close;
    uint64_t hash; /* of all bytes that the pool sent */
    /* What the hooks reported. */
    int opened;
    int ended;
    uint64_t opened_at;
    uint64_t ended_at;
    wspool_closed closed;
    uint64_t missed; /* messages, in all channels */
    int above;
    got *heard; /* messages of the message hook */
    size_t heards;
    size_t heard_cap;
    void *test; /* free for use by the test */
};

typedef struct sim_identity {
    int freed;
} sim_identity;

struct sim {
    wspool *pool;
    wspool_config config; /* may be changed before sim_start */
    sim_heap heap;
    uint64_t seed;
    uint64_t entropy; /* state of the entropy hook */
    uint64_t rng;
    uint64_t now;
    enum sim_chop chop;
    unsigned async;   /* percentage of writes that end in a later turn */
    int says_away;    /* and wspool_under_way is called for them */
    int no_memory;    /* calls may return NOMEM */
    int keep_heard;   /* peers keep the messages of the message hook; default 1 */
    int keep_journal; /* default 1 */
    /* How the hooks behave; set before sim_start. */
    int ask_token;
    int ask_capacity;
    wspool_verdict verdict; /* what the token hook returns */
    int grant;              /* when it accepts: grant a new identity */
    int full;               /* what the capacity hook returns */
    const char *address;    /* of the next peers; NULL: none */
    const char *key;
    const char *subject;
    /* called in each hook, after the event was recorded */
    void (*react)(sim *s, const sim_event *event);
    void *test;
    /* The peers. */
    sim_peer **peers;
    size_t peer_count;
    size_t peer_cap;
    size_t first_live; /* all peers before it are released */
    /* The record. */
    sim_event *events;
    size_t event_count;
    size_t event_cap;
    size_t counts[SIM_WHATS];
    blob journal;
    atomic_int wakes;
    sim_identity **identities;
    size_t identity_count;
    /* Counted from outside the pool. */
    uint64_t attempts;
    uint64_t opened;
    uint64_t ended[WSPOOL_END_COUNT];
    uint64_t messages;
    uint64_t fed;
    uint64_t acked;
    uint64_t short_acks;
    long active;    /* active channels */
    uint64_t turns; /* of all pumps */
    size_t steps;   /* until the next check of the pool */
};

/* Returns 1 where everything takes about ten times as long (sanitizers, valgrind): a test may do
 * less then. */
int sim_slow(void);

/* Makes a sim: a config with all hooks, the counted heap, and entropy from the seed. */
sim *sim_new(uint64_t seed);
/* Makes the pool with the routes /echo, /all (GLOBAL "all"), /room/{name} (ITEM). */
void sim_start(sim *s);
/* Makes the pool without routes. Returns NOMEM only when no_memory is set and an allocation
 * failed. */
int sim_start_bare(sim *s);
/* sim_new and sim_start with the default config. */
sim *sim_default(uint64_t seed);
void sim_free(sim *s);
/* Frees the pool only, so that a test can look at what follows. */
void sim_free_pool(sim *s);
/* The server is restarted: the pool and every transport are gone, and the counts from outside begin
 * anew. Call sim_start or sim_start_bare next; the new pool has other entropy. */
void sim_lose_pool(sim *s);

uint64_t sim_random(sim *s);
uint64_t sim_below(sim *s, uint64_t limit);
uint64_t sim_mix(uint64_t *state);

/* ------------------------------------------------------------------ peers */

/* Opens a transport and writes nothing. Returns NULL when the pool refused, and its error in
 * *why. */
sim_peer *sim_open(sim *s, int *why);
/* Opens a transport and writes the request; the next pump feeds it. */
sim_peer *sim_connect(sim *s, const client_request *request);
sim_peer *sim_connect_to(sim *s, const char *target);
/* Connects and pumps until the peer is open. Returns NULL only with no_memory. */
sim_peer *sim_join(sim *s, const char *target);
/* The same for a peer whose subject the host knows; NULL: it has none. */
sim_peer *sim_join_as(sim *s, const char *subject, const char *target);
/* Connects, pumps, and expects this refusal with everything that belongs to it. `word` NULL:
 * any. */
sim_peer *sim_refused(sim *s, const client_request *request, int status, const char *word);
/* Expects that this refusal was received already. */
void sim_expect_refusal(sim_peer *p, int status, const char *word);

/* Hosted mode. Returns the result of wspool_upgrade; *p is the peer, or NULL when it was
 * refused. */
int sim_upgrade(sim *s, const client_request *request, wspool_answer *answer, sim_peer **p);
int sim_adopt(sim_peer *p, const void *bytes, size_t len);

/* The client writes bytes. They are fed at the next pump. */
void sim_write(sim_peer *p, const void *bytes, size_t len);
void sim_frame(sim_peer *p, unsigned first, const void *payload, size_t len);
void sim_text(sim_peer *p, const char *text);
void sim_ping(sim_peer *p, const char *payload);
/* The client sends a Close; code 0: a Close without a code. */
void sim_say_close(sim_peer *p, int code, const char *reason);
/* Ends the transport: behind all bytes that were written, or at once with FAILED. */
void sim_cut(sim_peer *p, enum wspool_gone_why why);
/* The transport accepts nothing more; or it accepts bytes again. */
void sim_stall(sim_peer *p);
void sim_flow(sim_peer *p);
void sim_flow_all(sim *s);

/* ------------------------------------------------------------------- time */

/* Runs turns of the loop until nothing changes, then checks the counters. */
void sim_pump(sim *s);
/* Runs one turn. Returns 1 when something changed. */
int sim_turn(sim *s);
/* Lets time pass; sleeps from deadline to deadline as a host does. */
void sim_pass(sim *s, uint64_t time);
/* Checks that the pool's counters balance and agree with what was counted from outside. */
void sim_books(sim *s);
/* Returns the stats of the pool. */
wspool_statistics sim_stats(const sim *s);

/* ----------------------------------------------------------------- record */

/* Returns the n-th event of a kind, or NULL. */
const sim_event *sim_event_of(const sim *s, enum sim_what what, size_t n);
/* Returns the number of log records of this event. */
size_t sim_logged(const sim *s, const char *event);

/* Expects that an open peer ended exactly once, with this reason, and that its transport is
 * closed. */
void sim_expect_end(const sim_peer *p, enum wspool_end why);
/* Expects in addition that this code was sent, on the wire and in the hook. */
void sim_expect_close(const sim_peer *p, enum wspool_end why, int code);
/* Expects that the peer is open and no fault was found. */
void sim_expect_open(const sim_peer *p);
/* Expects the n-th message that the client received. */
void sim_expect_message(const sim_peer *p, size_t n, const char *text);

sim_identity *sim_identity_new(sim *s);
int sim_broadcast(sim *s, wspool_channel channel, const char *text);
int sim_send(sim_peer *p, const char *text);

#endif
