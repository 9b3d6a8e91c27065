/* SPDX-License-Identifier: MIT */
/*
 * wspool/config.h - the configuration of a pool: limits, times, hooks.
 *
 * Fill a wspool_config with wspool_config_init, change what you want and pass it to wspool_new,
 * which copies all of it, strings included. The default stands beside each member;
 * wspool_config_init writes it.
 *
 * Times are durations in nanoseconds (WSPOOL_SECOND). 0 switches a deadline off unless its comment
 * says otherwise. No time is longer than WSPOOL_TIME_MAX.
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

/* The id of a peer: its slot in the low 32 bits, a generation in the high ones. Never 0. After
 * wspool_release the id is stale. The same id returns only after 2^31 uses of its slot. */
typedef uint64_t wspool_id;

#define WSPOOL_MILLISECOND UINT64_C(1000000)
#define WSPOOL_SECOND UINT64_C(1000000000)
#define WSPOOL_TIME_MAX (UINT64_C(100) * 366 * 86400 * WSPOOL_SECOND) /* a century */

/* ------------------------------------------------------------------ hooks
 *
 * Hooks run on the pool's thread, inside the call that caused them, except `wake`. Pointers given
 * to a hook are valid until it returns. Every hook is optional (call == NULL: absent), except
 * entropy and wall_clock. mem, entropy, wall_clock, wake and deadline must not call the pool. In
 * all others:
 *
 *   allowed    close, close_all, broadcast, publish, send, send_to, subscribe, unsubscribe, resume,
 *              seed, clear, erase, wait, wait_cancel, report_abuse, drain, open, gone, peek, ack,
 *              under_way, writable, next, set_user, add_header, and all calls that only read
 *   REENTRANT  feed, tick, adopt, upgrade, route, attach, release, free. While a contract renders
 *              or a message is committed also those that may change a channel
 *
 * A hook must return. One that throws or longjmps past the pool leaves the pool entered: from then
 * on the calls above fail with REENTRANT, wspool_free too. A C++ host catches inside of each hook.
 * Declare the hooks noexcept: then a mistake ends in std::terminate at once.
 */

/* Memory. All three functions or none. Called on the pool's thread; `malloc` and `free` also on
 * the thread of wspool_auth_complete. wslay's own allocations (4.3 KB while a frame is
 * incomplete) use the C library: wslay has no hook for them. */
typedef struct wspool_mem {
    void *(*malloc)(size_t size, void *user);
    void *(*realloc)(void *block, size_t size, void *user);
    void (*free)(void *block, void *user);
    void *user;
} wspool_mem;

/* Fills `len` unpredictable bytes and returns 0; any other result is a failure. Called by
 * wspool_new for 32 bytes, and by companions that need some when they are attached. Default: the
 * operating system's. */
typedef struct wspool_entropy_hook {
    int (*call)(void *bytes, size_t len, void *user);
    void *user;
} wspool_entropy_hook;

/* Returns the wall clock: milliseconds since 1970, without leap seconds. Gives messages their time.
 * It may be set to another time; no deadline depends on it. Called at most once in a millisecond.
 * Default: the operating system's. */
typedef struct wspool_wall_clock_hook {
    uint64_t (*call)(void *user);
    void *user;
} wspool_wall_clock_hook;

/* Judges a token. Every route uses the hook, except those with WSPOOL_ROUTE_NO_TOKEN. A request
 * without a token is refused before the hook would run (401 empty_token). Write the verdict to
 * *out. It is zeroed, which is a refusal. With WSPOOL_PENDING keep the id and call
 * wspool_auth_complete later; the request is valid only during the hook. */
typedef struct wspool_token_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                 void *user);
    void *user;
} wspool_token_hook;

/* Judges an Origin that is neither the request's own host nor in `origins`: for lists that change.
 * Returns 1 to admit it; any other result refuses (403 origin). `origin` is the header's value as
 * it came, any bytes. Then the page is trusted like a listed one. Not called with any_origin. */
typedef struct wspool_origin_hook {
    int (*call)(wspool *pool, wspool_id id, const wspool_request *request, wspool_text origin,
                void *user);
    void *user;
} wspool_origin_hook;

