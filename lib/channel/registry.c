/* SPDX-License-Identifier: MIT */
/* channel/registry.c - see channel/registry.h. */
#include "channel/registry.h"

#include <string.h>

#include <wspool/error.h>

#define FIRST_MEMBERS 4u
#define FIRST_MEMBERSHIPS 4u
#define FIRST_BYTES (FIRST_MEMBERS * sizeof(struct wsp_member))
_Static_assert(FIRST_MEMBERSHIPS * sizeof(struct wsp_membership) <= FIRST_BYTES,
               "they share a free list");

/* Channels whose keys have at most this length have one size, and are kept in a free list. */
#define SHORT_KEY 32u
#define KEEP 64u

/* The key of a channel, on the stack. Its first byte is the kind, so channels of different kinds
 * never collide. */
struct key {
    uint8_t bytes[1 + WSPOOL_NAME_MAX];
    size_t len;
};

static struct key make_key(wspool_channel channel)
{
    struct key key;
    key.bytes[0] = (uint8_t)channel.kind;
    if (channel.len > 0) {
        memcpy(key.bytes + 1, channel.name, channel.len);
    }
    key.len = 1 + channel.len;
    return key;
}

static struct wsp_channel *of_node(struct wsp_map_node *node)
{
    /* The node is the first member of the channel. */
    return (struct wsp_channel *)(void *)node;
}

void wsp_registry_init(struct wsp_registry *registry, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed, uint64_t first_epoch,
                       struct wsp_counters *count)
{
    *registry = (struct wsp_registry){
        .mem = mem, .next_epoch = first_epoch, .count = count, .priorities = WSP_ONLY_NORMAL};
    wsp_paces_init(&registry->paces);
    wsp_map_init(&registry->channels, seed);
    wsp_freelist_init(&registry->arrays, FIRST_BYTES, KEEP);
    wsp_freelist_init(&registry->names, sizeof(struct wsp_channel) + SHORT_KEY, KEEP);
}

void wsp_registry_fini(struct wsp_registry *registry)
{
    wsp_map_fini(&registry->channels, registry->mem);
    wsp_freelist_fini(&registry->arrays, registry->mem);
    wsp_freelist_fini(&registry->names, registry->mem);
}

/* Grows an array of members or memberships to `cap`. The smallest size comes from the free list. */
static void *grow_array(struct wsp_registry *registry, void *array, uint32_t cap, size_t size)
{
    return array ? wsp_resize(registry->mem, array, cap, size)
                 : wsp_freelist_take(&registry->arrays, registry->mem);
}

static void free_array(struct wsp_registry *registry, void *array, uint32_t cap)
{
    if (cap == FIRST_MEMBERS) {
        wsp_freelist_give(&registry->arrays, registry->mem, array);
    } else {
        wsp_free(registry->mem, array);
    }
}

int wsp_channel_valid(wspool_channel channel)
{
    return channel.kind >= WSPOOL_GLOBAL && channel.kind <= WSPOOL_TOPIC &&
           channel.len <= WSPOOL_NAME_MAX && (channel.name || channel.len == 0);
}

struct wsp_channel *wsp_registry_find(const struct wsp_registry *registry, wspool_channel channel)
{
    struct key key = make_key(channel);
    struct wsp_map_node *node = wsp_map_find(&registry->channels, key.bytes, key.len);
    return node ? of_node(node) : NULL;
}

wspool_channel wsp_channel_name(const struct wsp_channel *channel)
{
    return (wspool_channel){.kind = (enum wspool_kind)channel->key[0],
                            .name = channel->key + 1,
                            .len = channel->node.key_len - 1};
}

/* -------------------------------------------------------------- memberships */

struct wsp_channel *wsp_membership_channel(const struct wsp_memberships *memberships,
                                           uint32_t membership)
{
    return membership == 0 ? memberships->first_channel : memberships->more[membership - 1].channel;
}

static uint32_t membership_index(const struct wsp_memberships *memberships, uint32_t membership)
{
    return membership == 0 ? memberships->first_index : memberships->more[membership - 1].index;
}

