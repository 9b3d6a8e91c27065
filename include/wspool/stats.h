/* SPDX-License-Identifier: MIT */
/*
 * wspool/stats.h - the counters and gauges of a pool, and the check of its books.
 *
 * The books (law 7). Each equation holds whenever no call of the pool is running:
 *
 *   attempts   = accepted + refused (all reasons) + plain + handshakes
 *   accepted   = peers + ended (all reasons)
 *   deliveries = queued + slow_closes
 *   queued     = sent + dropped_closed + waiting
 *
 * Beside them, `left_behind` counts the messages that were published to members that were behind.
 * Each of these members got the message later (`recovered`), or its host was told (`missed`), or it
 * left the channel before that. Both also count what a peer resumed from before it was a member.
 */
#ifndef WSPOOL_STATS_H
#define WSPOOL_STATS_H

#include <wspool/config.h>
#include <wspool/histogram.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Before version 1.0 a new member may be added anywhere, and hosts must be compiled again; after
 * it only at the end of wspool_statistics.
 *
 * Counters only grow. X(name, unit, help) */
#define WSPOOL_COUNTERS(X) \
    X(attempts, "peers", "transports opened and hosted requests judged") \
    X(accepted, "peers", "peers that became open") \
    X(plain, "peers", "requests that the plain hook answered") \
    X(brief, "peers", "peers that ended within 10 s of their opening") \
    X(published, "messages", "broadcasts that found their channel") \
    X(deliveries, "messages", "one message to one peer, attempted") \
    X(queued, "messages", "one message to one peer, put in its queue") \
    X(sent, "messages", "one message to one peer, handed to the host whole") \
    X(dropped_closed, "messages", "still queued when the peer ended") \
    X(slow_closes, "messages", "not queued: the queue was full, and its peer was closed") \
    X(left_behind, "messages", "published to one peer that was behind") \
    X(resumes, "calls", "resumes from a position that a peer gave") \
    X(resumes_lost, "calls", "of these, how many could not get all that was missed") \
    X(recovered, "messages", "of those queued, how many came from a history") \
    X(missed, "messages", "told to one peer as missed, because the history had forgotten them") \
    X(sent_bytes, "bytes", "handed to the host, frame headers and handshakes included") \
    X(encoded, "messages", "encoded frames made; a broadcast makes one") \
    X(encoded_bytes, "bytes", "length of those frames") \
    X(codec_encoded, "messages", \
      "encoded frames that the codec made in addition: one for each encoding in use") \
    X(codec_encoded_bytes, "bytes", "length of those frames") \
    X(received, "messages", "whole messages given to the message hook") \
    X(codec_decoded, "messages", "of these, how many the codec decoded") \
    X(codec_decoded_bytes, "bytes", "length of those messages") \
    X(received_bytes, "bytes", "fed by the host") \
    X(frames, "frames", "frame headers that were valid") \
    X(pings_sent, "frames", "Ping frames that the pool sent") \
    X(pongs_received, "frames", "Pong frames of peers") \
    X(pings_received, "frames", "Ping frames of peers") \
    X(pongs_dropped, "frames", "Pong frames that a newer one replaced before they were sent") \
    X(abuse_cost, "units", "taken from abuse budgets") \
    X(blocked, "events", "times that a peer's transport could not take all") \
    X(shed, "peers", "closed because pool_bytes was used up") \
    X(budget_refused, "messages", "not queued for anyone: no room in pool_bytes") \
    X(turns_spent, "events", "times that a peer's input reached turn_bytes or turn_deliveries") \
    X(key_full, "peers", "not opened: their key had max_per_key peers, or made too many attempts") \
    X(key_subscribes, "calls", "not made: their key had subscribed too often") \
    X(breaker_trips, "events", "times that refusals for lack of capacity passed breaker_burst") \
    X(breaker_refused, "peers", "not opened for that reason") \
    X(renewals, "tokens", "new tokens of open peers that were accepted") \
    X(renewals_refused, "tokens", "new tokens of open peers that were refused") \
    X(log_suppressed, "records", "log records left out by the limit on their rate") \
    X(stale_ids, "calls", "calls with a stale id")

/* Gauges show the present state. X(name, unit, help). A DERIVED gauge is computed from the counters
 * when it is read. */
