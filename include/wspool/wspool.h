/* SPDX-License-Identifier: MIT */
/*
 * wspool/wspool.h - pools of WebSocket peers, their channels, and broadcast.
 *
 * libwspool does no I/O. The host owns sockets, loop, threads and clock. It passes received bytes
 * to the pool (wspool_feed), fetches the bytes to send (wspool_peek), and passes the time to each
 * call. One turn of a loop:
 *
 *     for each readable socket:    n = read(fd, buf, ...);
 *                                  n > 0 ? wspool_feed(pool, id, buf, n, now)
 *                                        : wspool_gone(pool, id, WSPOOL_GONE_EOF, now);
 *     for each writable socket
 *         that was blocked:        wspool_writable(pool, id, now);
 *     wspool_tick(pool, now);
 *     while (wspool_next(pool, &id, &wants) == 1)
 *         WSPOOL_CLOSE in wants:   close(fd); wspool_release(pool, id);
 *         WSPOOL_WRITE in wants:   n = wspool_peek(pool, id, iov, 16);
 *                                  sent = writev(fd, iov, n);
 *                                  wspool_ack(pool, id, sent < 0 ? 0 : sent, now);
 *         WSPOOL_READ not in it:   do not read from it until it is
 *     sleep until a socket is ready or wspool_deadline(pool) is reached;
 *
 * wspool/adapters/epoll.h is that loop, ready made; wspool/uring.h is one on io_uring.
 *
 * Conventions
 *   Results     0 or a count, or a negative wspool_error. Each comment lists the errors of its call
 *               and what to do next. A NULL pool, a NULL output or a stale id is an error, never a
 *               crash: INVAL for the first two (not listed again), STALE for a stale id.
 *   Threads     one pool, one thread. A comment that says ANY THREAD is the only exception.
 *   Time        `now`: nanoseconds of a monotonic clock with any origin that leaves 140 years
 *               before UINT64_MAX. A time that runs backwards, or is later than that, counts as
 *               standing still.
 *   Peers       are named by ids. wspool_slot(id) is a small number that is reused after release:
 *               an index for the host's own array.
 *   Ownership   bytes passed to a call are copied or no longer used when it returns. Pointers that
 *               a call returns are valid as long as its comment says.
 *   Structs     that the host fills begin with their size. Later versions only append to them.
 *
 * Memory of one peer, whatever it sends (defaults in brackets)
 *   idle        192 bytes, 16 for its first channel, 32 for each further one, 16 for an identity or
 *               an address or key and their bytes
 *   handshake   head_bytes and 1 KiB (17 KB); nothing before the first byte; 2 KiB after a refusal
 *   open        message_bytes, queue_bytes and 16 KiB (336 KiB; of a queue_bytes above 256 KiB a
 *               32nd more), and one feed's input while its turn is used up (config.turn_deliveries)
 * While a buffer grows, its copy exists too, once per pool: at most a quarter of head_bytes, three
 * quarters of a message limit, 16 KiB for a queue. A broadcast to a blocked peer can hold whole
 * blocks of 16 KiB by one byte each: pool_bytes bounds that for all peers together. A codec's
 * memory is in its header.
 *
 * Caveats, each with its cure
 *   - Peeked bytes do not move until wspool_ack. A host with asynchronous writes (io_uring, TLS)
 *     may leave them with the transport, and says so with wspool_under_way. It must not release a
 *     peer whose write is still running.
 *   - A write that failed with anything but "would block" is wspool_gone(..., WSPOOL_GONE_FAILED).
 *   - A socket that is closed while the other side still sends is reset, and what was written to it
 *     last may be lost. So on WSPOOL_CLOSE end your direction, throw away what comes, and close it
 *     when the other side has, or after a while; wspool_release need not wait for that. With
 *     WSPOOL_RESET beside it reset the socket instead: it would keep what it holds for minutes.
 *     wspool/sockets.h does it.
 *   - A host that publishes to a full queue from its own drop hook gets one more drop for each: the
 *     call ends, but wspool_deadline stays 0. Publish later instead.
 *   - TCP_NODELAY is yours to set; the pool has joined small writes already.
 */
#ifndef WSPOOL_WSPOOL_H
#define WSPOOL_WSPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h> /* struct iovec: what peek fills can be passed to writev */

