/* SPDX-License-Identifier: MIT */
/*
 * wspool/channels.h - channels, their members, and positions in them. The conventions of
 * wspool/wspool.h hold.
 *
 * A channel is a kind and a name. It needs no declaration: it becomes active with its first member
 * and inactive with its last one. A peer is a member of the channel of its route from its first
 * moment (wspool_route); the host makes it a member of others by wspool_subscribe, or by
 * wspool_resume (wspool/history.h) behind the last message that it has seen.
 */
#ifndef WSPOOL_CHANNELS_H
#define WSPOOL_CHANNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <wspool/config.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Returns a channel. The name is not copied: its bytes belong to the caller. */
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
