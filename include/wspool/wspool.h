/* SPDX-License-Identifier: MIT */
/*
 * wspool/wspool.h - pools of WebSocket peers, their channels, and broadcast.
 *
 * libwspool does no I/O. The host owns sockets, loop, threads and clock. It passes received bytes
 * to the pool (wspool_feed), fetches the bytes to send (wspool_peek), and passes the time to each
 * call. One turn of a loop:
 *
 *     for each readable socket:    n = read(fd, buf, ...);
 *         n > 0:                   wspool_feed(pool, id, buf, n, now);
 *         n == 0:                  wspool_gone(pool, id, WSPOOL_GONE_EOF, now);
 *         n < 0, but not EAGAIN:   wspool_gone(pool, id, WSPOOL_GONE_FAILED, now);
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
 * wspool/sockets.h does all of this on any loop, and wspool/uring.h on io_uring. examples/bare.c is
 * this loop as a program.
 *
 * Conventions
 *   Results     0 or a count, or a negative wspool_error. Each comment lists the errors of its
 *               call, without the prefix WSPOOL_ERR_, and says what to do next. A NULL pointer
 *               where one is needed is INVAL, never a crash; the comments do not repeat that.
 *   Threads     all calls for one pool come from one thread, except calls whose comment says "any
 *               thread".
 *   Time        `now` is in nanoseconds of a monotonic clock. Its origin is free, but 140 years
 *               must remain before UINT64_MAX. If `now` is earlier than in the call before, or
 *               beyond that bound, the pool keeps the time it has.
 *   Peers       are named by ids. wspool_slot(id) is a small number that is reused after release:
 *               an index for the host's own array.
 *   Ownership   bytes passed to a call are copied or no longer used when it returns. Pointers that
 *               a call returns are valid as long as its comment says.
 *   Structs     that the host fills begin with their size. Later versions only append to them.
 *
 * Memory of one peer, whatever it sends (defaults in brackets)
 *   idle        192 bytes; 16 for its first channel, 32 for each further one; 24 and the bytes of
 *               address and key for a peer with an identity, an address, a key, a subject or a
 *               client instance; with one of the last two 32 and the bytes of its client instance,
 *               and 48 and the bytes of its subject, or of a client instance without a subject,
 *               which the peers that have the same one share
 *   handshake   head_bytes and 1 KiB (17 KB); nothing before the first byte; 2 KiB after a refusal;
 *               768 bytes more if the host adds headers
 *   open        message_bytes, queue_bytes and 16 KiB (336 KiB), and one 32nd of a queue_bytes
 *               above 256 KiB; an eighth of queue_bytes if it is behind and messages are sent to it
 *               alone; the input of one feed while its turn is used up
 *               (config.turn_deliveries)
 * While a buffer is copied to a larger one, both exist. That adds, once per pool, at most a quarter
 * of head_bytes, three quarters of message_bytes, or 16 KiB for a queue. One unsent byte of a
 * broadcast keeps its whole block of 16 KiB; pool_bytes bounds the blocks of all peers together.
 * The header of a codec states the codec's memory.
 *
 * Caveats, each with its cure
 *   - Peeked bytes do not move until wspool_ack. A transport with asynchronous writes (io_uring,
 *     TLS) may keep them longer: say so with wspool_under_way, and do not release a peer whose
 *     write is still running.
 *   - If a write fails with an error other than "would block", call wspool_gone(...,
 *     WSPOOL_GONE_FAILED).
 *   - If a socket is closed while the other side still sends, the system resets it, and the last
 *     bytes written may be lost. On WSPOOL_CLOSE shut down your direction, discard what arrives,
 *     and close the socket when the other side has closed it, or after a timeout. wspool_release
 *     need not wait for that. wspool/sockets.h does this.
 *   - Set TCP_NODELAY. The pool joins small writes itself.
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
 *   INVAL    a number is out of its range (`now` too), an origin or a host cannot be read, the
 *            list of hosts is empty, a subprotocol is not a token, a set of hooks (mem, codec) is
 *            incomplete, or config->size is not set. Correct the configuration:
 *            wspool_config_fault names the member.
 *   ENTROPY  the entropy hook failed. Correct the hook: without entropy a pool is not safe.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_new(wspool **pool, const wspool_config *config, uint64_t now);

/* Ends every peer and frees the pool. The close hooks run, with WSPOOL_END_POOL_FREED. The host
 * still has to close the transports. NULL is allowed.
 *   REENTRANT  called from a hook. Free the pool after the hook has returned. */
int wspool_free(wspool *pool);