/* Returns 0 to admit one more peer. Another result refuses it: an enum wspool_refusal whose status is
 * 429 or 503 is the answer, and any other number is 503 capacity. Must return at once: take slow
 * measurements beforehand, as wspool/capacity.h does. `request` is NULL after a pending verdict. */
typedef struct wspool_capacity_hook {
    int (*call)(wspool *pool, wspool_id id, const wspool_request *request, void *user);
    void *user;
} wspool_capacity_hook;

/* Hosted mode only: the verdict on a pending request. Send the answer. If its status is 101, call
 * wspool_adopt after the hook has returned; otherwise forget the id. */
typedef struct wspool_verdict_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_answer *answer, void *user);
    void *user;
} wspool_verdict_hook;

/* Raw mode only: a request that is no WebSocket handshake, for a health check and the like. Called
 * for each valid GET without "websocket" in Upgrade, for a host of config.hosts, whatever its path.
 * Fill *page to answer it; the connection then closes. *page is zeroed: it does not answer. Then,
 * and if the page is not valid, the request is refused as without the hook (404 or 426).
 *
 * Any client may ask: origin and token are not judged, and the target is as it came. The hook is
 * also called in a full pool, and while the pool drains. */
typedef struct wspool_plain_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_request *request, wspool_page *page,
                 void *user);
    void *user;
} wspool_plain_hook;

/* A peer is open. It is a member of its route's channel already. Messages that are sent from now on
 * follow the 101. See also wspool_user and wspool_identity. */
typedef struct wspool_opened {
    void *route_user;
    wspool_text channel;     /* the name from the path; empty: none */
    wspool_text subprotocol; /* empty: none */
    wspool_text query;       /* query of the target, raw; empty: none. Without a parameter "token",
                                if tokens are judged */
    wspool_text extension;   /* the codec's parameters, as in the answer; empty: none */
    wspool_text address;     /* what the host gave to wspool_open or wspool_upgrade; empty: none */
    wspool_text subject;     /* as wspool_subject and wspool_client return them; empty: none */
    wspool_text client;
} wspool_opened;

/* The token of an open peer expires soon: in four to six fifths of expiring_time, different for each
 * peer, or in half of the time that is left when that is less. A host that has a way to ask the
 * client for a new token does it now, and passes the token to wspool_reauth. */
typedef struct wspool_expiring {
    uint64_t expires; /* as in the verdict: seconds since 1970 */
    uint64_t left;    /* nanoseconds until the peer is closed (4001) */
} wspool_expiring;

typedef struct wspool_expiring_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_expiring *expiring, void *user);
    void *user;
} wspool_expiring_hook;

/* A new token of an open peer was judged: what wspool_reauth began. */
typedef struct wspool_renewed {
    int accepted;
    enum wspool_refusal refusal; /* if it was not accepted. VERDICT_TIMEOUT: no verdict has come
                                    within verdict_time, and one that still comes changes nothing */
    uint64_t expires; /* of the token that counts now, the new or the old one, in seconds since
                         1970; 0: it does not expire */
} wspool_renewed;

typedef struct wspool_renewed_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_renewed *renewed, void *user);
    void *user;
} wspool_renewed_hook;

typedef struct wspool_open_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_opened *opened, void *user);
    void *user;
} wspool_open_hook;

/* A whole message arrived: unmasked, reassembled and decoded. A text message is valid UTF-8. */
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

/* An open peer has ended. Called exactly once for each call of the open hook. The peer has left
 * every channel. The host closes the transport when wspool_next reports CLOSE. */
typedef struct wspool_closed {
    enum wspool_end why;
    int code_sent;          /* close code that the pool sent; 1005: without code; 0: no Close */
    int code_received;      /* 1005: the peer's Close had no code; 1006: there was no Close */
    uint64_t open_for;      /* nanoseconds from accepted to ended */
    uint64_t messages_lost; /* messages that were queued for this peer and never sent */
} wspool_closed;

typedef struct wspool_close_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_closed *closed, void *user);
    void *user;
} wspool_close_hook;

