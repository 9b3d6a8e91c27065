/* SPDX-License-Identifier: MIT */
/*
 * wspool/config.h - what a pool is told once, when it is made: limits, times, hooks.
 *
 * Fill a wspool_config with wspool_config_init, change what you want, give it to wspool_new. The
 * pool copies all of it, strings too. Every default below is also the value that init writes.
 *
 * What judges a peer by what did not come gives it a last chance, so that what came while the host
 * stood still is read first: 33 ms, or as long as the host is late, up to 1 s. While output is
 * blocked nothing is read, and those deadlines stand still.
 *
 * Times are durations in nanoseconds (WSPOOL_SECOND). 0 switches a deadline off unless its
 * comment says otherwise; none is longer than WSPOOL_LONGEST.
 */
#ifndef WSPOOL_CONFIG_H
#define WSPOOL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/close.h>
#include <wspool/codec.h>
#include <wspool/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool wspool;

/* The one name of a peer: slot in the low 32 bits, generation in the high ones. Never 0 for a
 * peer, and after wspool_release not the same again for 2^31 uses of the slot. */
typedef uint64_t wspool_id;

#define WSPOOL_MILLISECOND UINT64_C(1000000)
#define WSPOOL_SECOND UINT64_C(1000000000)
#define WSPOOL_LONGEST (UINT64_C(100) * 366 * 86400 * WSPOOL_SECOND) /* a century */

/* ------------------------------------------------------------------ hooks
 *
 * Hooks run on the pool's thread, inside the call that caused them, except `wake`. Pointers given
 * to a hook live until it returns. All hooks may be absent (call == NULL). From any of them, but
 * mem, entropy, wake and deadline, which must not call the pool:
 *
 *   the host may    close, send, broadcast, subscribe, unsubscribe, nuisance, drain, open, gone,
 *                   peek, ack, writable, next, and read what it likes
 *   it may not      feed, tick, adopt, upgrade, route, release, free: WSPOOL_ERR_REENTRANT
 */

/* Memory. All three or none. Called on the pool's thread, `malloc` and `free` also on the
 * thread of a wspool_auth_complete. wslay's own allocations (4.3 KB while a frame is under way)
 * go to the C library: it has no hook for them. */
typedef struct wspool_mem {
    void *(*malloc)(size_t size, void *user);
    void *(*realloc)(void *block, size_t size, void *user);
    void (*free)(void *block, void *user);
    void *user;
} wspool_mem;

/* Fills `len` bytes that nobody can guess; 0, or anything else when it can't. Asked once, at
 * wspool_new, for 32 bytes. Default: the operating system's. */
typedef struct wspool_entropy_hook {
    int (*call)(void *bytes, size_t len, void *user);
    void *user;
} wspool_entropy_hook;

/* Is this token good? When the hook is there every route asks it, but those with
 * WSPOOL_ROUTE_OPEN; a request without a token has then been refused already (401 empty_token).
 * Write the verdict into *out (all zero when called: a no). With WSPOOL_PENDING keep the id and
 * answer through wspool_auth_complete; the request itself does not outlive the hook. */
typedef struct wspool_token_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                 void *user);
    void *user;
} wspool_token_hook;

/* Is there room for one more? 0 is yes, anything else is no (503). Answers at once: sample
 * what is slow to measure beforehand. `request` is NULL after a pending verdict. */
typedef struct wspool_capacity_hook {
    int (*call)(wspool *pool, wspool_id id, const wspool_request *request, void *user);
    void *user;
} wspool_capacity_hook;

/* Hosted mode only: a pending request has been decided. With status 101 send the answer and
 * call wspool_adopt after the hook has returned; otherwise send it, and forget the id. */
typedef struct wspool_verdict_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_answer *answer, void *user);
    void *user;
} wspool_verdict_hook;

/* A peer is open. It is already a member of its route's channel; what is sent from here on goes
 * behind the 101. Everything not listed here: wspool_user, wspool_identity. */