#include <wspool/close.h>
#include <wspool/config.h>
#include <wspool/error.h>
#include <wspool/handlers.h>
#include <wspool/handshake.h>
#include <wspool/stats.h>
#include <wspool/version.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ------------------------------------------------------------------- life */

/* Makes a pool and sets *pool. `config` may be NULL: the defaults. On error *pool is NULL.
 *   INVAL    a number is out of its range (`now` too), an origin is not scheme://host[:port], or a
 *            set of hooks (mem, codec) is incomplete. Correct the configuration.
 *   ENTROPY  the entropy hook failed. The pool cannot be made safely without it.
 *   NOMEM    the allocator failed. */
int wspool_new(wspool **pool, const wspool_config *config, uint64_t now);

/* Ends every peer (close hooks run, with why POOL_FREED) and frees the pool. The transports
 * remain the host's to close. NULL is allowed.
 *   REENTRANT  called from a hook; nothing was done. Free the pool after the hook has returned. */
int wspool_free(wspool *pool);

/*
 * Ties a path to a kind of channel. With "/api/execution/ws/{card_id}" and WSPOOL_ITEM each peer
 * that connects to such a path is a member of the item that its path names, from its first moment.
 * The pattern is literal, except for at most one {parameter}, which stands for a whole segment and
 * is percent-decoded: 1 to 255 bytes, no slash. Patterns are tried in the order of these calls.
 * With WSPOOL_NONE the path has no channel. `options` may be NULL. A pool without routes refuses
 * every request (404).
 *   INVAL      the pattern does not begin with a slash, or has two parameters or a part of one; the
 *              kind or an option is out of range.
 *   REENTRANT  called from a hook: add routes before the loop runs.
 *   NOMEM      the allocator failed; no route was added.
 */
int wspool_route(wspool *pool, const char *pattern, enum wspool_kind kind,
                 const wspool_route_options *options);

/* Returns the time at which wspool_tick has work to do: 0 when that is now, or when wspool_next
 * has a peer to report; UINT64_MAX when there is nothing to wait for. May be early, is never
 * late. */
uint64_t wspool_deadline(const wspool *pool);

/* Advances time: sends pings, ends peers whose deadlines have passed, applies verdicts of other
 * threads. Call it in each turn of the loop.
 *   REENTRANT  called from a hook. */
int wspool_tick(wspool *pool, uint64_t now);

#define WSPOOL_WRITE 1u /* it has output: peek, write, ack */
#define WSPOOL_READ 2u  /* read from it; absent: do not read until it is back */
#define WSPOOL_CLOSE 4u /* finished: close the transport, then wspool_release */
#define WSPOOL_RESET                                                                               \
    8u /* only beside CLOSE: the peer takes nothing. Reset the transport (SO_LINGER
                           with 0 seconds), or what it has not taken stays in the kernel */

/*
 * Fetches the next peer whose transport needs something. Returns 1, its id and what it wants now,
 * or 0 when there is none. Peers come in memory order. A peer is listed when it has output and is
 * not blocked, when its READ has changed, or when it must be closed. A reported peer is off the
 * list until something changes again. A new transport starts with READ, without being listed. A
 * reported WRITE that is not acted upon is reported again after the next wspool_writable or
 * publish.
 */
int wspool_next(wspool *pool, wspool_id *id, unsigned *wants);

/* ------------------------------------------------------------------ bytes */

/* What the host knows of a transport. All of it is copied, and all of it may be left out. */
typedef struct wspool_open_options {
    size_t size;         /* sizeof(wspool_open_options) */
    void *user;          /* what wspool_user answers */
    wspool_text address; /* of the peer, as text for logs and hooks: at most 107 bytes */
    wspool_text key;     /* whom the peer counts for (config.max_per_key): at most 64 bytes, say
                            those of its IP address */
} wspool_open_options;

/*
 * A transport was accepted (raw mode): the pool reads the HTTP request and answers it. `user`
 * becomes wspool_user().
 *   FULL   max_handshakes handshakes are running, or max_peers + max_handshakes peers are not
 *          released yet. Close the transport, or stop accepting until a peer has been released.
 *   NOMEM  the allocator failed. Close the transport.
 */
int wspool_open(wspool *pool, const wspool_open_options *options, uint64_t now, wspool_id *id);