/* The peer's queue rose above the high watermark (above = 1): half of the limit in bytes or in
 * messages, which is the channel's for what is published, and the pool's for other messages. Or it
 * fell below the low watermark again (above = 0): an eighth of the lowest limit in bytes, and of
 * the lowest in messages, that the pool and its routes have. Called once for each crossing, above
 * and below in turns. */
typedef struct wspool_pressure_hook {
    void (*call)(wspool *pool, wspool_id id, int above, void *user);
    void *user;
} wspool_pressure_hook;

/* The four kinds of channels differ in their names only. All channels of a kind have the same
 * history, slow policy, queue limits, priority and send_interval, those of its routes: take another
 * kind for channels that need others. */
enum wspool_kind {
    WSPOOL_NONE = 0, /* a route without a channel */
    WSPOOL_GLOBAL,
    WSPOOL_ITEM,
    WSPOOL_SESSION,
    WSPOOL_TOPIC
};

/* A channel: its kind and the bytes of its name (0 to 255 bytes of any value). Channels of
 * different kinds never collide. */
typedef struct wspool_channel {
    enum wspool_kind kind;
    const void *name;
    size_t len;
} wspool_channel;

/* A peer does not get some messages of a channel: it was behind, and the history has forgotten them
 * meanwhile. Called at their place: earlier messages of the channel are queued already, later ones
 * are not. A message that is sent to the peer in the hook, with the kind of the channel among its
 * options if these have a priority, keeps that place. */
typedef struct wspool_missed {
    wspool_channel channel;
    uint64_t epoch;
    uint64_t from, to; /* offsets of the first and the last of them */
    int reset; /* 1: keyed. A removal was among them, and has been forgotten. What the peer knows of
                          this channel is void: the whole state follows */
} wspool_missed;

typedef struct wspool_missed_hook {
    void (*call)(wspool *pool, wspool_id id, const wspool_missed *missed, void *user);
    void *user;
} wspool_missed_hook;

/* A channel became active (active = 1: it has its first member) or inactive (active = 0: its last
 * member has left). A bus to other machines subscribes and unsubscribes here. */
typedef struct wspool_channel_hook {
    void (*call)(wspool *pool, wspool_channel channel, int active, void *user);
    void *user;
} wspool_channel_hook;

/* The pool no longer uses the identity of a verdict: free it. */
typedef struct wspool_identity_free_hook {
    void (*call)(void *identity, void *user);
    void *user;
} wspool_identity_free_hook;

/* Any thread. The pool's thread has work: make its loop call wspool_tick soon, for example by a
 * write to an eventfd. Several reasons may cause one call. It may run while the pool's thread is
 * inside the pool. Must not call the pool. */
typedef struct wspool_wake_hook {
    void (*call)(void *user);
    void *user;
} wspool_wake_hook;

/* wspool_deadline is earlier now than the host knows: than when wspool_next last returned 0 (before
 * the first such time: than UINT64_MAX), or than in the last call of this hook. The host published,
 * closed or opened something outside of the loop's turn. Let the loop take a turn, or set its timer
 * to wspool_deadline. Runs at the end of the call that caused it. When something is due now, it
 * does not run again until wspool_next returns 0. It may also run without need. Must not call the
 * pool, except wspool_deadline. */
typedef struct wspool_deadline_hook {
    void (*call)(void *user);
    void *user;
} wspool_deadline_hook;

enum wspool_log_level { WSPOOL_LOG_DEBUG, WSPOOL_LOG_INFO, WSPOOL_LOG_WARNING, WSPOOL_LOG_ERROR };

/* One line of the log, in fields. `event` and `reason` are words of this library: a record never
 * contains bytes of a peer or a token. Each event may occur 20 times at once, then 10 times a
 * second; `suppressed` counts the records that were left out before this one. */
typedef struct wspool_log_record {
    enum wspool_log_level level;
    const char *event;       /* "opened", "closed", "refused", "slow", "shed", "drain", "abuse",
                                "renewed" */
    const char *reason;      /* text of the end, or reason of the refusal, also of a new token (""
                                with "renewed": it was accepted); "" for none. With
                                "opened": "no_subprotocol" when the peer offered some and none was
                                chosen: browsers then close the connection */
    wspool_id id;            /* 0: not about one peer */
    enum wspool_stage stage; /* with "refused": the stage */
    int status;              /* with "refused": the HTTP status; 0: there was no answer */
    int code;                /* with "closed": the close code received */
    uint64_t now;
    uint64_t suppressed;
} wspool_log_record;