struct wsp_member *wsp_membership_member(const struct wsp_memberships *memberships,
                                         uint32_t membership)
{
    struct wsp_channel *channel = wsp_membership_channel(memberships, membership);
    return &channel->members[membership_index(memberships, membership)];
}

static void set_membership(struct wsp_memberships *memberships, uint32_t membership,
                           struct wsp_channel *channel, uint32_t index)
{
    if (membership == 0) {
        memberships->first_channel = channel;
        memberships->first_index = index;
    } else {
        memberships->more[membership - 1] =
            (struct wsp_membership){.channel = channel, .index = index};
    }
}

/* Linear in the memberships of the peer (channels_per_peer at most), not in the members of the
 * channel. */
static int find_membership(const struct wsp_memberships *memberships,
                           const struct wsp_channel *channel, uint32_t *membership)
{
    for (uint32_t i = 0; i < memberships->count; i++) {
        if (wsp_membership_channel(memberships, i) == channel) {
            *membership = i;
            return 1;
        }
    }
    return 0;
}

static int reserve_membership(struct wsp_registry *registry, struct wsp_memberships *memberships)
{
    if (memberships->count == 0 || memberships->count - 1u < memberships->cap) {
        return 0;
    }
    uint32_t cap = memberships->cap ? memberships->cap * 2u : FIRST_MEMBERSHIPS;
    if (cap > UINT16_MAX) {
        return WSPOOL_ERR_FULL;
    }
    struct wsp_membership *more = grow_array(registry, memberships->more, cap, sizeof *more);
    if (!more) {
        return WSPOOL_ERR_NOMEM;
    }
    memberships->more = more;
    memberships->cap = (uint16_t)cap;
    return 0;
}

/* The last membership moves into the gap. */
static void remove_membership(struct wsp_registry *registry, struct wsp_memberships *memberships,
                              uint32_t membership)
{
    uint32_t last = memberships->count - 1u;
    if (membership != last) {
        struct wsp_channel *moved = wsp_membership_channel(memberships, last);
        uint32_t index = membership_index(memberships, last);
        set_membership(memberships, membership, moved, index);
        moved->members[index].membership = (uint16_t)membership;
    }
    memberships->count--;
    if (memberships->count <= 1 && memberships->more) {
        free_array(registry, memberships->more, memberships->cap);
        memberships->more = NULL;
        memberships->cap = 0;
    }
}

/* ----------------------------------------------------------------- members */

static int reserve_member(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (channel->count < channel->cap) {
        return 0;
    }
    uint32_t cap = channel->cap ? channel->cap * 2 : FIRST_MEMBERS;
    struct wsp_member *members = grow_array(registry, channel->members, cap, sizeof *members);
    if (!members) {
        return WSPOOL_ERR_NOMEM;
    }
    channel->members = members;
    channel->cap = cap;
    return 0;
}

static void move_member(struct wsp_channel *channel, uint32_t from, uint32_t to)
{
    if (from != to) {
        struct wsp_member moved = channel->members[from];
        channel->members[to] = moved;
        set_membership(&moved.peer->memberships, moved.membership, channel, to);
    }
}

static void swap_members(struct wsp_channel *channel, uint32_t a, uint32_t b)
{
    struct wsp_member kept = channel->members[a];
    move_member(channel, b, a);
    channel->members[b] = kept;
    set_membership(&kept.peer->memberships, kept.membership, channel, b);
}

void wsp_member_fall_behind(struct wsp_channel *channel, struct wsp_member *member, uint64_t next)
{
    member->next = next;
    member->state = 0;
    swap_members(channel, (uint32_t)(member - channel->members), --channel->live);
}

void wsp_member_catch_up(struct wsp_channel *channel, struct wsp_member *member)
{
    swap_members(channel, (uint32_t)(member - channel->members), channel->live++);
}

/* The last member moves into the gap. An array that is much too large is made smaller; if that
 * fails it stays large. */
static void remove_member(struct wsp_channel *channel, const wspool_mem *mem, uint32_t index)
{
    if (index < channel->live) { /* the last live one first, then the last one that is behind */
        uint32_t last_live = --channel->live;
        move_member(channel, last_live, index);
        index = last_live;
    }
    move_member(channel, --channel->count, index);
    if (channel->cap > FIRST_MEMBERS && channel->count < channel->cap / 4) {
        struct wsp_member *members =
            wsp_resize(mem, channel->members, channel->cap / 2, sizeof *members);
        if (members) {
            channel->members = members;
            channel->cap /= 2;
        }
    }
}

