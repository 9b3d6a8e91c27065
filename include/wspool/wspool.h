/* SPDX-License-Identifier: MIT */
/*
 * wspool/wspool.h - pools of WebSocket peers: their life, their bytes and their end. Includes the
 * headers that are listed below.
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
 * The reference, in the order of reading
 *   wspool.h            pools and peers: this file
 *   config.h            limits, hooks, options of a route
 *   handshake.h         requests, answers, verdicts
 *   channels.h          members of channels, positions
 *   publish.h           broadcast, publish, send
 *   history.h           what channels keep: resume, seed, read, wait
 *   handlers.h          several handlers of an event; contracts
 *   stats.h             counters, gauges, histograms, the check of the books
 *   metrics.h           the same as a text for Prometheus
 *   diagnose.h          what is wrong, and what to do
 *   error.h, close.h    errors of calls; codes and reasons of closes
 *   codec.h             compression
 *   capacity.h          refuses peers while the machine is short of something
 * Clients, which need no pool, are in wspool/client.h.
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
 *   idle        192 bytes, and
 *               16 for its first channel, 32 for each further one;
 *               24 and the bytes of its address and key, if it has an identity, an address, a key,
 *               a subject or a client instance;
 *               40 and the bytes of its client instance, if it has one, a subject or an expiry;
 *               56, if its token has an expiry or a time of issue, or it has sent a new one (and 48
 *               while verdicts on that are awaited);
 *               48 and the bytes of its subject, shared by the peers of that subject (without a
 *               subject: 48 and the bytes of its client instance, shared in the same way)
 *   handshake   head_bytes and 1 KiB (17 KB); nothing before the first byte; 2 KiB after a refusal;
 *               768 bytes more if the host adds headers
 *   open        message_bytes, queue_bytes and 16 KiB (336 KiB), and
 *               one 32nd of a queue_bytes above 256 KiB;
 *               an eighth of queue_bytes, if it is behind and messages are sent to it alone;
 *               the input of one feed, while its turn is used up (config.turn_deliveries)
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
#include <sys/uio.h> /* struct iovec: what peek fills can be passed to writev */

#include <wspool/channels.h>
#include <wspool/close.h>
#include <wspool/config.h>
#include <wspool/error.h>
#include <wspool/handlers.h>
#include <wspool/handshake.h>
#include <wspool/history.h>
#include <wspool/publish.h>
#include <wspool/stats.h>
#include <wspool/version.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* -------------------------------------------------------------------- life */

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

/* ------------------------------------------------------------------- bytes */

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
 *          peers are not released yet, the key has max_per_key peers (then stats.key_full grows),
 *          or too many peers were refused for lack of capacity (breaker_refused grows). Close the transport, or stop accepting until a peer was released.
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

/* ------------------------------------------------------------------ hosted */

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
 * identity of the verdict goes to identity_free. The same call completes the check of a new token
 * (wspool_reauth).
 *   INVAL  verdict->kind is neither WSPOOL_ACCEPT nor WSPOOL_REFUSE, its size is not set, or its
 *          subject or client instance is too long. Correct the call; the identity still belongs to
 *          the caller.
 *   NOMEM  the allocator failed; the identity still belongs to the caller. Call it again, or let
 *          verdict_time refuse the peer. */
int wspool_auth_complete(wspool *pool, wspool_id id, const wspool_verdict *verdict);

/*
 * An open peer has sent a new token. The token handlers and the token hook judge it, as they judged
 * that of its request; they get a request of which only token, user, route_user, address, key and
 * subject are filled. When all verdicts are there, inside this call or later, the renewed hook
 * runs. A token that is accepted replaces the expiry of the peer, and the identity if the verdict
 * has one; the old identity goes to identity_free. Subject and client instance stay: a token for
 * another subject, or for none, is refused, unless the host had named the subject itself. After a
 * refusal the peer stays until its old token expires. Each call costs the peer 50 units of its
 * abuse budget; a peer whose budget is spent is closed, and nothing is judged.
 * libwspool_json calls this when a client sends `auth`.
 *   STALE  the id is stale. Forget the token.
 *   STATE  the peer is not open, tokens are not judged on its route, or another new token of it is
 *          still being judged. Forget the token.
 *   NOMEM  the allocator failed. Free memory and let the client try again. */
int wspool_reauth(wspool *pool, wspool_id id, wspool_text token, uint64_t now);

/*
 * Revokes the tokens of a subject that were issued before a moment, for example when a password was
 * changed or a device is lost. An empty subject stands for all tokens, when a secret has leaked.
 * Peers with such a token are closed (4002, WSPOOL_END_REVOKED); what is queued for them is
 * dropped. Requests and new tokens (wspool_reauth) with one are refused (401 revoked), whatever
 * the token hooks say. Returns how many peers were closed or refused.
 *
 * `issued_before` is in seconds since 1970, as in wspool_verdict.issued. Tokens know whole seconds:
 * to include those of the present one, give the next one. A token that does not say when it was
 * issued is revoked as well. Peers on routes without tokens stay (wspool_close_all closes those).
 *
 * The pool keeps the revocation for config.token_time, when the last such token is too old. With
 * token_time 0 it keeps it until it is freed. It is not kept beyond that: after a restart of the
 * program the host revokes again what it has stored. A later call extends one for the same subject.
 *   INVAL  the subject is longer than WSPOOL_SUBJECT_MAX, or the moment is 0 or more than a day
 *          after the wall clock: it may be in milliseconds. Correct the call.
 *   FULL   there are max_revocations. The peers were closed, but their tokens can come back. Revoke
 *          all tokens, which always has a place, or have the token hook refuse the subject.
 *   NOMEM  the allocator failed, with the same effect. Call it again.
 */
int wspool_revoke(wspool *pool, wspool_text subject, uint64_t issued_before, uint64_t now);

/* ------------------------------------------------------------------- peers */

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

/* ---------------------------------------------------- closing and draining */

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

/* ------------------------------------------------------------------- clock */

/* Any thread. Returns nanoseconds of the system's monotonic clock, for hosts that have no clock
 * at hand. The pool never calls it. */
uint64_t wspool_clock(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