typedef struct wspool_log_hook {
    void (*call)(wspool *pool, const wspool_log_record *record, void *user);
    void *user;
} wspool_log_hook;

/* ----------------------------------------------------------------- limits */

/* What happens to a peer whose queue is full when a message is published to it. (Or there is no
 * memory to queue it. A peer that keeps up needs none.) What is queued stays. */
enum wspool_slow {
    WSPOOL_SLOW_CLOSE = 0, /* it is closed with 4100 */
    WSPOOL_SLOW_BEHIND     /* it falls behind in this channel: when its queue has drained, it gets
                              what the channel's history has kept; the missed hook reports what the
                              history has forgotten */
};

/*
 * What happens when a peer opens while another of the same subject and the same client instance is
 * open on the same route. Peers without a subject or a client instance are never duplicates. The
 * codes tell the client not to connect again with the same request.
 *
 * With OLDEST an old peer may be dead, and nobody has noticed. So it is pinged at once. Meanwhile
 * the new peer is open and gets messages. If the old one answers, all newer ones are closed; what
 * it had sent before the ping left is no answer. If it ends, for example because pong_time has
 * passed, the new one stays. So a client is never locked out, and two are open for pong_time at
 * most, or flush_time if the old one takes no output.
 */
enum wspool_duplicates {
    WSPOOL_DUPLICATES_ALLOW = 0, /* both stay */
    WSPOOL_DUPLICATES_NEWEST, /* the older one is closed with 4003 before the open hook of the new
                                    one runs. It leaves its channels at once, and what is queued for
                                    it is dropped: the client resumes on its new connection */
    WSPOOL_DUPLICATES_OLDEST  /* the newer one is closed with 4004. Needs a pong_time */
};

/* Which of the messages that wait for one peer is sent first: those of a higher priority, except
 * behind a message of which the transport has taken, or keeps, a part. A message of low priority
 * waits as long as any other does. Messages of one channel are never reordered. Control frames
 * precede all messages; a Close follows them. The limits of a queue hold for all of it. What the
 * kernel has taken is beyond this: a host that cares keeps that small (TCP_NOTSENT_LOWAT). */
enum wspool_priority { WSPOOL_LOW = -1, WSPOOL_NORMAL = 0, WSPOOL_HIGH = 1 };

/*
 * What a channel keeps of its messages. All zero: nothing.
 *
 * A history is keyed if max_keys is above 0. Beyond the limits of its window it then keeps the
 * newest message of each key (wspool_send_options.key), and removals (WSPOOL_REMOVE).
 */
typedef struct wspool_history {
    uint32_t messages;       /* at most so many; 0: no history, and the other members are 0 too */
    uint32_t bytes;          /* of encoded frames; 0: no limit but history_bytes */
    uint64_t time;           /* nanoseconds for which a message is kept; 0: no limit */
    uint32_t max_keys;       /* at most so many keys, removed ones included; 0: it is not keyed */
    uint64_t tombstone_time; /* nanoseconds for which it keeps a removal; 0: until max_keys is
                                reached, when the oldest removal is forgotten */
} wspool_history;

/* Where a token may be; tried in the configured order. */
enum wspool_token_place {
    WSPOOL_TOKEN_NONE = 0,      /* ends the list */
    WSPOOL_TOKEN_AUTHORIZATION, /* Authorization: Bearer TOKEN */
    WSPOOL_TOKEN_SUBPROTOCOL,   /* an offered subprotocol "bearer.TOKEN"; it is never chosen. A
                                   browser must offer another one beside it, which `subprotocols`
                                   has: it fails a connection when none of its offers is chosen */
    WSPOOL_TOKEN_COOKIE,        /* cookie named wspool_token. Only if the Origin is that of the same
                                   host or in `origins`, also with any_origin: a browser sends
                                   cookies for every page */
    WSPOOL_TOKEN_QUERY          /* ?token=TOKEN, percent-decoded */
};
#define WSPOOL_TOKEN_PLACES 4