typedef struct wspool_opened {
    void *route_user;
    wspool_text channel;     /* the name that the path gave; empty when none */
    wspool_text subprotocol; /* empty when none was chosen */
    wspool_text query;       /* of the target, raw; empty when there was none */
    wspool_text extension;   /* what the codec has agreed to, as it was answered; empty: nothing */
    wspool_text address;     /* what the host gave to wspool_open or wspool_upgrade; empty: none */
} wspool_opened;

typedef struct wspool_open_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_opened *opened, void *user);
    void *user;
} wspool_open_hook;

/* A whole message has come: unmasked, put together, and when it is text, valid UTF-8. */
typedef struct wspool_message {
    const uint8_t *data;
    size_t len;
    int binary;
    void *route_user;
} wspool_message;

typedef struct wspool_message_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_message *message, void *user);
    void *user;
} wspool_message_hook;

/* A peer that was open has ended. Called exactly once for each open hook; the peer has left
 * every channel. The transport is still the host's to close: wspool_next says when. */
typedef struct wspool_closed {
    enum wspool_end why;
    int code_sent;          /* close code that left us; 1005: an empty Close; 0: none did */
    int code_received;      /* 1005 when the Close had none, 1006 when there was no Close */
    uint64_t open_for;      /* nanoseconds from accepted to ended */
    uint64_t messages_lost; /* queued for this peer and never sent */
} wspool_closed;

typedef struct wspool_close_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_closed *closed, void *user);
    void *user;
} wspool_close_hook;

/* Messages for a slow peer were dropped by its channel's policy, since the last such call. */
typedef struct wspool_dropped {
    uint64_t messages;
} wspool_dropped;

typedef struct wspool_drop_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_dropped *dropped, void *user);
    void *user;
} wspool_drop_hook;

/* The peer's queue has risen above half of its limit in bytes or messages (pressed = 1), or has
 * fallen to an eighth of both again (0). */
typedef struct wspool_pressure_hook {
    void (*call)(wspool *pool, wspool_id id, int pressed, void *user);
    void *user;
} wspool_pressure_hook;

enum wspool_kind {
    WSPOOL_NONE = 0, /* a route without a channel */
    WSPOOL_GLOBAL,
    WSPOOL_ITEM,
    WSPOOL_SESSION,
    WSPOOL_TOPIC
};

/* A channel: its kind and the bytes of its name, 0 to 255 of any value. Kinds never collide. */
typedef struct wspool_channel {
    enum wspool_kind kind;
    const void *name;
    size_t len;
} wspool_channel;

/* The first member came (present = 1) or the last one went (0): what a bus upstream follows. */
typedef struct wspool_channel_hook {
    void (*call)(wspool *pool, wspool_channel channel, int present, void *user);
    void *user;
} wspool_channel_hook;

/* The identity pointer of a verdict is not needed any more. */
typedef struct wspool_identity_free_hook {
    void (*call)(void *identity, void *user);
    void *user;
} wspool_identity_free_hook;

/* ANY THREAD. Something waits for the pool's thread: make its loop call wspool_tick soon (write
 * to an eventfd, say). Calls are coalesced. May be called while the pool's thread is inside the
 * pool; must not call the pool. */
typedef struct wspool_wake_hook {
    void (*call)(void *user);
    void *user;
} wspool_wake_hook;

/* wspool_deadline has become earlier than it was when wspool_next last returned 0 (or than "never",
 * when it has not yet): something was published, closed, opened or armed outside of the loop's
 * turn. Let the loop take a turn, or arm its timer anew. Called on the pool's thread, when the call
 * that caused it is done, at most once until wspool_next returns 0 again; now and then in vain. It
 * must not call the pool, but for wspool_deadline. */
typedef struct wspool_deadline_hook {
    void (*call)(void *user);
    void *user;
} wspool_deadline_hook;

enum wspool_log_level { WSPOOL_LOG_DEBUG, WSPOOL_LOG_INFO, WSPOOL_LOG_WARNING, WSPOOL_LOG_ERROR };