/*
 * Ties a path to a kind of channel. With "/api/execution/ws/{card_id}" and WSPOOL_ITEM each peer
 * that connects to such a path is a member of the item that its path names, from its first moment.
 * The pattern is literal, except for at most one {parameter}, which stands for a whole segment and
 * is percent-decoded: 1 to 255 bytes, no slash. Patterns are tried in the order of these calls.
 * With WSPOOL_NONE the path has no channel. `options` may be NULL. A pool without routes refuses
 * every request (404). Escapes are compared as RFC 3986, section 6.2.2 says: "/%65cho" is "/echo".
 *   INVAL      no request can match the pattern: it does not begin with a slash, has two parameters
 *              or one that is not a whole segment, a query, a segment "." or "..", a broken escape,
 *              or a byte that a client escapes (write "/r%C3%A4ume"). Or the kind or an option is
 *              out of range, or there are 65,535 routes. Correct the call. Or another route of this
 *              kind has another `slow`, `history` or limit of queues: all channels of a kind have
 *              the same. Give the routes the same.
 *   EXISTS     an earlier route matches every path that this one would match. Add this one first.
 *   REENTRANT  called from a hook. Add routes before the loop runs.
 *   NOMEM      the allocator failed. Free memory and try again.
 */
int wspool_route(wspool *pool, const char *pattern, enum wspool_kind kind,
                 const wspool_route_options *options);

/* Returns the time at which wspool_tick has work to do: 0 when that is now, or when wspool_next
 * has a peer to report; UINT64_MAX when there is nothing to wait for. May be early, is never
 * late. */
uint64_t wspool_deadline(const wspool *pool);

/* Advances time: sends pings, ends peers whose deadlines have passed, applies verdicts of other
 * threads, resumes peers whose turn was used up. Call it in each turn of the loop.
 *   REENTRANT  called from a hook. Call it from the loop. */
int wspool_tick(wspool *pool, uint64_t now);

/* What a peer wants from its host. RESET only occurs beside CLOSE: the peer takes nothing, so reset
 * the transport (SO_LINGER with 0 seconds). Otherwise the system keeps unsent bytes for minutes. */
#define WSPOOL_WRITE 1u /* it has output: peek, write, ack */
#define WSPOOL_READ 2u  /* read from it; absent: do not read until it is back */
#define WSPOOL_CLOSE 4u /* finished: close the transport, then wspool_release */
#define WSPOOL_RESET 8u /* with CLOSE: reset the transport instead of lingering */

/* Fetches the next peer whose transport needs something. Returns 1, its id and what it wants now,
 * or 0 when there is none. Peers come in memory order.
 *
 * A peer is listed when it has output and is not blocked, when its READ has changed, or when it
 * must be closed. A reported peer is off the list until something changes again. A new transport
 * has READ from its beginning, without being listed. If the host does not act on a reported WRITE,
 * it is reported again after the next wspool_writable or publish. */
int wspool_next(wspool *pool, wspool_id *id, unsigned *wants);

/* ------------------------------------------------------------------ bytes */

/* What the host knows of a transport. Every member but `size` may be zero. The texts are copied. */
typedef struct wspool_open_options {
    size_t size;         /* sizeof(wspool_open_options) */
    void *user;          /* wspool_user returns it */
    wspool_text address; /* of the peer, as text for logs and hooks: at most 107 bytes */
    wspool_text key;     /* peers with the same key count together (config.max_per_key): at most 64
                            bytes, for example the bytes of an IP address */
    wspool_text subject; /* who the peer is, if the host knows: at most WSPOOL_SUBJECT_MAX bytes.
                            See wspool_subject */
} wspool_open_options;

/* Raw mode: a transport was accepted. The pool will read its HTTP request and answer it. Sets *id.
 * NULL options: no user pointer, no address, no key, no subject.
 *   INVAL  options->size is not set, or the address, the key or the subject is too long. Correct
 *          the call.
 *   FULL   max_handshakes handshakes with whole heads are running, max_peers + max_handshakes
 *          peers are not released yet, or the key has max_per_key peers (then stats.key_full
 *          grows). Close the transport, or stop accepting until a peer was released.
 *   STATE  wspool_free is running, and this is one of its hooks. Close the transport.
 *   NOMEM  the allocator failed. Close the transport. */
int wspool_open(wspool *pool, const wspool_open_options *options, uint64_t now, wspool_id *id);

/* The transport received bytes. All of them are consumed. Returns 0 also when the peer broke the
 * protocol or was closed meanwhile: wspool_next reports it.
 *   STALE      the id is stale. Forget it.
 *   STATE      a hosted request that was not adopted yet. Call wspool_adopt first.
 *   REENTRANT  called from a hook. Keep the bytes and call it from the loop. */
