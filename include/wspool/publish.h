/* SPDX-License-Identifier: MIT */
/*
 * wspool/publish.h - messages to channels, to one peer, and to the peers of a subject. The
 * conventions of wspool/wspool.h hold.
 *
 *     call              goes to                                  when a queue is full
 *     wspool_broadcast  the members of a channel, its history    the channel's policy (slow)
 *     wspool_publish    the same, as each contract renders it    the same
 *     wspool_send       one peer                                 FULL
 *     wspool_send_to    every open peer of a subject             that peer is closed (4100)
 *
 * Each encodes the message once and queues it. The host writes it in its turn of the loop.
 */
#ifndef WSPOOL_PUBLISH_H
#define WSPOOL_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/channels.h>
#include <wspool/config.h>
#include <wspool/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Text is not checked: clients close the connection if it is not UTF-8. */
#define WSPOOL_BINARY 1u /* a binary message. Without it: text, which must be valid UTF-8 */
#define WSPOOL_REMOVE 2u /* a removal of its key, for a keyed history */

#define WSPOOL_KEY_MAX 255 /* bytes of a key */

/* Ids of publishers: the longest in bytes, how many a channel remembers, and for how long. */
#define WSPOOL_PUBLISH_ID_MAX 64
#define WSPOOL_PUBLISH_IDS 1024
#define WSPOOL_PUBLISH_ID_TIME (300 * WSPOOL_SECOND)

/* A message as it was published: what a commit stores, and what wspool_seed (wspool/history.h)
 * takes after a restart or in another pool. */
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

/*
 * Commits a message before it is published. Called once, when the message has its position and
 * nothing else can fail. An application with a database stores in one transaction the change that
 * the message tells of, the message and its position; after a restart wspool_seed gives the message
 * back to its channel. So what the database has and what members get never differ.
 *
 * Returns 0. Any other result cancels: nothing is published, and no offset is used. Calls that may
 * change a channel return REENTRANT inside. `position` and `message` are valid during the call. Not
 * called for a message that goes nowhere: the channel is inactive and its kind has no history, or
 * the id is a repetition.
 */
typedef struct wspool_commit {
    int (*call)(const wspool_channel_position *position, const wspool_seed_message *message,
                void *user);
    void *user;
} wspool_commit;

/*
 * Options of a message. Everything but `size` may be zero. NULL options: text, for everyone.
 *
 *     option                           broadcast   publish     send        send_to
 *     WSPOOL_BINARY                    yes         INVAL       yes         yes
 *     WSPOOL_REMOVE                    yes         yes         INVAL       INVAL
 *     except                           yes         yes         no effect   yes
 *     id, key, commit                  yes         yes         no effect   INVAL
 *     priority, kind                   INVAL       INVAL       yes         yes
 *
 *   except    This peer does not get the message, nor do other peers of its client instance
 *             (wspool_client): neither now nor from a history. So a publisher that comes back does
 *             not get its own message. With a stale id everyone gets it.
 *   id        While the channel remembers an id (the last WSPOOL_PUBLISH_IDS, each for
 *             WSPOOL_PUBLISH_ID_TIME), it publishes nothing with that id again. So a publisher that
 *             does not know whether a message was published may repeat it.
 *   key       What the message is about. A keyed history keeps the newest message of each key; a
 *             message without a key stays in its window only.
 *   priority  Messages to a peer overtake those of lower priority that wait for it. With a `kind`,
 *   kind      the message has the priority of the channels of that kind instead, so it keeps its
 *             place among their messages.
 */
typedef struct wspool_send_options {
    size_t size;                   /* sizeof(wspool_send_options) */
    unsigned flags;                /* WSPOOL_BINARY, WSPOOL_REMOVE */
    wspool_id except;              /* 0: everyone gets it */
    wspool_text id;                /* any bytes, at most WSPOOL_PUBLISH_ID_MAX; empty: none */
    wspool_text key;               /* any bytes, at most WSPOOL_KEY_MAX; empty: none */
    wspool_commit commit;          /* optional */
    enum wspool_priority priority; /* 0: WSPOOL_NORMAL */
    enum wspool_kind kind;         /* 0: WSPOOL_NONE */
} wspool_send_options;