/* One line of log, in fields. `event` and `reason` are words of this library, so nothing that a
 * peer can say is in a record, and no token. Each event may come 20 times at once and 10 times a
 * second from then on; `suppressed` counts those left out before this one. */
typedef struct wspool_log_record {
    enum wspool_log_level level;
    const char *event;  /* "opened", "closed", "refused", "slow", "shed", "drain", "nuisance" */
    const char *reason; /* text of the end, or word of the refusal; "" when there is none */
    wspool_id id;       /* 0 when it is not about one peer */
    enum wspool_stage stage; /* with "refused": where it ended */
    int status;              /* with "refused": the HTTP status, 0 when nobody was left */
    int code;                /* with "closed": the close code received */
    uint64_t now;
    uint64_t suppressed;
} wspool_log_record;

typedef struct wspool_log_hook {
    void (*call)(wspool *pool, const wspool_log_record *record, void *user);
    void *user;
} wspool_log_hook;

/* ----------------------------------------------------------------- limits */

/* What happens to a message when a peer's queue is full. */
enum wspool_slow {
    WSPOOL_SLOW_CLOSE = 0,   /* the peer is closed with 4100 */
    WSPOOL_SLOW_DROP_NEWEST, /* this message is not queued for it */
    WSPOOL_SLOW_DROP_OLDEST  /* the oldest messages that still wait make room */
};

/* Where a token may be, tried in the order of the configuration. */
enum wspool_token_place {
    WSPOOL_TOKEN_NOWHERE = 0,   /* ends the list */
    WSPOOL_TOKEN_AUTHORIZATION, /* Authorization: Bearer TOKEN */
    WSPOOL_TOKEN_SUBPROTOCOL,   /* an offered subprotocol "bearer.TOKEN"; it is never chosen */
    WSPOOL_TOKEN_COOKIE,        /* cookie named wspool_token */
    WSPOOL_TOKEN_QUERY          /* ?token=TOKEN, percent-decoded */
};
#define WSPOOL_TOKEN_PLACES 4

/* Longest token that is looked at; a longer one is refused (401 malformed). Bytes. */
#define WSPOOL_TOKEN_MAX 8192
/* Longest channel name, bytes. */
#define WSPOOL_NAME_MAX 255