/* ---------------------------------------------------------------- channels */

/* Gives a new channel a pace if its kind has a send interval. Returns 0 or NOMEM. */
static int make_pace(const struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (channel->rules->send_interval == 0) {
        return 0;
    }
    channel->pace = wsp_alloc(registry->mem, sizeof *channel->pace);
    if (!channel->pace) {
        return WSPOOL_ERR_NOMEM;
    }
    *channel->pace = (struct wsp_pace){.channel = channel, .kind = channel->key[0]};
    return 0;
}

static void free_channel(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (channel->pace) {
        wsp_pace_stop(&registry->paces, channel->pace);
        wsp_free(registry->mem, channel->pace);
    }
    if (channel->members) {
        free_array(registry, channel->members, channel->cap);
    }
    if (channel->node.key_len <= SHORT_KEY) {
        wsp_freelist_give(&registry->names, registry->mem, channel);
    } else {
        wsp_free(registry->mem, channel);
    }
}

static struct wsp_channel *new_channel(struct wsp_registry *registry, wspool_channel name)
{
    struct key key = make_key(name);
    struct wsp_channel *channel = key.len <= SHORT_KEY
                                      ? wsp_freelist_take(&registry->names, registry->mem)
                                      : wsp_alloc(registry->mem, sizeof *channel + key.len);
    if (!channel) {
        return NULL;
    }
    memset(channel, 0, sizeof *channel);
    memcpy(channel->key, key.bytes, key.len);
    channel->node.key = channel->key;
    channel->node.key_len = (uint32_t)key.len;
    channel->rules = &registry->rules[name.kind];
    channel->epoch = registry->next_epoch;
    if (make_pace(registry, channel) ||
        wsp_map_add(&registry->channels, registry->mem, &channel->node)) {
        free_channel(registry, channel);
        return NULL;
    }
    registry->next_epoch++;
    return channel;
}

static int is_used(const struct wsp_channel *channel)
{
    return channel->count > 0 || channel->history || channel->waiters || channel->ids ||
           channel->seeded;
}

struct wsp_channel *wsp_registry_get(struct wsp_registry *registry, wspool_channel name)
{
    struct wsp_channel *channel = wsp_registry_find(registry, name);
    return channel ? channel : new_channel(registry, name);
}

void wsp_registry_drop_unused(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (!is_used(channel)) {
        wsp_map_remove(&registry->channels, &channel->node);
        free_channel(registry, channel);
    }
}

void wsp_registry_drop_unheard(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (!is_used(channel) && channel->offset == 0 && channel->epoch + 1 == registry->next_epoch) {
        registry->next_epoch--;
    }
    wsp_registry_drop_unused(registry, channel);
}

int wsp_registry_join(struct wsp_registry *registry, struct wsp_peer *peer, wspool_channel name,
                      uint32_t max)
{
    struct wsp_memberships *memberships = &peer->memberships;
    struct wsp_channel *channel = wsp_registry_find(registry, name);
    uint32_t membership;
    if (channel && find_membership(memberships, channel, &membership)) {
        return WSPOOL_ERR_EXISTS;
    }
    if (memberships->count >= max) {
        return WSPOOL_ERR_FULL;
    }
    int error = reserve_membership(registry, memberships);
    if (error) {
        return error;
    }
    if (!channel && (channel = new_channel(registry, name)) == NULL) {
        return WSPOOL_ERR_NOMEM;
    }
    error = reserve_member(registry, channel);
    if (error) {
        wsp_registry_drop_unused(registry, channel);
        return error;
    }
    uint32_t index = channel->count++;
    channel->members[index] = (struct wsp_member){.peer = peer, .membership = memberships->count};
    memberships->count++;
    set_membership(memberships, memberships->count - 1u, channel, index);
    wsp_count_add(&registry->count->memberships, 1);
    if (channel->pace) {
        channel->members[index].next = channel->offset + 1;
    } else if (index == channel->live) {
        channel->live++;
    } else {
        wsp_member_catch_up(channel, &channel->members[index]);
    }
    if (channel->count == 1) {
        wsp_count_add(&registry->count->channels, 1);
        registry->on_active(registry->owner, channel, 1);
    }
    return 0;
}

