/* SPDX-License-Identifier: MIT */
/*
 * wspool/wspool.h - pools of WebSocket peers, their channels, and broadcast.
 *
 * libwspool does no I/O. You own the sockets, the loop, the threads and the clock; the pool is
 * told what came (wspool_feed), says what should go (wspool_peek), and is given the time with
 * each call. One turn of a loop:
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
 *         WSPOOL_READ not in it:   stop reading from it until it is
 *     sleep until a socket is ready or wspool_deadline(pool) is reached;
 *
 * wspool/adapters/epoll.h is that loop, ready made; wspool/adapters/uring.h is one on io_uring.
 *
 * Conventions
 *   Calls       answer 0 or a count, or a negative wspool_error (error.h says what to do next).
 *               A null pool, a null output or a stale id is an error code, never a crash.
 *   Threads     one pool, one thread. "Any thread" in a comment is the only exception.
 *   Time        `now`: nanoseconds of a monotonic clock, of any origin that leaves 140 years before
 *               UINT64_MAX. One that runs backwards, or beyond, is taken as standing still.
 *   Peers       are named by ids; a stale one is WSPOOL_ERR_GONE. wspool_slot(id) is a small
 *               number, used again after release: an index for the host's own array.
 *   Ownership   bytes given to a call are copied or finished with when it returns. Pointers that
 *               a call gives out live as long as its comment says.
 *   Structs     that the host fills begin with their size; we only ever append to them.
 *
 * Caveats, with their cure
 *   - An idle peer costs 192 bytes, its first channel 16 more and each further one 32. An identity
 *     costs 16.
 *   - The most that a peer can hold, whatever it sends: one that has not been accepted, head_bytes
 *     and 1 KiB (with the default 17 KB), or 2 KiB behind its refusal; none of it before its first
 *     byte. One that has, its message limit, queue_bytes and 16 KiB (of a queue_bytes above
 *     256 KiB, a 32nd more): 332 KiB of the default's 336 were reached;
 *     and, when it has caused as much as it may in a turn (config.turn_deliveries), what one feed
 *     brought. While a call makes a
 *     buffer grow its copy is there too, once for the pool: up to a quarter of head_bytes, three
 *     quarters of a message limit, 16 KiB for a queue. What is broadcast to a peer that stands
 *     still can hold blocks of 16 KiB by a byte each: pool_bytes bounds that for all together.
 *     What a codec holds for a peer, its header says.
 *   - peek's bytes stay where they are until the ack (or the release after the write has ended):
 *     a host with asynchronous writes, io_uring say, may leave them with the kernel, and says so
 *     (wspool_under_way). It must not release a peer whose write is still under way.
 *   - A write that failed with anything but "would block" is wspool_gone(..., WSPOOL_GONE_FAILED).
 *   - A socket that is closed while the other side still sends is reset, and what was written to it
 *     last may be lost. So on WSPOOL_CLOSE end your direction, throw away what comes, and close it
 *     when the other side has, or after a while; wspool_release need not wait for that. With
 *     WSPOOL_RESET beside it reset the socket instead: it would keep what it holds for minutes.
 *     wspool/adapters/sockets.h has what it takes.
 *   - A host that publishes to a full queue from its own drop hook gets one more drop for each: the
 *     call ends, but wspool_deadline stays 0. Publish later instead.
 *   - TCP_NODELAY is yours to set; the pool has joined small writes already.
 */
#ifndef WSPOOL_WSPOOL_H
#define WSPOOL_WSPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h> /* struct iovec, so that what peek gives can go into writev */

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

/* Makes a pool. `config` may be NULL for the defaults.
 * INVAL: a number outside its range, `now` too, an origin that is not scheme://host[:port], half a
 * set of hooks for memory or a codec. ENTROPY, NOMEM. On error *pool is NULL. */
int wspool_new(wspool **pool, const wspool_config *config, uint64_t now);

/* Ends every peer (their close hooks run, why POOL_FREED) and frees the pool. The transports are
 * still the host's to close. NULL is fine. REENTRANT inside a hook: nothing was done. */
int wspool_free(wspool *pool);

