/* SPDX-License-Identifier: MIT */
/*
 * wspool/history.h - what a channel keeps of its messages: resume, seed and read. The conventions
 * of wspool/wspool.h hold.
 *
 * The history of a route (wspool_route_options.history) says how many of the last messages each
 * channel of its kind keeps, for how long, and, for a keyed history, of how many keys it keeps the
 * newest message beyond that. The last messages are called the window. What every reader of a
 * channel gets, or is told that it misses, is specified in test/model/README.md.
 *
 *     who                       how
 *     a peer that comes back    wspool_resume: a member again, behind the last message it has seen
 *     a program that restarts   wspool_seed, with the messages that options.commit has stored
 *     a client without          wspool_read and wspool_wait: long polls, Server-Sent Events
 *       WebSocket
 */
#ifndef WSPOOL_HISTORY_H
#define WSPOOL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/channels.h>
#include <wspool/config.h>
#include <wspool/publish.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ------------------------------------------------------------------ resume */

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
    uint64_t count;        /* how many messages of the history follow, at most: with send_interval
                              only the newest of each key do */
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

/* --------------------------------------------------------- seed and forget */

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

/* ----------------------------------------------- readers that are no peers
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