/* What became of a message. */
typedef struct wspool_tally {
    size_t size;     /* sizeof(wspool_tally), set by the caller */
    uint32_t queued; /* peers for which it was queued */
    uint32_t slow;   /* of these, how many were blocked */
    uint32_t closed; /* peers that were closed because their queue was full (CLOSE) */
    uint32_t behind; /* members that are behind, and get it later from the history (BEHIND) */
    wspool_channel_position position; /* of this message; 0: none, since it went to nobody */
    int repeated;  /* 1: a message with this id was published before, and has that position. Nothing
                      was published now */
    uint64_t time; /* of the message, in milliseconds since 1970 (config.wall_clock); 0: nothing was
                      published */
} wspool_tally;

/*
 * Sends a message to the members that a channel has now. `tally` may be NULL. Returns the number of
 * peers for which it was queued: 0 if the channel is inactive, or if every queue was full. A
 * channel whose kind has a history keeps the message, if only for later members. After an error no
 * peer gets the message.
 *   TOO_BIG    it does not fit into an empty queue (queue_bytes of the route), or into pool_bytes.
 *              Send less, or raise the limit.
 *   FULL       no room in pool_bytes, even after shedding: write what is queued (wspool_next) and
 *              try again. Or its id has no room in history_bytes: try again later. Or, with a keyed
 *              history, the message has no room in history_bytes, or its key is new and there are
 *              max_keys: remove a key, or raise the limit.
 *   INVAL      as for wspool_subscribe; an option that is unknown, too long or not for this call; a
 *              removal without a key; or the size of options or tally is not set. Correct the call.
 *   STATE      options->commit cancelled. Nothing was published.
 *   REENTRANT  as for wspool_subscribe.
 *   NOMEM      the allocator failed. Free memory and try again.
 */
int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally);

/*
 * Publishes a message in parts. Each contract that is attached to the pool (wspool/handlers.h)
 * makes a message of them for its peers, which decides whether it is binary. `type` must not be
 * empty. A publication to an inactive channel without a history is not rendered. All else, and all
 * errors, are those of wspool_broadcast, and
 *   STATE   the pool has no contract: attach one. Or options->commit cancelled. Nothing was
 *           published.
 *   others  that a contract returns: see its header. Nothing was published.
 */
int wspool_publish(wspool *pool, wspool_channel channel, wspool_text type, wspool_text data,
                   const wspool_send_options *options, wspool_tally *tally);

/*
 * Sends a message to one peer. It belongs to no channel and no history. Returns 0. If the peer is
 * behind in a channel, what the channel has queued may fill its queue: so for messages to it alone
 * it has an eighth more of queue_bytes, and an eighth and one more of queue_messages.
 *   FULL     the peer's queue has no room: try again when the pressure hook reports that it has. Or
 *            pool_bytes is used up (block_bytes in the stats): write what is queued and try again.
 *   STATE    the peer is not open yet, or is closing. Forget the message.
 *   TOO_BIG  it does not fit into an empty queue (config.queue_bytes), or into pool_bytes. Send
 *            less, or raise the limit.
 *   STALE    the id is stale. Forget it.
 *   INVAL    an option that is unknown or not for this call, or options->size is not set. Correct
 *            the call.
 *   NOMEM    the allocator failed. Free memory and try again.
 */
int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *options);

/*
 * Sends a message to every open peer of a subject (wspool_subject), on whatever route, for example
 * to notify a user on all devices. It belongs to no channel and no history, so it may go before
 * messages of a channel for which a peer is behind. A peer whose queue is full is closed (4100), so
 * that it does not miss the message without knowing. `tally` may be NULL; its position is zero.
 * Returns the number of peers for which it was queued: 0 if the subject has no open peer. After an
 * error no peer gets the message.
 *   TOO_BIG  as for wspool_send.
 *   FULL     no room in pool_bytes, even after shedding. Write what is queued and try again.
 *   NOMEM    the allocator failed. Free memory and try again.
 *   INVAL    the subject is empty or longer than WSPOOL_SUBJECT_MAX; an option that is unknown or
 *            not for this call; or the size of options or tally is not set. Correct the call.
 */
int wspool_send_to(wspool *pool, wspool_text subject, const void *message, size_t len,
                   const wspool_send_options *options, wspool_tally *tally);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