/* Any thread. Returns the name of a place in reports: "authorization", ...; "nowhere" for NONE; never
 * NULL. */
const char *wspool_token_place_name(enum wspool_token_place place);

/* Longest token in bytes; a longer one is refused (401 malformed). */
#define WSPOOL_TOKEN_MAX 8192
/* Longest channel name in bytes. */
#define WSPOOL_NAME_MAX 255

typedef struct wspool_config {
    size_t size; /* sizeof(wspool_config), written by wspool_config_init */

    /* limits of numbers */
    uint32_t max_peers;      /* accepted at a time: 1000. Above it: 503 full. 1 to 2^28 */
    uint32_t max_handshakes; /* handshakes at a time: 1000. Above it the oldest one without a whole
                                   request head gives way (503 gave_way). If all heads are whole:
                                   WSPOOL_ERR_FULL. 1 to 2^28 */
    uint32_t max_waiters;    /* of wspool_wait at a time: 10000 */
    uint32_t max_revocations; /* of subjects at a time (wspool_revoke): 10000. At most 2^24 */
    uint32_t max_per_key;    /* peers with one key, from wspool_open (or wspool_upgrade) to release:
                                   off. Above it: WSPOOL_ERR_FULL */
    /* What the peers of one key may do together. A burst of 0 (the default) is no limit; otherwise
     * that many at once, and `rate` more in each second. Without max_per_key and these there is no
     * table. With them wspool_new allocates 132 bytes for each key of it.
     *   key_table       keys that are told apart: 4096; 1 to 2^24. A key is remembered while it has a
     *                   peer, or until all of its limits have recovered. Keys that find no place
     *                   share one set of limits
     *   key_attempts    wspool_open and wspool_upgrade. Above it: WSPOOL_ERR_FULL
     *   key_messages    messages received. Behind the one that passes it: close 4102
     *   key_bytes       bytes fed; a burst is 131072 or more. Above it: close 4102
     *   key_subscribes  wspool_subscribe and wspool_resume. Above it: WSPOOL_ERR_FULL. How many
     *                   channels a key has is bounded by max_per_key and channels_per_peer */
    uint32_t key_table;
    uint32_t key_attempts_burst, key_attempts_rate;
    uint32_t key_messages_burst, key_messages_rate;
    uint32_t key_bytes_burst, key_bytes_rate;
    uint32_t key_subscribes_burst, key_subscribes_rate;
    uint32_t channels_per_peer; /* 128, including its route's. 1 to 32,767 */

    /* what one peer may send */
    uint32_t head_bytes;    /* request head, also of a hosted request: 16384. Above it:
                                431. 256 to 65536 */
    uint32_t head_count;    /* headers: 64. Above it: 431. 1 to 256 */
    uint32_t message_bytes; /* a message with all its fragments: 65536. Above it: close 1009.
                                Not 0, below 2^30 */
    uint32_t abuse_burst;   /* abuse budget in units: a ping, an unsolicited pong or a fragment
                                below 16 bytes costs 1, a new token (wspool_reauth) 50: 10000.
                                Above it: close 4103. 0: no
                                budget. At most 65535 */
    uint32_t abuse_rate;    /* units that come back per second: 330. At most 1,000,000 */

    /* what the input of all peers together may cause between two calls of wspool_tick; the message
     * that reaches the limit is still processed. The rest of the input waits for a later tick.
     * Until then those peers are not read. Each peer may cause a 16th of it in every turn, unless
     * its messages are compressed */
    uint32_t turn_bytes;      /* bytes decoded by the codec, without deliveries: 131072. Not 0 */
    uint32_t turn_deliveries; /* deliveries, one per message and receiver: 400; 80 times as many
                                 while only one peer has sent messages for 1 s. A message, ping or
                                 pong without any counts as one, a subscribe or unsubscribe as four.
                                 Not 0 */

    /* what incomplete input of all peers may hold */
    uint64_t
        input_bytes; /* memory of messages that have not come whole, and of input that waits for
                              the next turn: 67108864. At least 65536. Above it the peers that hold
                              most are closed with 4101, until three quarters of it are left. The
                              state of a codec is not in it: the codec's header has the figure */

    /* what may wait to be sent */
    uint32_t queue_bytes;    /* to one peer: 262144. 256 to 2^30 - 1. A route may have lower
                                limits */
    uint32_t queue_messages; /* to one peer: 1024. Not 0 */
    uint64_t pool_bytes;     /* to all peers, in memory of blocks (16 KiB and larger), so a message
                              counts once however many peers wait for it: 67108864. Above it
                              blocked peers are closed with 4101 (WSPOOL_END_SHED, counter `shed`,
                              log "shed"): first the one that holds most memory, and all that hold
                              at least half as much; again, if that was not enough. Priorities do
                              not matter here. When nobody's end would free enough, the message is
                              refused (WSPOOL_ERR_FULL, counter `budget_refused`) */
    enum wspool_slow slow;   /* of the kinds of channels that no route names: WSPOOL_SLOW_CLOSE */
    uint64_t history_bytes;  /* memory of all histories together, apart from pool_bytes: 16777216.
                                Above it the channel that was published to longest ago forgets its
                                oldest messages. At least 65536 */

    /* times */
    uint64_t handshake_time; /* opening to whole request; hosted also from the 101 to the adoption:
                                10 s; then 408. Not 0 */
    uint64_t verdict_time;   /* pending token verdict: 30 s; then 503. Not 0 */
    uint64_t expiring_time;  /* how long before the expiry of a token the expiring hook runs: 25 s;
                                0: never */
    uint64_t token_time;     /* how old a token may become: off. Then it is refused (401 expired), or
                                its peer closed (4001), also if it expires later or does not say
                                when it was issued. A revocation is kept so long (wspool_revoke);
                                with 0 as long as the pool */
    uint64_t message_time;   /* first to last byte of a message: 30 s, plus 1 s per 4 KiB
                                received; then close 1008 */
    uint64_t idle_time;      /* without any byte from the peer: off; then close 1001 */
    uint64_t ping_interval;  /* between pings: 30 s */
    uint64_t pong_time;      /* from the moment a ping has left to any byte from the peer, or to
                             progress of blocked output: 10 s, plus 1 s per 4 KiB that went out
                             before it, up to flush_time; then it is dead. Not 0 while pings are
                             on */
    uint32_t ping_jitter;    /* percent by which each ping_interval varies: 10. At most 50 */
    uint64_t flush_time;     /* how long blocked output may stand still: 30 s; then it is dead. Each
                                4 KiB that are taken give back 1 s, no more, so a peer that takes
                                less than 4 KiB/s ends too */
    uint64_t flush_delay;    /* how long a message may wait for others, to leave in one write with
                                them: off. At most 1 s. Control frames do not wait, and neither
                                does a queue above its high watermark, or what comes from a history.
                                Messages of one turn of the loop, or behind blocked output, are
                                joined without this */
    uint64_t closing_time;   /* our Close to the peer's: 5 s; then it is dead. Not 0 */
    uint64_t lifetime;       /* of a peer in all: off; then close 4202 */
    uint32_t retry_after;    /* seconds in Retry-After of a 503: 5 */
    uint32_t breaker_burst;  /* refusals for lack of capacity (by handlers and the hook) at once: 200.
                                With more, wspool_open and wspool_upgrade return FULL for
                                breaker_time, before anything is read or allocated. 0: never. At
                                most 65535 */
    uint32_t breaker_rate;   /* ... and these per second: 50. At most 1,000,000 */
    uint64_t breaker_time;   /* 1 s */

    /* admission */
    const char *const *subprotocols; /* ends in NULL; the first one that the client offers and
                                        this list has is chosen. Each is a token (RFC 9110,
                                        section 5.6.2) of at most 255 bytes, not "bearer.*".
                                        NULL: none */
    const char *const *origins;      /* allowed besides the same host, ends in NULL:
                                        "https://a.example:8443"; with "*." before the name all
                                        names that end in it; opaque ones like "app://x",
                                        "file://", "null" (any page can make its origin "null").
                                        NULL: none */
    int any_origin;                  /* 1: every Origin is admitted. 0 */
    const char *const *hosts;        /* hosts that requests may be for, ends in NULL: "a.example",
                                        "*.a.example", "[::1]:9001"; without a port: any port.
                                        Others: 421 host. Against DNS rebinding, when Origin and
                                        Host are both the attacker's. NULL: any */
    enum wspool_token_place token_places[WSPOOL_TOKEN_PLACES]; /* all, in the order above */

    wspool_mem mem; /* all NULL: malloc, realloc, free */
    wspool_entropy_hook entropy;
    wspool_wall_clock_hook wall_clock;
    wspool_token_hook token; /* none; see wspool/jwt.h */
    wspool_origin_hook origin;
    wspool_capacity_hook capacity;
    wspool_verdict_hook verdict;
    wspool_open_hook open;
    wspool_message_hook message;
    wspool_close_hook close;
    wspool_expiring_hook expiring;
    wspool_renewed_hook renewed;
    wspool_missed_hook missed;
    wspool_pressure_hook pressure;
    wspool_channel_hook channel;
    wspool_identity_free_hook identity_free;
    wspool_wake_hook wake;
    wspool_deadline_hook deadline;
    wspool_log_hook log;
    wspool_codec_hook codec; /* none; see wspool/deflate.h */
    wspool_plain_hook plain;
} wspool_config;