/*
 * Ties a path to a kind of channel: "/api/execution/ws/{card_id}" with WSPOOL_ITEM makes each
 * peer that comes in on it a member of the item its path names, from its first moment. The
 * pattern is literal but for at most one {parameter}, which stands for a whole segment and is
 * percent-decoded: 1 to 255 bytes, no slash. Patterns are tried in the order they were made.
 * With WSPOOL_NONE the path is a way in without a channel. `options` may be NULL.
 * A pool without routes refuses everybody (404).
 * INVAL: the pattern doesn't begin with a slash, or has two parameters or half a one; a kind out
 * of range; options out of range. NOMEM. REENTRANT.
 */
int wspool_route(wspool *pool, const char *pattern, enum wspool_kind kind,
                 const wspool_route_options *options);

/* The moment at which wspool_tick has something to do; 0 when that is now, or when wspool_next
 * has a peer to tell of; UINT64_MAX when nothing is awaited. May be early, is never late. */
uint64_t wspool_deadline(const wspool *pool);

/* Lets time pass: pings, deadlines, verdicts that other threads have left. REENTRANT. */
int wspool_tick(wspool *pool, uint64_t now);

#define WSPOOL_WRITE 1u /* it has output: peek, write, ack */
#define WSPOOL_READ 2u  /* go on reading from it; absent: stop until it is back */
#define WSPOOL_CLOSE 4u /* flushed and done with: close the transport, then wspool_release */
#define WSPOOL_RESET                                                                               \
    8u /* only beside CLOSE: the peer takes nothing. Reset the transport (SO_LINGER
                           with 0 seconds), or what it has not taken stays in the kernel */

/*
 * The next peer that needs attention, in the order of their memory: 1 and its id and what it
 * wants now, or 0 when there is none. A peer is listed when it has output and is not blocked,
 * when its READ has changed, or when it is to be closed; being told takes it off the list until
 * something changes again. (A new transport starts with READ, without being listed.)
 * A listed WRITE that isn't acted upon comes back with the next wspool_writable or publish.
 * RESET stands beside CLOSE when the peer ended because not a byte of its output went: within
 * flush_time, within closing_time after its Close was queued, or within closing_time after its
 * refusal; and when it did not answer a ping within pong_time.
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
 * A transport was accepted; the pool will read the HTTP request and answer it (raw mode). `options`
 * may be NULL.
 * FULL: max_handshakes are on their way in already, max_peers + max_handshakes have not been
 * released yet, or max_per_key of this key: close the transport; unless it was the key, stop
 * accepting for a while. NOMEM: the same. INVAL: the address or the key is too long.
 */
int wspool_open(wspool *pool, const wspool_open_options *options, uint64_t now, wspool_id *id);

/* Bytes came. All of them are taken. 0 also when the peer broke the protocol, or the host
 * closed it meanwhile: wspool_next tells. GONE, REENTRANT; STATE for a hosted request that was
 * not adopted yet. */