#define WSPOOL_GAUGES(X) WSPOOL_GAUGES_OR_DERIVED(X, X)
#define WSPOOL_GAUGES_OR_DERIVED(X, DERIVED) \
    X(handshakes, "peers", "in their handshake") \
    X(peers, "peers", "accepted and not yet ended; those that are closing count") \
    X(channels, "channels", "with at least one member") \
    X(memberships, "memberships", "of all peers in all channels") \
    X(waiters, "waiters", "waiting for a message, by wspool_wait") \
    DERIVED(waiting, "messages", "queued, over all peers") \
    X(waiting_bytes, "bytes", "queued, over all peers: a shared message counts for each") \
    X(block_bytes, "bytes", "memory of the encoded frames, a shared message counted once") \
    X(history_bytes, "bytes", "memory of the histories, without what block_bytes counts") \
    DERIVED(input_bytes, "bytes", "memory of incomplete input: see config.input_bytes")

/* Histograms of values that came. X(name, unit, help) */
#define WSPOOL_HISTOGRAMS(X) \
    X(handshake_time, "microseconds", "from the opening of a transport to the verdict") \
    X(queue_age, "microseconds", \
      "how long the oldest byte of a queue had waited when it was handed out: of one peer in 16 " \
      "turns, and of each that was blocked; at most the age of the block that it is in") \
    X(round_trip, "microseconds", "from a Ping to its Pong, if nothing else came before that") \
    X(resume_size, "messages", "that a resume found to catch up with")

/* How long nothing had come from peers whose transport ended or failed without a Close. Proxies and
 * firewalls end what was silent for one of these times. X(name, seconds) */
#define WSPOOL_SILENCES(X) \
    X(30, 30) \
    X(60, 60) \
    X(100, 100) \
    X(300, 300) \
    X(3600, 3600)

enum wspool_silence {
#define WSPOOL_X(name, seconds) WSPOOL_SILENCE_##name,
    WSPOOL_SILENCES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_SILENCE_OTHER, /* none of these times, within 2 % or a second */
    WSPOOL_SILENCE_COUNT
};

/* One stage of the handshake. Time spent waiting for the rest of a head counts for REQUEST_LINE; in
 * hosted mode the host says when that began (wspool_request.began). `now` is the same during a
 * call, so HEADERS to CAPACITY have no time, except for TOKEN with a late verdict. The wait of a
 * 101 for its way out counts for FLUSHED.
 * An accepted peer that ends before its 101 was sent counts as refused in FLUSHED, and as ended.
 * When a late verdict meets a pool that is full or draining by then, the peer counts as refused in
 * TOKEN, although CAPS was passed. A request that the plain hook answers passes HEADERS and goes no
 * further. */
typedef struct wspool_stage_stats {
    uint64_t passed;        /* peers that passed it */
    uint64_t refused;       /* peers that were refused in it, or left */
    uint64_t gone;          /* of these, how many left */
    uint64_t time;          /* nanoseconds spent before it by the peers that passed, summed */
    wspool_histogram times; /* the same of each peer, in microseconds */
} wspool_stage_stats;

/* Room for reasons of later versions, so that the struct grows at its end only. */
#define WSPOOL_STATS_REFUSALS 64
#define WSPOOL_STATS_ENDS 48
#define WSPOOL_STATS_STAGES 16
#define WSPOOL_STATS_SILENCES 16
#define WSPOOL_STATS_PLACES 8

/* All numbers of a pool. */
typedef struct wspool_statistics {
    size_t size; /* sizeof(wspool_statistics), set by the caller */
#define WSPOOL_X(name, unit, help) uint64_t name;
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, unit, help) wspool_histogram name;
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    uint64_t lost_after[WSPOOL_STATS_SILENCES]; /* peers; index: enum wspool_silence */
    /* Requests for which a token was looked for; index: enum wspool_token_place. Found: the place that
     * had it, valid or not; NONE: no place had one. Blank: each place that had an empty one; NONE: no
     * place had any, not even an empty one. */
    uint64_t token_found[WSPOOL_STATS_PLACES];
    uint64_t token_blank[WSPOOL_STATS_PLACES];
    uint64_t refused[WSPOOL_STATS_REFUSALS]; /* index: enum wspool_refusal */
    uint64_t ended[WSPOOL_STATS_ENDS];       /* index: enum wspool_end */
    wspool_stage_stats stages[WSPOOL_STATS_STAGES];
} wspool_statistics;

/* Any thread. Copies the counters and gauges to *stats; set stats->size first. On the pool's
 * thread the books balance. On another thread each number is right by itself, and the numbers
 * may be a moment apart.
 *   INVAL  stats->size is not set. Set it. */
int wspool_stats(const wspool *pool, wspool_statistics *stats);

/* Compares the whole pool with its counters: the books above, every queue, every membership, the
 * references of every block; and checks the invariants of each module. Linear in peers and
 * memberships: for tests, and for an occasional diagnosis, on the pool's thread. Returns 0 or
 *   INTERNAL  the library has a bug. A peer cannot cause this. Please report it. */
int wspool_check(const wspool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