int wspool_feed(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* Fills up to `max` vectors with bytes to write and returns how many; 0 when there are none. The
 * bytes belong to the pool and do not move until wspool_ack.
 *   STALE  the id is stale. Forget it.
 *   INVAL  max is below 1. Pass an array with at least one vector. */
int wspool_peek(wspool *pool, wspool_id id, struct iovec *vectors, int max);

/* The first `bytes` of the peeked bytes were written. If that is fewer than were peeked, the
 * transport is full: the peer is blocked, and is not listed for WRITE until wspool_writable.
 *   STALE  the id is stale. Forget it.
 *   INVAL  `bytes` is more than was peeked. Correct the host: it wrote bytes that the pool did not
 *          give. */
int wspool_ack(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/*
 * The transport keeps the first `bytes` of the peeked bytes: it is still writing them, or must be
 * called again with the same bytes. Until all of them are acked they do not move, no close drops
 * them, every peek begins with them, and flush_time runs. The peer is not listed for WRITE until
 * the next wspool_ack, which says how many of them were written. The peer is still read from.
 * If wspool_next lists the peer for CLOSE meanwhile, cancel the write, and release the peer when
 * the write has ended: until then it holds its memory (pool_bytes).
 *   STALE  the id is stale. Forget it.
 *   INVAL  `bytes` is 0 or more than was peeked. Correct the host.
 *
 * After a peek of n bytes:
 *   host          event                         calls
 *   plain         writev took `sent`            ack(sent); ack(0) when it would block
 *   asynchronous  a write was started           under_way(n); when it has ended, ack(written)
 *   TLS           SSL_write took `sent`         ack(sent)
 *                 SSL_write must be called      under_way(n), ack(0): the peer is blocked, and the
 *                 again with the same bytes     peek after wspool_writable begins with those bytes
 */
int wspool_under_way(wspool *pool, wspool_id id, size_t bytes, uint64_t now);

/* A blocked transport can be written to again. Does nothing if it was not blocked.
 *   STALE  the id is stale. Forget it. */
int wspool_writable(wspool *pool, wspool_id id, uint64_t now);

enum wspool_gone_why {
    WSPOOL_GONE_EOF,   /* the client closed its direction */
    WSPOOL_GONE_FAILED /* an error: reset, broken pipe, timed out */
};

/* The transport has ended or failed. The peer leaves its channels, its close hook runs, and
 * wspool_next lists it for CLOSE. Does nothing if the peer has ended already.
 *   STALE  the id is stale. Forget it.
 *   INVAL  `why` is out of range. Correct the call. */
int wspool_gone(wspool *pool, wspool_id id, enum wspool_gone_why why, uint64_t now);

/* The transport is closed: frees the peer, and its id becomes stale.
 *   STATE      the peer has not ended. Call wspool_gone first.
 *   STALE      the peer was released already. Forget the id.
 *   REENTRANT  called from a hook. Release the peer after the hook has returned. */
int wspool_release(wspool *pool, wspool_id id);

/*
 * Raw mode: adds a header to the 101 of this peer, for example Set-Cookie or Server. Call it while
 * the request is judged: in the token, origin or capacity hook, or until its pending verdict has
 * come. In the plain hook it adds to the page. A refusal does not have these headers. Names may
 * repeat. Both strings are copied.
 *   INVAL  the name is not a token (RFC 9110, section 5.6.2), the value has a control character,
 *          or the pool writes this header itself: Connection, Upgrade, Content-Length,
 *          Content-Type, Transfer-Encoding, and all that begin with "Sec-WebSocket-". Correct the
 *          call.
 *   FULL   all added headers together exceed WSPOOL_ADDED_HEADERS_MAX. Nothing was added: leave it
 *          out, or close the peer.
 *   STATE  the peer is not being judged, or the request is hosted: then the host adds headers when
 *          it sends the answer.
 *   STALE  the id is stale. Forget it.
 *   NOMEM  the allocator failed. Leave it out, or close the peer.
 */
int wspool_add_header(wspool *pool, wspool_id id, const char *name, const char *value);

/* ----------------------------------------------------------------- hosted */

enum wspool_upgrade_result {
    WSPOOL_UPGRADE_REFUSED = 0,  /* send the answer; *id is 0 */
    WSPOOL_UPGRADE_ACCEPTED = 1, /* send the answer (101), then call wspool_adopt */
    WSPOOL_UPGRADE_PENDING = 2   /* the verdict hook brings the answer later */
};

/*
 * Hosted mode: the host's own HTTP server parsed a WebSocket request. Judges it, fills *answer and
 * returns a wspool_upgrade_result. If the request is accepted or pending, *id has a place in the
 * pool until wspool_adopt, at most until its deadline. After the deadline the id is stale; a
 * pending request gets its answer (503) through the verdict hook before that.
 *
 * If the HTTP connection ends before wspool_adopt, call wspool_gone: it frees the place at once. A
 * client can reset its connection right behind the request, so without this call a flood of such
 * clients has all places until their deadlines. Every HTTP server reports the end of a connection
 * somewhere (libmicrohttpd: NOTIFY_COMPLETED); see examples/cards/glue.c.
 *   INVAL      request->size is not set, or the address, the key or the subject is too long.
 *              Correct the call, and answer 500.
 *   FULL       as for wspool_open. Answer 503, or 429 if the key is full.
 *   NOMEM      the allocator failed. Answer 503.
 *   REENTRANT  called from a hook. Call it after the hook has returned.
 */
int wspool_upgrade(wspool *pool, const wspool_request *request, uint64_t now, wspool_id *id,
                   wspool_answer *answer);

/* Hosted mode: the host sent the 101. From now on the peer's bytes go through wspool_feed. `bytes`
 * are the `len` bytes that were read behind the request. The open hook runs.
 *   STATE      the request is still pending, or was adopted already. Wait for the verdict hook.
 *   STALE      the handshake deadline has passed. Close the transport.
 *   REENTRANT  called from a hook, such as the verdict hook. Call it after the hook has returned.
 *               */
int wspool_adopt(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now);

/* Any thread. Completes a token check whose hook returned WSPOOL_PENDING. Takes effect on the
 * pool's thread at its next tick; the wake hook asks for one. If the peer has ended meanwhile, the
 * identity of the verdict goes to identity_free.
 *   INVAL  verdict->kind is neither WSPOOL_ACCEPT nor WSPOOL_REFUSE, its size is not set, or its
 *          subject or client instance is too long. Correct the call; the identity still belongs to
 *          the caller.
 *   NOMEM  the allocator failed; the identity still belongs to the caller. Call it again, or let
 *          verdict_time refuse the peer. */
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
 *   STATE   the peer is not open yet, or is closing. Subscribe in the open hook, or forget it.
 *   EXISTS  it is a member already. There is nothing to do.
 *   FULL    it has channels_per_peer memberships. End one, or raise the limit.
 *   STALE   the id is stale. Forget it.
 *   INVAL   the channel has no such kind, or a name over 255 bytes. Correct the call.
 *   NOMEM   the allocator failed. Free memory and try again.
 *   REENTRANT  a contract renders, or options->commit runs (wspool_send_options). Call it after
 *              that has returned. */
int wspool_subscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* Ends a membership. The channel becomes inactive with its last member.
 *   ABSENT  the peer is not a member. There is nothing to do.
 *   STALE   the id is stale. Forget it: the peer has left every channel.
 *   INVAL   as for wspool_subscribe.
 *   REENTRANT  as for wspool_subscribe. */
int wspool_unsubscribe(wspool *pool, wspool_id id, wspool_channel channel);

/* Returns 1 if the peer is a member of the channel, else 0.
 *   STALE  the id is stale. Forget it.
 *   INVAL  as for wspool_subscribe. */
int wspool_is_member(const wspool *pool, wspool_id id, wspool_channel channel);

/* A position in a channel: the number of its last message, counted from 1, in one epoch. A channel
 * exists while it has members, a history with messages, or ids of publishers to remember, and
 * from wspool_seed to wspool_clear. When it comes into being again, it counts from 1 again, in
 * another epoch. */
typedef struct wspool_channel_position {
    uint64_t epoch;
    uint64_t offset;
} wspool_channel_position;

/* Sets *position to the present position of a channel. Call it before you render a list that later
 * messages will change: a client that subscribes afterwards and finds the channel at this position
 * has missed nothing. This also holds for a channel that does not exist: if a message was published
 * to it meanwhile, it comes into being with another epoch. (The epoch may also change without a
 * message. Then a client fetches the list once more than necessary.)
 *   INVAL  as for wspool_subscribe. */
int wspool_position(const wspool *pool, wspool_channel channel, wspool_channel_position *position);

/* Why a resume could not recover everything. */
enum wspool_lost {
    WSPOOL_LOST_NOTHING = 0,
    WSPOOL_LOST_EPOCH,   /* the position is of another epoch */
    WSPOOL_LOST_TOO_OLD, /* messages behind the position are no longer in the history */
    WSPOOL_LOST_UNKNOWN  /* the position is behind the channel's last message */
};

typedef struct wspool_resumed {
    size_t size;                      /* sizeof(wspool_resumed), set by the caller */
    wspool_channel_position position; /* of the channel at this moment */
    int recovered;         /* 1: the peer gets every message behind the position that it gave */
    enum wspool_lost lost; /* if not: why. The peer gets what is published behind `position` */
    uint64_t count;        /* how many messages of the history follow */
    int reset; /* 1: keyed. What the peer knows of this channel is void: the whole state follows */
} wspool_resumed;

/*
 * Makes a peer a member of a channel behind the last message that it has seen. If the history still
 * has everything after that, the peer gets it, in order, as its output drains, and then what is
 * published; none twice, none left out. Messages that are sent in the same call or hook before it
 * returns come first: say there what *resumed has. NULL `since`: the present position. In the open
 * hook it may be called for the channel of the peer's own route, of which it is a member already:
 * then it returns 0 if that channel's kind has a history, else EXISTS. `resumed` may be NULL.
 *
 * If the channel has a keyed history, the peer gets the messages of the window, and before it the
 * newest message of each key; so the offsets that it sees may jump, but it ends with the present
 * state. From offset 0 it gets the whole state; the position {0, 0} asks for that in any epoch. A
 * position from which the present state cannot be reached is not met (TOO_OLD: a removal behind it
 * was forgotten), and the peer gets the whole state, too, with `reset`. The whole state includes
 * messages that have the peer as `except`.
 *
 * Its errors are those of wspool_subscribe, and
 *   INVAL   the size of `resumed` is not set. Set it.
 *   EXISTS  the peer is a member already, and stays where it is. *resumed is set: `position` is
 *           that of the last message of the channel that was queued for it, and the peer is
 *           recovered if `since` is the same position.
 */
int wspool_resume(wspool *pool, wspool_id id, wspool_channel channel,
                  const wspool_channel_position *since, wspool_resumed *resumed);

/* Returns the number of members; 0 for an inactive channel.
 *   INVAL  as for wspool_subscribe. */
int wspool_member_count(const wspool *pool, wspool_channel channel);

/* Each copies at most `max` entries and returns how many there are in all: the members of a
 * channel, the channels of a peer, the peers that are open or closing, the active channels. The
 * array may be NULL if max is 0. Copied ids do not change. The name in a copied wspool_channel is
 * valid until the channel becomes inactive.
 *   INVAL  (wspool_members) as for wspool_subscribe.
 *   STALE  (wspool_channels_of) the id is stale. Forget it: the peer has left every channel. */
int wspool_members(const wspool *pool, wspool_channel channel, wspool_id *ids, size_t max);
int wspool_channels_of(const wspool *pool, wspool_id id, wspool_channel *channels, size_t max);
int wspool_peers(const wspool *pool, wspool_id *ids, size_t max);
int wspool_channels(const wspool *pool, wspool_channel *channels, size_t max);

/* ------------------------------------------------------------- publishing */

#define WSPOOL_BINARY 1u /* a binary message. Without it: text, which must be valid UTF-8 */
#define WSPOOL_REMOVE 2u /* a removal of its key, for a keyed history; not for wspool_send */

#define WSPOOL_KEY_MAX 255 /* bytes of a key */

/* Ids of publishers: the longest in bytes, how many a channel remembers, and for how long. */
#define WSPOOL_PUBLISH_ID_MAX 64
#define WSPOOL_PUBLISH_IDS 1024
#define WSPOOL_PUBLISH_ID_TIME (300 * WSPOOL_SECOND)

/* A message as it was published: what wspool_seed takes, after a restart or in another pool. */
typedef struct wspool_seed_message {
    size_t size;    /* sizeof(wspool_seed_message) */
    unsigned flags; /* WSPOOL_BINARY, WSPOOL_REMOVE */
    const void *data;
    size_t len;
    uint64_t time;    /* when it was published, in milliseconds since 1970; 0: now */
    wspool_text key;  /* as in wspool_send_options */
    wspool_text type; /* not empty: `data` is that of a publication, which the contracts render now,
                         as for wspool_publish; then not with WSPOOL_BINARY. Empty: a message as it
                         is */
} wspool_seed_message;

/* Commits a message before it is published. Called once, when the message has its position and
 * nothing else can fail: an application with a database writes the change that the message tells
 * of, the message and its position there, in one transaction. Returns 0; any other result cancels
 * the broadcast, and no offset is used. So what the database has and what members get never differ:
 * after a restart wspool_seed gives the message back to its channel. Calls that may change a channel
 * return REENTRANT inside.
 * `message` is valid during the call. */
typedef struct wspool_commit {
    int (*call)(const wspool_channel_position *position, const wspool_seed_message *message,
                void *user);
    void *user;
} wspool_commit;

typedef struct wspool_send_options {
    size_t size; /* sizeof(wspool_send_options) */
    unsigned flags;
    wspool_id except; /* this peer does not get the message, nor do other peers of its client
                         instance (wspool_client): neither now nor from a history. So a publisher
                         that comes back does not get its own message. 0 or a stale id: everyone
                         gets it */
    wspool_text id;   /* the publisher's id of this message: any bytes, at most
                         WSPOOL_PUBLISH_ID_MAX. While the channel remembers it (the last
                         WSPOOL_PUBLISH_IDS, each for WSPOOL_PUBLISH_ID_TIME), it publishes nothing
                         with that id again. So a publisher that does not know whether a message
                         was published may repeat it. Empty: none */
    wspool_text key;  /* what the message is about: any bytes, at most WSPOOL_KEY_MAX. A keyed
                         history keeps the newest message of each key; a message without a key
                         stays in its window only. Empty: none */
    wspool_commit commit; /* optional. Not called for a message that goes nowhere: the channel is
                             inactive and its kind has no history, or the id is a repetition */
    /* only for wspool_send and wspool_send_to: */
    enum wspool_priority priority; /* WSPOOL_NORMAL */
    enum wspool_kind kind; /* not WSPOOL_NONE: the message has the priority of the channels of this
                              kind instead, so it keeps its place among their messages */
} wspool_send_options;

typedef struct wspool_tally {
    size_t size;     /* sizeof(wspool_tally), set by the caller */
    uint32_t queued; /* peers it was queued for */
    uint32_t slow;   /* of these, how many were blocked */
    uint32_t closed; /* peers that were closed because their queue was full (CLOSE) */
    uint32_t
        behind; /* members that are behind, and get it later if the history keeps it (BEHIND) */
    wspool_channel_position position; /* position of this message; 0: none, as it went to nobody */
    int repeated;  /* 1: a message with this id was published before, and has that position. Nothing
                     was published now */
    uint64_t time; /* of the message, in milliseconds since 1970 (config.wall_clock); 0: nothing was
                      published */
} wspool_tally;

/*
 * Sends a message to the members that a channel has now. It is encoded once. NULL options mean text
 * to every member; `tally` may be NULL. Returns the number of peers for which it was queued: 0 if
 * the channel is inactive, or if every queue was full. A channel whose kind has a history keeps the
 * message, if only for later members. After an error no peer gets the message.
 *   TOO_BIG  it does not fit into an empty queue (queue_bytes of the route), or into pool_bytes.
 *            Send less, or raise the limit.
 *   FULL     no room in pool_bytes, even after shedding: write what is queued (wspool_next) and try
 *            again. Or its id has no room in history_bytes: try again later. Or, with a
 *            keyed history, the message has no room in history_bytes, or its key is new and there
 *            are max_keys: remove a key, or raise the limit.
 *   INVAL    as for wspool_subscribe, an unknown flag, an id or a key that is too long, a removal
 *            without a key, an option of wspool_send, or the size of options or tally is not set.
 *            Correct the call.
 *   STATE    options->commit cancelled. Nothing was published.
 *   NOMEM    the allocator failed. Free memory and try again.
 *   REENTRANT  as for wspool_subscribe.
 */
int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally);

/*
 * Publishes a message in parts: each contract that is attached to the pool makes a message of them
 * for its peers (wspool/handlers.h). `type` must not be empty. All else is as for wspool_broadcast,
 * but WSPOOL_BINARY is not an option: the contract decides. A publication to an inactive channel
 * without a history is not rendered. Its errors are those of wspool_broadcast, and
 *   STATE  the pool has no contract: attach one. Or options->commit cancelled. Nothing was
 *          published.
 *   others that a contract returns: see its header. Nothing was published.
 */
int wspool_publish(wspool *pool, wspool_channel channel, wspool_text type, wspool_text data,
                   const wspool_send_options *options, wspool_tally *tally);

/* Sends a message to one peer. Of the options only flags, priority and kind count. If the peer is
 * behind in a channel, what the channel has queued may fill its queue: so it has an eighth more of
 * queue_bytes, and of queue_messages and one, for messages that are sent to it alone.
 *   FULL     the peer's queue has no room: try again when the pressure hook reports that it has. Or
 *            pool_bytes is used up (block_bytes in the stats): write what is queued and try again.
 *   STATE    the peer is not open yet, or is closing. Forget the message.
 *   TOO_BIG  as for wspool_broadcast.
 *   STALE    the id is stale. Forget it.
 *   INVAL    an unknown flag, priority or kind, or options->size is not set. Correct the call.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *options);

/* -------------------------------------------------------- what a channel keeps */

/*
 * Gives a channel a position, and messages that it had before, for example at the start of a
 * program that stores them. Messages are given in the order of their offsets. `position` is that of
 * the message; without a message (NULL) that of the channel. If an offset is left out, what was
 * kept before it is forgotten: a history has no holes. A keyed one forgets only its
 * window, and gives the whole state to a position before the hole, where removals may have been.
 * Epochs are above 0, and the offset of a message is, too; offsets are below 2^53. From now on the
 * channel exists, until wspool_clear. It keeps to the limits of its history, like any other.
 *   STATE    the channel has members. Seed it before its first one.
 *   EXISTS   the channel is in another epoch, or not before that offset. Clear it first.
 *   INVAL    as for wspool_subscribe; the position is not possible, a flag is unknown, the size is
 *            not set; or a message for a kind without history. Correct the call.
 *   TOO_BIG  as for wspool_broadcast, or it is longer than the history of this kind. Leave it out.
 *   FULL     no room in history_bytes: the channel keeps nothing now. Raise the limit.
 *   NOMEM    the allocator failed: the channel keeps nothing now. Free memory, clear it and begin
 *            again.
 *   others   for a message with a type: those of wspool_publish.
 *   REENTRANT  as for wspool_subscribe. */
int wspool_seed(wspool *pool, wspool_channel channel, const wspool_channel_position *position,
                const wspool_seed_message *message);

/* Forgets one key of a keyed history, with all messages of the window, so that it is given to
 * nobody again. Members are not told: publish a removal for that. A resume from an earlier position
 * gets the whole state.
 *   ABSENT  there is no such channel, or it has no such key. There is nothing to do.
 *   INVAL   as for wspool_subscribe, or the key is empty or too long. Correct the call.
 *   FULL    no room in history_bytes for what leaves the window. Raise the limit.
 *   NOMEM   the allocator failed. Free memory and try again.
 *   REENTRANT  as for wspool_subscribe. */
int wspool_erase(wspool *pool, wspool_channel channel, wspool_text key);

/* Forgets what a channel keeps, but not the ids of publishers. Members that are behind miss it. A
 * channel without members ceases to exist when it has no such ids, so its next epoch is another
 * one.
 *   ABSENT  there is no such channel. There is nothing to do.
 *   INVAL   as for wspool_subscribe.
 *   REENTRANT  as for wspool_subscribe. */
int wspool_clear(wspool *pool, wspool_channel channel);

/* ------------------------------------------------ readers that are no peers
 *
 * For clients that cannot use WebSocket. A host with any HTTP server offers them a channel that has
 * a history: by long polls,
 *
 *     n = wspool_read(pool, channel, &since, list, 100, &resumed);
 *     if (resumed.count == 0 && resumed.recovered && !waited) {
 *         wspool_wait(pool, channel, &request->waiter, now + 25 * WSPOOL_SECOND);
 *         return;                          // its `call` comes here again, with waited = 1
 *     }
 *     ... answer with the messages, and with the position of the last of them, or with
 *         resumed.position when there are no more than n
 *
 * or as a stream of Server-Sent Events: read and write until there is nothing, wait, and again. */

/* A message of a history, as the contract that was attached first has rendered it. */
typedef struct wspool_read_message {
    uint64_t offset;
    const uint8_t *data; /* valid until the next call for this pool */
    size_t len;
    int binary;
} wspool_read_message;

/*
 * Reads the messages of a channel behind a position: at most `max` of them, the oldest first, which
 * are not copied. Returns how many. *resumed tells as for wspool_resume whether there is everything
 * behind `since`, or why not; then nothing is read, unless it has `reset`. Its `count` is that of
 * all messages that the reader is to get. If more than were returned, call again with the position
 * of the last one; else the reader continues from resumed->position. NULL `since`: the present
 * position, so nothing is read. `list` may be NULL if max is 0, and `resumed` may be NULL.
 *
 * Of a keyed history a reader gets what a peer gets: behind {0, 0}, or with `reset`, the whole
 * state. That is read at once: if `max` is below resumed->count, nothing is read. Call again with a
 * list for so many.
 *   INVAL  as for wspool_subscribe, `list` is missing, or the size of `resumed` is not set.
 *   REENTRANT  as for wspool_subscribe.
 */
int wspool_read(wspool *pool, wspool_channel channel, const wspool_channel_position *since,
                wspool_read_message *list, size_t max, wspool_resumed *resumed);

/* One wait for the next message of a channel. Its memory is the host's, and must stay where it is
 * while it waits. All zero but for `call` and `user` before it is first used. */
typedef struct wspool_waiter wspool_waiter;
struct wspool_waiter {
    /* Called once, like a hook: `woken` is 1 if a message was published, 0 if the time is over.
     * The waiter is free then, and may wait again or be freed. */
    void (*call)(wspool *pool, wspool_waiter *waiter, int woken);
    void *user;
    /* The rest is the pool's. */
    uint64_t until;
    void *channel;
    wspool_waiter *next, **link, *earlier, *later;
};

/*
 * Waits until a message is published to a channel, or until a time of the pool's clock (UINT64_MAX:
 * without limit), which wspool_deadline regards. The waiter is never called before this returns.
 * Nothing is allocated for it but the channel, if it does not exist yet. wspool_free forgets those
 * that wait, and calls none.
 *   INVAL   as for wspool_subscribe, `call` is missing, or the channel's kind has no history. Give
 *           its route one.
 *   EXISTS  this waiter waits already.
 *   FULL    config.max_waiters wait. Tell the client to come back later.
 *   NOMEM   the allocator failed. Free memory and try again.
 *   STATE   the pool is being freed.
 *   REENTRANT  as for wspool_subscribe.
 */
int wspool_wait(wspool *pool, wspool_channel channel, wspool_waiter *waiter, uint64_t until);

/* Ends a wait without a call: the client has gone. Returns 1, or 0 if it does not wait.
 *   INVAL  an argument is NULL.
 *   REENTRANT  as for wspool_subscribe. */
int wspool_wait_cancel(wspool *pool, wspool_waiter *waiter);

/*
 * Sends a message to every open peer of a subject, on whatever route, for example to notify a user
 * on all devices. It is encoded once. As with wspool_send, it belongs to no channel and no history:
 * it may go before messages of a channel for which a peer is behind. A peer whose queue is full is
 * closed (4100), so that it does not miss the message without knowing. `tally` may be NULL; its
 * position is zero. Returns the number of peers for which it was queued: 0 if the subject has no
 * open peer. After an error no peer gets the message.
 *   TOO_BIG  it does not fit into an empty queue, or into pool_bytes. Send less, or raise the
 *            limit.
 *   FULL     no room in pool_bytes, even after shedding. Write what is queued and try again.
 *   NOMEM    the allocator failed. Free memory and try again.
 *   INVAL    the subject is empty or longer than WSPOOL_SUBJECT_MAX, options for channels are set
 *            (only WSPOOL_BINARY, `except`, `priority` and `kind` are allowed), or the size of options or
 *            tally is not set. Correct the call.
 */
int wspool_send_to(wspool *pool, wspool_text subject, const void *message, size_t len,
                   const wspool_send_options *options, wspool_tally *tally);

/* ------------------------------------------------------------------- rest */

#define WSPOOL_CLOSE_NOW 1u /* drop queued messages. Without it they are sent before the Close */

/*
 * Closes a peer: it leaves its channels at once, and nothing more is queued for it. The pool sends
 * the queued messages and the Close frame and waits for the peer's Close, all within closing_time.
 * What a channel's history still had for a peer that was behind is not sent: it may resume.
 * A peer that is not open yet is refused (403). `reason` is at most 123 bytes of UTF-8, or NULL.
 *   INVAL  the code may not be sent (RFC 6455, section 7.4; allowed: 1000-1003, 1007-1014 and
 *          3000-4999), the reason is not valid, or a flag is unknown. Correct the call.
 *   STATE  the peer is closing or refused already. There is nothing to do.
 *   STALE  the id is stale. Forget it.
 */
int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags);