/* The transport received bytes. All of them are consumed. Returns 0 also when the peer broke the
 * protocol or was closed meanwhile: wspool_next reports it.
 *   STALE       the id is stale. Forget it.
 *   STATE      a hosted request that was not adopted yet. Call wspool_adopt first.
 *   REENTRANT  called from a hook. */
int wspool_feed(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* Fills up to `max` vectors with bytes to write and returns how many; 0 when there are none. The
 * bytes belong to the pool and do not move until wspool_ack.
 *   STALE   the id is stale. Forget it.
 *   INVAL  max is negative, or `vectors` is NULL. */
int wspool_peek(wspool *pool, wspool_id id, struct iovec *vectors, int max);

/* `bytes` of the last peeked bytes were written. Fewer than all means that the transport is
 * full: the peer is blocked, and not listed for WRITE, until wspool_writable.
 *   INVAL  more than was peeked.
 *   STALE   the id is stale. Forget it. */
int wspool_ack(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/*
 * The transport keeps the first `bytes` of what was last peeked, and will want or write them yet.
 * They stay where they are, no policy drops them, and what is peeked begins with them, until all of
 * them were acked. flush_time runs on them. The peer is not listed for WRITE until the next
 * wspool_ack, which says how many of them have gone; it is read from meanwhile.
 * INVAL: none, or more than was peeked. STALE.
 *
 * With n bytes peeked, the three kinds of hosts:
 *   plain         writev took `sent`            ack(sent), ack(0) when it would block
 *   asynchronous  a write was begun             under_way(n); once it has ended, ack(written)
 *   TLS           SSL_write took `sent`         ack(sent)
 *                 SSL_write wants to be called  under_way(n), ack(0): blocked, and what is peeked
 *                 again with the same bytes     after wspool_writable begins with the same bytes
 */
int wspool_under_way(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/* A blocked transport can be written to again. Harmless when it was not blocked.
 *   STALE  the id is stale. Forget it. */
int wspool_writable(wspool *pool, wspool_id id, uint64_t now);

enum wspool_gone_why {
    WSPOOL_GONE_EOF,   /* the client closed it */
    WSPOOL_GONE_FAILED /* an error: reset, broken pipe, timed out */
};

/* The transport has ended or failed. The peer leaves its channels, its close hook runs, and
 * wspool_next lists it for CLOSE. Harmless when the peer has ended already.
 *   STALE   the id is stale. Forget it.
 *   INVAL  `why` is out of range. */
int wspool_gone(wspool *pool, wspool_id id, enum wspool_gone_why why, uint64_t now);

/* The transport is closed: frees the peer, and its id becomes stale.
 *   STATE      it was not listed for CLOSE yet. Call wspool_gone first.
 *   STALE       the id is stale already.
 *   REENTRANT  called from a hook. */
int wspool_release(wspool *pool, wspool_id id);

/* ----------------------------------------------------------------- hosted */

enum wspool_upgrade_result {
    WSPOOL_UPGRADE_REFUSED = 0,  /* send the answer; *id is 0 */
    WSPOOL_UPGRADE_ACCEPTED = 1, /* send the answer (101), then call wspool_adopt */
    WSPOOL_UPGRADE_PENDING = 2   /* the verdict hook brings the answer later */
};

/*
 * Hosted mode: the host's own HTTP server parsed a request for WebSocket. Judges it, fills the
 * answer and returns a wspool_upgrade_result. When the request is accepted or pending, *id holds a
 * place until wspool_adopt or until the handshake deadline. After the deadline the id is stale; a
 * pending request gets its answer (503) through the verdict hook before that. wspool_gone gives the
 * place back earlier: call it when the HTTP connection ends before wspool_adopt.
 *   INVAL      request->size is too small.
 *   FULL       as for wspool_open. Answer 503.
 *   NOMEM      the allocator failed. Answer 503.
 *   REENTRANT  called from a hook.
 */
int wspool_upgrade(wspool *pool, const wspool_request *request, uint64_t now, wspool_id *id,
                   wspool_answer *answer);

/* Hosted mode: the host sent the 101. Takes the stream over, beginning with the `len` bytes that
 * were read behind the request. The open hook runs.
 *   STATE      the request was not accepted, or is adopted already.
 *   STALE       the handshake deadline has passed. Close the transport.
 *   REENTRANT  called from a hook. */
int wspool_adopt(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* ANY THREAD. Completes a token check whose hook answered WSPOOL_PENDING. Takes effect on the
 * pool's thread at its next tick; the wake hook asks for one. When the peer has ended meanwhile,
 * the identity of the verdict goes to identity_free.
 *   INVAL  kind is WSPOOL_PENDING, or size is too small.
 *   NOMEM  the allocator failed: call it again, or let verdict_time refuse the peer. */
int wspool_auth_complete(wspool *pool, wspool_id id, const wspool_verdict *verdict);

/* --------------------------------------------------------------- channels */

static inline wspool_channel wspool_channel_of(enum wspool_kind kind, const void *name, size_t len)
{
    wspool_channel channel;
    channel.kind = kind;
    channel.name = name;
    channel.len = len;
    return channel;
}

/* Each returns the channel of a kind whose name is a string. */
static inline wspool_channel wspool_global(const char *name)
{
    return wspool_channel_of(WSPOOL_GLOBAL, name, strlen(name));
}
static inline wspool_channel wspool_item(const char *name)
{
    return wspool_channel_of(WSPOOL_ITEM, name, strlen(name));
}
static inline wspool_channel wspool_session(const char *name)
{
    return wspool_channel_of(WSPOOL_SESSION, name, strlen(name));
}
static inline wspool_channel wspool_topic(const char *name)
{
    return wspool_channel_of(WSPOOL_TOPIC, name, strlen(name));
}

/* Makes a peer a member of a channel. The channel becomes active with its first member.
 *   STATE   the peer is not open, or is closing.
 *   EXISTS  it is a member already.
 *   FULL    it has channels_per_peer memberships.
 *   STALE    the id is stale. Forget it.
 *   INVAL   the channel has no such kind, or a name over 255 bytes.
 *   NOMEM   the allocator failed; nothing was changed. */
int wspool_subscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* Ends a membership. The channel becomes inactive with its last member.
 *   ABSENT  the peer is not a member.
 *   STALE    the id is stale: it is a member of nothing.
 *   INVAL   as for wspool_subscribe. */
int wspool_unsubscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* Is the peer a member of the channel? 1 or 0. STALE, INVAL. */
int wspool_is_member(const wspool *pool, wspool_id id, wspool_channel channel);

/* A position in a channel: the number of its last message, counted from 1, in one epoch. The
 * epoch changes whenever the count starts again, as it does after the channel was inactive. */
struct wspool_position {
    uint64_t epoch;
    uint64_t offset;
};

/* Sets *position to the present position of a channel. Call it before rendering a list that
 * later messages will change: a client that subscribes and finds the channel at this position
 * has missed nothing. This holds for an inactive channel too: if anything was published to it
 * meanwhile, it becomes active with another epoch. (At times it does so without a reason; then a
 * list is fetched once too often.)
 *   INVAL  as for wspool_subscribe. */
int wspool_position(const wspool *pool, wspool_channel channel, struct wspool_position *position);

/* Returns the number of members; 0 for an inactive channel.
 *   INVAL  as for wspool_subscribe. */
int wspool_member_count(const wspool *pool, wspool_channel channel);

/* Each copies up to `max` entries and returns how many there are in all. The array may be NULL
 * when max is 0. Copied ids do not change, whatever happens to the peers. */
int wspool_members(const wspool *pool, wspool_channel channel, wspool_id *ids, size_t max);
int wspool_channels_of(const wspool *pool, wspool_id id, wspool_channel *channels, size_t max);
int wspool_peers(const wspool *pool, wspool_id *ids, size_t max);
int wspool_channels(const wspool *pool, wspool_channel *channels, size_t max);
/* (The name in a copied wspool_channel is valid until the channel is inactive.) */

/* ------------------------------------------------------------- publishing */

#define WSPOOL_BINARY 1u /* binary message; without it text, and the host ensures valid UTF-8 */

typedef struct wspool_send_options {
    size_t size; /* sizeof(wspool_send_options) */
    unsigned flags;
    wspool_id except; /* this member does not get the message; 0: every member does */
} wspool_send_options;

typedef struct wspool_tally {
    size_t size;       /* sizeof(wspool_tally), set by the caller */
    uint32_t queued;   /* peers it was queued for */
    uint32_t slow;     /* of these, how many were blocked */
    uint32_t dropped;  /* peers whose queue was full, so that they do not get it (DROP_NEWEST) */
    uint32_t replaced; /* older messages that were dropped for it (DROP_OLDEST) */
    uint32_t closed;   /* peers that were closed because their queue was full (CLOSE) */
    struct wspool_position position; /* position of this message */
} wspool_tally;

/*
 * Sends a message to every present member of a channel. It is encoded once. NULL options mean text
 * to every member; `tally` may be NULL. Returns the number of peers it was queued for: 0 when the
 * channel is inactive, or every queue was full.
 *   TOO_BIG  it does not fit into an empty queue, or into pool_bytes. Send less, or raise the
 *            limit.
 *   FULL     no room in pool_bytes, even after shedding. No peer got it. Flush and try again.
 *   INVAL    an argument or option is out of range.
 *   NOMEM    the allocator failed. No peer got it.
 */
int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally);

/* Writes a message that contains its own position. Called once, when the position is known: sets
 * *message to bytes that stay valid until the broadcast returns. Returns 0; any other result
 * cancels the broadcast, and no offset is used. Must not call the pool. */
typedef struct wspool_writer {
    int (*call)(const struct wspool_position *position, wspool_text *message, void *user);
    void *user;
} wspool_writer;

/* As wspool_broadcast, for a message that `writer` writes. The writer is not called when the
 * channel is inactive.
 *   STATE  the writer cancelled. */
int wspool_broadcast_written(wspool *pool, wspool_channel channel, wspool_writer writer,
                             const wspool_send_options *options, wspool_tally *tally);

/* Sends a message to one peer.
 *   FULL     its queue has no room: the pressure hook reports when it has again. Or pool_bytes is
 *            used up, which stats (waiting_bytes) show: try again later.
 *   STATE    the peer is not open, or is closing.
 *   TOO_BIG  as for wspool_broadcast.
 *   STALE     the id is stale. Forget it.
 *   INVAL    an argument or option is out of range.
 *   NOMEM    the allocator failed. */
int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *options);

/* ------------------------------------------------------------------- rest */

#define WSPOOL_CLOSE_NOW 1u /* drop what is queued; without it, it is sent first */

/*
 * Closes a peer. What is queued is sent, then the Close frame, and then the peer's Close is
 * awaited, all within closing_time. The peer leaves its channels at once, and nothing more is sent
 * to it. A peer that is not open yet is refused (403). `reason` is at most 123 bytes of UTF-8, and
 * may be NULL.
 *   INVAL  a code that may not be sent (RFC 6455, section 7.4; allowed: 1000-1003, 1007-1014 and
 *          3000-4999), or a bad reason.
 *   STATE  it is closing already.
 *   STALE   the id is stale. Forget it.
 */
int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags);

/* Reports abuse that only the host or a companion can see, such as a command that makes no
 * sense. Takes `cost` from the peer's abuse budget; a peer without budget is closed with 4103.
 * `what` is a word for the log, never text from the peer; it may be NULL.
 *   INVAL  cost is 0.
 *   STATE  the peer is not open.
 *   STALE   the id is stale. Forget it. */
int wspool_report_abuse(wspool *pool, wspool_id id, uint32_t cost, const char *what);

/*
 * Refuses newcomers (503 draining) and closes the present peers with `code` (0: 4200), evenly
 * spread over `window` nanoseconds. wspool_stats shows how many peers remain. A second call
 * replaces window and code.
 *   INVAL  a code that may not be sent, or a window over WSPOOL_TIME_MAX.
 */
int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now);

/* Return the pointer that the host gave to wspool_open or wspool_upgrade, and the identity of
 * the verdict; NULL for a stale id. */
void *wspool_user(const wspool *pool, wspool_id id);
void *wspool_identity(const wspool *pool, wspool_id id);

/* From now on wspool_user answers this. STALE, INVAL. */
int wspool_set_user(wspool *pool, wspool_id id, void *user);

/* The address that the host gave to wspool_open or wspool_upgrade: valid until the release, empty
 * when it gave none. STALE, INVAL. */
int wspool_address(const wspool *pool, wspool_id id, wspool_text *address);

/* Returns a small number for a peer, below the highest number of peers that ever existed at
 * once: an index for arrays. */
static inline uint32_t wspool_slot(wspool_id id)
{
    return (uint32_t)(id & UINT32_MAX);
}

/* Any thread. Returns nanoseconds of the system's monotonic clock, for hosts that have no clock
 * at hand. The pool never calls it. */
uint64_t wspool_clock(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