typedef struct wspool_config {
    size_t size; /* sizeof(wspool_config), written by wspool_config_init */

    /* how many */
    uint32_t max_peers;         /* accepted at a time: 1000; above it 503 full */
    uint32_t max_handshakes;    /* on their way in at a time: 1000; above it WSPOOL_ERR_FULL */
    uint32_t channels_per_peer; /* 128, that of its route included. Not 0 */

    /* what one peer may send */
    uint32_t head_bytes;     /* request head, or a hosted request's target: 16384; above it 431.
                                At most 65536 */
    uint32_t head_count;     /* headers: 64; above it 431. At most 256 */
    uint32_t message_bytes;  /* a message, all its fragments: 65536; above it close 1009. < 2^30 */
    uint32_t nuisance_burst; /* pings, unasked pongs, fragments below 16 bytes at once: 10000;
                                above it close 4103. 0: no budget. At most 65535 */
    uint32_t nuisance_rate;  /* how many of them a second are forgiven: 330 */

    /* what may wait to be sent */
    uint32_t queue_bytes;    /* to one peer: 262144. < 2^30 */
    uint32_t queue_messages; /* to one peer: 1024 */
    uint64_t pool_bytes;   /* to all of them, in memory of blocks (16 KiB and up), so that a message
                                counts once however many wait for it: 67108864. Above it those
                                blocked peers that hold most of it are closed, 4101 */
    enum wspool_slow slow; /* for channels that no route names: WSPOOL_SLOW_CLOSE */

    /* how long */
    uint64_t handshake_time; /* first byte (or opening) to verdict: 10 s; then 408. Not 0 */
    uint64_t verdict_time;   /* a pending token verdict: 30 s; then 503. Not 0 */
    uint64_t message_time;   /* a message, first byte to last: 30 s, plus 1 s for each 4 KiB come */
    uint64_t idle_time;      /* nothing at all from the peer: off; then close 1001 */
    uint64_t ping_interval;  /* between pings: 30 s */
    uint64_t pong_time;   /* from when a ping has left to any sign of life, or of progress of output
                                that was blocked: 10 s, plus 1 s for each 4 KiB that went in bulk
                                before it, up to flush_time; then it is dead. Not 0 while pings
                                are on */
    uint32_t ping_jitter; /* percent by which each interval varies: 10. At most 50 */
    uint64_t flush_time;  /* blocked output without a byte of progress: 30 s; then it is dead */
    uint64_t closing_time; /* our Close to its answer: 5 s; then it is dead. Not 0 */
    uint64_t lifetime;     /* of a peer, in all: off; then close 4202 */
    uint32_t retry_after;  /* seconds, in the Retry-After of a 503: 5 */

    /* who may come in */
    const char *const *subprotocols; /* ours, ends in NULL; the first that the client offers and
                                        we have is chosen. Each is a token (RFC 9110, 5.6.2) of at
                                        most 255 bytes, not "bearer.*". NULL: none */
    const char *const *origins;      /* allowed beside the same host: "https://a.example:8443",
                                        ends in NULL. NULL: none */
    int any_origin;                  /* 1: do not look at Origin at all. 0 */
    enum wspool_token_place token_places[WSPOOL_TOKEN_PLACES]; /* all, in the order above */

    wspool_mem mem; /* all NULL: malloc, realloc, free */
    wspool_entropy_hook entropy;
    wspool_token_hook token;
    wspool_capacity_hook capacity;
    wspool_verdict_hook verdict;
    wspool_open_hook open;
    wspool_message_hook message;
    wspool_close_hook close;
    wspool_drop_hook drop;
    wspool_pressure_hook pressure;
    wspool_channel_hook channel;
    wspool_identity_free_hook identity_free;
    wspool_wake_hook wake;
    wspool_log_hook log;
    wspool_codec_hook codec; /* none; see wspool/deflate.h */

    uint64_t flush_delay; /* how long a message may wait for others to join it in one write: off; at
                             most a second. Control frames don't wait, nor does who has half a queue
                             waiting. What is published in one turn of the loop, or while output is
                             blocked, is joined without this */
    wspool_deadline_hook deadline;

    uint32_t max_per_key; /* peers of one key, from wspool_open (or wspool_upgrade) to release: off;
                             above it WSPOOL_ERR_FULL */

    /* what a peer may cause in a turn of the loop, and a message more; the rest of its input waits
     * for the next wspool_tick, and until then the peer is not read */
    uint32_t turn_bytes; /* made of its input by the codec, without deliveries: 1048576. Not 0 */
    uint32_t turn_deliveries; /* messages sent and broadcast, one for each receiver: 10000. Not 0 */
} wspool_config;

/* Any thread. Writes every default. Use it as wspool_config_init(&config); `size` is there so
 * that a host compiled against an older header gets what it knows. */
void wspool_config_init_sized(wspool_config *config, size_t size);
#define wspool_config_init(config) wspool_config_init_sized((config), sizeof(wspool_config))

#define WSPOOL_ROUTE_OPEN 1u /* the token hook is not asked on this route */

typedef struct wspool_route_options {
    size_t size; /* sizeof(wspool_route_options) */
    unsigned flags;
    const char *name;       /* of the channel, when the pattern has no {parameter}: "" */
    void *user;             /* given back to the hooks as route_user */
    enum wspool_slow slow;  /* of the channels of this route: the pool's */
    uint32_t message_bytes; /* as in wspool_config, for peers of this route: the pool's */
    unsigned codec;         /* what the codec is told of this route, in words of its own: 0 */
} wspool_route_options;

/* Any thread. Writes the defaults that `config` gives to a route; use it as
 * wspool_route_options_init(&options, &config). */
void wspool_route_options_init_sized(wspool_route_options *options, size_t size,
                                     const wspool_config *config);
#define wspool_route_options_init(options, config)                                                 \
    wspool_route_options_init_sized((options), sizeof(wspool_route_options), (config))

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