/*
 * Closes every peer of a subject as wspool_close does, for example to log a user out everywhere:
 * also those whose verdict has come and that are not open yet. Returns how many. A peer whose
 * verdict comes later is not among them, so revoke the user's tokens first.
 *   INVAL  as for wspool_close, or the subject is empty or longer than WSPOOL_SUBJECT_MAX.
 */
int wspool_close_all(wspool *pool, wspool_text subject, int code, const char *reason,
                     unsigned flags);

/* Reports abuse that only the host or a companion can see, such as a command that makes no
 * sense. Takes `cost` from the peer's abuse budget; if the budget is spent, the peer is closed with
 * 4103. `what` is a word for the log, never text from the peer. It may be NULL.
 *   INVAL  cost is 0. Correct the call.
 *   STATE  the peer is not open yet, or is closing. There is nothing to do.
 *   STALE  the id is stale. Forget it. */
int wspool_report_abuse(wspool *pool, wspool_id id, uint32_t cost, const char *what);

/*
 * Ends the service, within `window` nanoseconds. Refuses newcomers and all peers whose request or
 * verdict is awaited (503 draining), and closes the open peers with `code` (0: 4200), one by one,
 * in a random order and at random times, so that they do not come back all at once. The first one
 * is closed at the next tick, and the last one early enough to take what is queued: closing_time
 * before the end of the window, or in the middle of a shorter one. Window 0: all at once. A hosted
 * peer that was accepted before is closed when it is adopted, after its open hook.
 *
 * A peer gets what is queued for it, as with wspool_close; one that is behind may resume elsewhere.
 * Publishing and sending go on until a peer is closed. A second call replaces window and code for
 * all peers that are open then. Log and verdict hooks run inside.
 *   INVAL  the code may not be sent, or the window is longer than WSPOOL_TIME_MAX. Correct the
 *          call.
 */