/* Any thread. Writes every default. Use it as wspool_config_init(&config): `size` lets a host
 * that was compiled against an older header get the members that it knows. */
void wspool_config_init_sized(wspool_config *config, size_t size);
#define wspool_config_init(config) wspool_config_init_sized((config), sizeof(wspool_config))

/* Any thread. Returns the name of the first member that wspool_new does not accept (INVAL), for
 * example "queue_bytes": a program that reads its configuration from a file can say what is wrong.
 * NULL: it accepts all. */
const char *wspool_config_fault(const wspool_config *config);

#define WSPOOL_ROUTE_NO_TOKEN 1u /* the token hook is not called on this route */

/*
 * Options of a route (wspool_route). Some belong to its channels: they are the same for all routes
 * of one kind, and are marked "of the kind".
 *
 *   queue_bytes, queue_messages
 *                  Limits of what may wait for a peer, whatever it is, when a message is published
 *                  to a channel of this kind.
 *   duplicates     A peer that opens is compared with all peers of its subject: limit these by
 *                  config.max_per_key.
 *   priority       Add the route before a channel of this kind has its first message.
 *   send_interval  The time from one moment to the next at which the members of a channel get what
 *                  was published to it. Needs a keyed history (max_keys). The first message after a
 *                  pause is sent at once. Of what is published within the interval behind it, a
 *                  member gets the newest message of each key when the interval ends; offsets of
 *                  the others are skipped. Messages without a key are all sent. Members of such a
 *                  channel are always behind (wspool_tally.behind), and are never closed because
 *                  their queue is full.
 */