int wspool_feed(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* What should be written, as up to `max` vectors of bytes that lie in the pool; answers how many
 * were filled, 0 when there is nothing. They stay put until wspool_ack. GONE, INVAL. */
int wspool_peek(wspool *pool, wspool_id id, struct iovec *vectors, int max);

/* So many of the bytes last peeked were written. Fewer than all means that the transport is
 * full: the peer is blocked, and not listed for WRITE, until wspool_writable.
 * INVAL: more than was peeked (with wspool_under_way: than is under way). GONE. */
int wspool_ack(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/*
 * The transport keeps the first `bytes` of what was last peeked, and will want or write them yet.
 * They stay where they are, no policy drops them, and what is peeked begins with them, until all of
 * them were acked. flush_time runs on them. The peer is not listed for WRITE until the next
 * wspool_ack, which says how many of them have gone; it is read from meanwhile.
 * INVAL: none, or more than was peeked. GONE.
 *
 * With n bytes peeked, the three kinds of hosts:
 *   plain         writev took `sent`            ack(sent), ack(0) when it would block
 *   asynchronous  a write was begun             under_way(n); once it has ended, ack(written)
 *   TLS           SSL_write took `sent`         ack(sent)
 *                 SSL_write wants to be called  under_way(n), ack(0): blocked, and what is peeked
 *                 again with the same bytes     after wspool_writable begins with the same bytes
 */
int wspool_under_way(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/* A blocked transport can be written to again. Harmless when it was not blocked. GONE. */
int wspool_writable(wspool *pool, wspool_id id, uint64_t now);

enum wspool_gone_why {
    WSPOOL_GONE_EOF,   /* the other side closed it */
    WSPOOL_GONE_FAILED /* an error: reset, broken pipe, timed out */
};

/* The transport has ended. The peer leaves its channels, its close hook is called, and
 * wspool_next will list it for CLOSE. Harmless when it had ended already. GONE, INVAL. */
int wspool_gone(wspool *pool, wspool_id id, enum wspool_gone_why why, uint64_t now);

/* The transport is closed: the id becomes stale. STATE: it was not listed for CLOSE yet; call
 * wspool_gone first. GONE, REENTRANT. */
int wspool_release(wspool *pool, wspool_id id);

/* ----------------------------------------------------------------- hosted */

enum wspool_upgrade_result {
    WSPOOL_UPGRADE_REFUSED = 0,  /* send the answer; *id is 0 */
    WSPOOL_UPGRADE_ACCEPTED = 1, /* send the answer (101), then wspool_adopt */
    WSPOOL_UPGRADE_PENDING = 2   /* the verdict hook will bring the answer */
};

/*
 * The host's own HTTP server parsed a request that wants WebSocket: judges it and fills the
 * answer. Answers a wspool_upgrade_result. When accepted or pending, *id holds the place until
 * wspool_adopt, or until the handshake deadline passes: then the id is stale, and an answer to
 * a pending request (503) is brought by the verdict hook first. To give the place back earlier,
 * wspool_gone.
 * INVAL: request->size too small, its address or key too long. FULL: as for wspool_open; answer 503.
 * NOMEM, REENTRANT.
 */
int wspool_upgrade(wspool *pool, const wspool_request *request, uint64_t now, wspool_id *id,
                   wspool_answer *answer);

/* The 101 was sent: takes the stream over, beginning with the `len` bytes that were already read
 * behind the request. The open hook is called. STATE: not accepted, or adopted before. GONE,
 * REENTRANT. */
int wspool_adopt(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* ANY THREAD. The verdict on a token whose hook answered WSPOOL_PENDING. It takes effect in the
 * pool's thread, at its next tick; the wake hook asks for one. When the peer is gone by then, a
 * verdict's identity goes to identity_free. INVAL: kind PENDING, or size too small. NOMEM. */
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

/* The channel of a kind whose name is a string. */
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

/* A peer becomes a member; a channel appears with its first. STATE: the peer is not open, or is
 * closing. EXISTS: it is a member. FULL: channels_per_peer. GONE, INVAL, NOMEM. */
int wspool_subscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* It is one no longer; a channel goes with its last. ABSENT: it was none. GONE, INVAL. */
int wspool_unsubscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* Is the peer a member of the channel? 1 or 0. GONE, INVAL. */
int wspool_is_member(const wspool *pool, wspool_id id, wspool_channel channel);

/* Where a channel stands. The offset counts its messages, the first is 1. The epoch changes when
 * the count begins anew, as it does after the channel has gone and come back. */
struct wspool_position {
    uint64_t epoch;
    uint64_t offset;
};

/* Ask before you render a list that later messages will change: who subscribes and finds the
 * channel at that position has missed nothing. This holds for a channel without members too: when
 * anything was published to it meanwhile, it comes back with another epoch (at times also when
 * nothing was: then one list too many is fetched). INVAL. */
int wspool_position(const wspool *pool, wspool_channel channel, struct wspool_position *position);

/* How many members; 0 for a channel that isn't there. INVAL. */
int wspool_member_count(const wspool *pool, wspool_channel channel);

/* Copies up to `max` of them and answers how many there are in all. `ids` may be NULL when max
 * is 0. The copies stay as they are, whatever happens to the peers. */
int wspool_members(const wspool *pool, wspool_channel channel, wspool_id *ids, size_t max);
int wspool_channels_of(const wspool *pool, wspool_id id, wspool_channel *channels, size_t max);
int wspool_peers(const wspool *pool, wspool_id *ids, size_t max);
int wspool_channels(const wspool *pool, wspool_channel *channels, size_t max);
/* (The names in wspool_channel copies live until the channel loses its last member.) */

/* ------------------------------------------------------------- publishing */

#define WSPOOL_BINARY 1u /* the message is binary; without it, text: valid UTF-8 is up to you */

typedef struct wspool_send_options {
    size_t size; /* sizeof(wspool_send_options) */
    unsigned flags;
    wspool_id except; /* this member does not get it; 0: everybody does */
} wspool_send_options;

typedef struct wspool_tally {
    size_t size;       /* sizeof(wspool_tally), set by the caller */
    uint32_t queued;   /* peers it was queued for */
    uint32_t slow;     /* of these, how many were blocked */
    uint32_t dropped;  /* peers that did not get it: their queue was full (DROP_NEWEST) */
    uint32_t replaced; /* older messages that gave way to it (DROP_OLDEST) */
    uint32_t closed;   /* peers closed because their queue was full (CLOSE) */
    struct wspool_position position; /* of this message */
} wspool_tally;

/*
 * Sends a message to every member that the channel has at this moment. It is encoded once. NULL
 * options mean text to everybody; the tally may be NULL. Answers how many peers it was queued
 * for: 0 when the channel is not there, or everybody's queue was full.
 * TOO_BIG: it would not fit into one empty queue, or into pool_bytes. FULL: no room in pool_bytes,
 * even after shedding: flush and try again; nobody got it. NOMEM, INVAL.
 */
int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally);

/* Writes a message that holds its own position, once, when that is known: sets *message to bytes
 * that stay until the broadcast returns. 0, or anything else to give the broadcast up: then no
 * offset is used. Must not call the pool. */
typedef struct wspool_writer {
    int (*call)(const struct wspool_position *position, wspool_text *message, void *user);
    void *user;
} wspool_writer;

/* As wspool_broadcast, for what `writer` writes. It is not asked when the channel isn't there.
 * STATE: the writer gave up. */
int wspool_broadcast_written(wspool *pool, wspool_channel channel, wspool_writer writer,
                             const wspool_send_options *options, wspool_tally *tally);

/* Sends a message to one peer. FULL: its queue has no room (the pressure hook tells when it has
 * again), or pool_bytes is spent (nothing tells: stats, waiting_bytes). STATE: not open, or
 * closing. TOO_BIG, GONE, NOMEM, INVAL. */
int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *options);

/* ------------------------------------------------------------------- rest */

#define WSPOOL_CLOSE_NOW 1u /* drop what is queued; without it, it is sent first */

/*
 * Closes a peer: what is queued is sent, then the Close frame, then its answer is awaited, all
 * within closing_time. It leaves its channels, and nothing more is sent to it. Before it is open
 * it is refused (403). `reason`, at most 123 bytes of UTF-8, may be NULL.
 * INVAL: a code that may not be sent (RFC 6455, 7.4; allowed: 1000-1003, 1007-1014, 3000-4999),
 * or a bad reason. STATE: it is closing already. GONE.
 */
int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags);

/* A peer was a nuisance in a way that only the host (or a companion) can see: a command that makes
 * no sense, say. Draws on its budget, `cost` at a time; when that is spent it is closed with 4103.
 * `what` is a word for the log (event "nuisance"), never what the peer said; it may be NULL.
 * GONE, INVAL: a cost of 0. STATE: not open. */
int wspool_nuisance(wspool *pool, wspool_id id, uint32_t cost, const char *what);

/*
 * No more comes in (503 draining), and those that are in are closed with `code` (0: 4200), evenly
 * spread over `window` nanoseconds. wspool_stats says how many peers are left. Called again, the
 * new window and code hold. INVAL as for wspool_close, or the window is over WSPOOL_LONGEST.
 */
int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now);

/* What the host gave to wspool_open or wspool_upgrade, and what the verdict gave; NULL for a
 * stale id. */
void *wspool_user(const wspool *pool, wspool_id id);
void *wspool_identity(const wspool *pool, wspool_id id);

/* From now on wspool_user answers this. GONE, INVAL. */
int wspool_set_user(wspool *pool, wspool_id id, void *user);

/* The address that the host gave to wspool_open or wspool_upgrade: valid until the release, empty
 * when it gave none. GONE, INVAL. */
int wspool_address(const wspool *pool, wspool_id id, wspool_text *address);

/* A small number for a peer, below the most peers that were there at once. */
static inline uint32_t wspool_slot(wspool_id id)
{
    return (uint32_t)(id & UINT32_MAX);
}

/* Any thread. Nanoseconds of the system's monotonic clock, for hosts that have none at hand. The
 * pool itself never asks. */
uint64_t wspool_clock(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