int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now);

/* Returns how many peers a drain waits for: all that are not released yet. With 0 the host can
 * stop. A peer that does not answer its Close ends after closing_time, which may be after the
 * window.
 *   STATE  the pool does not drain. */
int wspool_draining(const wspool *pool);

/* Return the pointer that the host gave to wspool_open, wspool_upgrade or wspool_set_user, and the
 * identity of the verdict. NULL for a stale id. */
void *wspool_user(const wspool *pool, wspool_id id);
void *wspool_identity(const wspool *pool, wspool_id id);

/* From now on wspool_user returns `user`.
 *   STALE  the id is stale. Forget it. */
int wspool_set_user(wspool *pool, wspool_id id, void *user);

/* Sets *address to the address that the host gave to wspool_open or wspool_upgrade, valid until
 * wspool_release. It is empty if the host gave none.
 *   STALE  the id is stale; *address is empty. Forget the id. */
int wspool_address(const wspool *pool, wspool_id id, wspool_text *address);

/* Returns the text that consists of a string. */
static inline wspool_text wspool_text_of(const char *string)
{
    wspool_text text;
    text.data = string;
    text.len = strlen(string);
    return text;
}

/*
 * The subject of a peer is who it acts for: a user, an account. It comes from the verdict on its
 * token, or from a host that knows it otherwise (wspool_open_options, wspool_request). If several
 * name one, the first one that is not empty is kept. The pool finds the peers of a subject, however
 * many channels, routes and devices they use.
 *
 * The client instance tells the connections of one subject apart: one page, one run of a program.
 * It comes from the verdict, or else from the parameter `client` of the request's query, percent
 * decoded. Then it is what the peer says: any bytes. A parameter that is empty, longer than
 * WSPOOL_CLIENT_MAX or badly escaped is ignored, since it may be the application's own.
 *
 * Without a subject, a client instance is only as good as it is hard to guess: whoever names the
 * same one does not get the messages that leave it out (wspool_send_options.except).
 *
 * Set *subject or *client, valid until wspool_release; empty if the peer has none. A client
 * instance from the query is there from the open hook on.
 *   STALE  the id is stale; the text is empty. Forget the id.
 */
int wspool_subject(const wspool *pool, wspool_id id, wspool_text *subject);
int wspool_client(const wspool *pool, wspool_id id, wspool_text *client);

/* Copies at most `max` ids of the open peers of a subject, the one that was opened last first, and
 * returns how many there are in all. The array may be NULL if max is 0.
 *   INVAL  the subject is empty or longer than WSPOOL_SUBJECT_MAX. Correct the call. */
int wspool_peers_of(const wspool *pool, wspool_text subject, wspool_id *ids, size_t max);

/* Returns the number of messages that wait to be sent to the peer, those that are sent in part
 * included, and sets *bytes (may be NULL) to all bytes that wait, with control frames and the
 * answer of the handshake: 0 if the peer has no output.
 *   STALE  the id is stale. Forget it. */
int wspool_queued(const wspool *pool, wspool_id id, size_t *bytes);

/* Returns a small number for a peer: an index for an array of the host. It is below the highest
 * number of peers that existed at one time. */
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