typedef struct wspool_route_options {
    size_t size; /* sizeof(wspool_route_options) */
    unsigned flags;
    const char *name;        /* of the channel when the pattern has no {parameter}. Default "" */
    void *user;              /* passed to hooks as route_user */
    enum wspool_slow slow;   /* of the kind. Default: the pool's */
    uint32_t message_bytes;  /* as in wspool_config, for peers of this route. Default: the pool's */
    unsigned codec;          /* options for the codec on this route, defined by the codec: 0 */
    wspool_history history;  /* of the kind. Default: none */
    uint32_t queue_bytes;    /* of the kind: 256 to the pool's limit; 0 (default): the pool's */
    uint32_t queue_messages; /* of the kind: 1 to the pool's limit; 0 (default): the pool's */
    enum wspool_duplicates duplicates; /* of peers on this route. Default: allowed */
    enum wspool_priority priority;     /* of the kind. Default: WSPOOL_NORMAL */
    uint64_t send_interval;            /* nanoseconds, of the kind; 0 (default): no limit */
} wspool_route_options;

/* Any thread. Writes the defaults that `config` gives to a route. Use it as
 * wspool_route_options_init(&options, &config). */
void wspool_route_options_init_sized(wspool_route_options *options, size_t size,
                                     const wspool_config *config);
#define wspool_route_options_init(options, config) \
    wspool_route_options_init_sized((options), sizeof(wspool_route_options), (config))

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