static void leave_membership(struct wsp_registry *registry, struct wsp_peer *peer,
                             uint32_t membership)
{
    struct wsp_channel *channel = wsp_membership_channel(&peer->memberships, membership);
    uint32_t index = membership_index(&peer->memberships, membership);
    remove_member(channel, registry->mem, index);
    remove_membership(registry, &peer->memberships, membership);
    wsp_count_sub(&registry->count->memberships, 1);
    if (channel->count > 0) {
        return;
    }
    wsp_count_sub(&registry->count->channels, 1);
    if (is_used(channel)) {
        registry->on_active(registry->owner, channel, 0);
        return;
    }
    /* It is removed first, and keeps its name: the hook may create the same channel again. */
    wsp_map_remove(&registry->channels, &channel->node);
    registry->on_active(registry->owner, channel, 0);
    free_channel(registry, channel);
}

int wsp_registry_leave(struct wsp_registry *registry, struct wsp_peer *peer,
                       struct wsp_channel *channel)
{
    uint32_t membership;
    if (!find_membership(&peer->memberships, channel, &membership)) {
        return WSPOOL_ERR_ABSENT;
    }
    leave_membership(registry, peer, membership);
    return 0;
}

int wsp_registry_is_member(const struct wsp_peer *peer, const struct wsp_channel *channel)
{
    uint32_t membership;
    return find_membership(&peer->memberships, channel, &membership);
}

struct wsp_member *wsp_registry_member(const struct wsp_peer *peer,
                                       const struct wsp_channel *channel)
{
    uint32_t membership;
    return find_membership(&peer->memberships, channel, &membership)
               ? wsp_membership_member(&peer->memberships, membership)
               : NULL;
}

void wsp_registry_leave_all(struct wsp_registry *registry, struct wsp_peer *peer)
{
    while (peer->memberships.count > 0) {
        leave_membership(registry, peer, peer->memberships.count - 1u);
    }
}

wspool_channel_position wsp_registry_position(const struct wsp_registry *registry,
                                              wspool_channel name)
{
    const struct wsp_channel *channel = wsp_registry_find(registry, name);
    return channel ? (wspool_channel_position){channel->epoch, channel->offset}
                   : (wspool_channel_position){registry->next_epoch, 0};
}

int wsp_registry_check(const struct wsp_registry *registry, uint64_t *total)
{
    uint64_t active = 0;
    *total = 0;
    if (!wsp_map_check(&registry->channels)) {
        return 0;
    }
    struct wsp_map_node *node = NULL;
    while ((node = wsp_map_next(&registry->channels, node)) != NULL) {
        const struct wsp_channel *channel = of_node(node);
        if (!is_used(channel) || channel->count > channel->cap || channel->live > channel->count ||
            (channel->history &&
             channel->history->first + channel->history->count != channel->offset + 1) ||
            channel->epoch == 0 ||
            (channel->epoch >= registry->next_epoch && !channel->epoch_is_given) ||
            (channel->pace &&
             (channel->live > 0 || channel->pace->shown > channel->offset ||
              (!channel->pace->waits && channel->pace->shown < channel->offset))) ||
            node->key != channel->key || node->key_len == 0 ||
            !wsp_channel_valid(wsp_channel_name(channel))) {
            return 0;
        }
        for (uint32_t i = 0; i < channel->count; i++) {
            const struct wsp_member *member = &channel->members[i];
            const struct wsp_memberships *memberships = &member->peer->memberships;
            if (memberships->count - 1u > memberships->cap ||
                member->membership >= memberships->count ||
                wsp_membership_channel(memberships, member->membership) != channel ||
                membership_index(memberships, member->membership) != i) {
                return 0;
            }
        }
        *total += channel->count;
        active += channel->count > 0;
    }
    return wsp_paces_check(&registry->paces) &&
           active == wsp_count_read(&registry->count->channels);
}
