/* SPDX-License-Identifier: MIT */
/*
 * model/keys.c - channels that keep the newest message of each key. See model/internal.h.
 *
 * A member of such a channel ends with the present state, so it may do without a message that does
 * not change what it ends with.
 */
#include "internal.h"

static struct key *find(const struct epoch *epoch, const char *name)
{
    struct key *key = epoch->keys;
    while (key != NULL && strcmp(key->name, name) != 0)
        key = key->next;
    return key;
}

static int is_removed(const struct epoch *epoch, uint64_t offset)
{
    return epoch->list[offset - 1].removed;
}

void model_set_key(struct epoch *epoch, uint64_t offset, const char *name, int removed)
{
    struct publication *one = &epoch->list[offset - 1];
    struct key *key = find(epoch, name);
    if (key == NULL) {
        key = model_need(calloc(1, sizeof *key));
        *key = (struct key){
            .next = epoch->keys, .name = model_copy(name), .index = epoch->key_count++};
        epoch->keys = key;
    }
    if (removed && (key->newest == 0 || is_removed(epoch, key->newest)))
        epoch->horizon = offset; /* it finds nothing to remove, and need not be kept */
    key->newest = offset;
    if (one->key != NULL) /* it was published before, and is restored */
        return;
    one->key = key;
    one->removed = removed;
    one->before = key->last;
    key->last = offset;
}

void model_erase_keys(struct epoch *epoch, const char *name, uint64_t offset)
{
    for (struct key *key = epoch->keys; key != NULL; key = key->next)
        if (name == NULL || strcmp(key->name, name) == 0) {
            key->newest = 0;
            key->erased = offset;
        }
}

uint64_t model_count_keys(const struct epoch *epoch)
{
    uint64_t count = 0;
    for (const struct key *key = epoch->keys; key != NULL; key = key->next)
        count += key->newest > 0 && !is_removed(epoch, key->newest);
    return count;
}

int model_is_new_key(const struct epoch *epoch, const char *name)
{
    const struct key *key = find(epoch, name);
    return key == NULL || key->newest == 0 || is_removed(epoch, key->newest);
}

/* Does the history still have everything from this offset on? */
static int is_in_window(const struct channel *channel, const struct epoch *epoch, uint64_t offset)
{
    return epoch->head - offset < channel->least && offset > epoch->forgotten;
}

int model_may_reset(const struct channel *channel, const struct epoch *epoch, uint64_t from,
                    uint64_t to)
{
    if (model_count_keys(epoch) == 0 || epoch->horizon >= from)
        return 1;
    to = to < epoch->head ? to : epoch->head;
    for (uint64_t offset = from; offset <= to && !channel->keeps_removals; offset++)
        if (is_removed(epoch, offset) && !is_in_window(channel, epoch, offset))
            return 1;
    return 0;
}

/* Returns the message of this key that the member has, or 0. */
static uint64_t known(const struct member *member, const struct key *key)
{
    const struct epoch *epoch = member->epoch;
    uint64_t offset = key->index < member->known_count ? member->known[key->index] : 0;
    if (offset > 0)
        return offset;
    offset = key->last;
    while (offset > member->base)
        offset = epoch->list[offset - 1].before;
    return offset > key->erased ? offset : 0;
}

int model_is_superfluous(const struct member *member, uint64_t offset)
{
    const struct epoch *epoch = member->epoch;
    const struct publication *one = model_published(epoch, offset);
    uint64_t has;
    int kept;
    if (member->channel->keys == 0)
        return 0;
    if (one == NULL) /* published before the host restored the channel */
        return offset <= epoch->forgotten;
    kept = is_in_window(member->channel, epoch, offset);
    if (kept && (!member->channel->paced || one->key == NULL))
        return 0;
    if (one->key == NULL || one->key->newest != offset)
        return 1;
    if (kept)
        return 0;
    has = known(member, one->key);
    return one->removed && (has == 0 || is_removed(epoch, has));
}

void model_learn(struct member *member, uint64_t offset)
{
    const struct key *key = member->epoch->list[offset - 1].key;
    size_t count = member->epoch->key_count;
    if (key == NULL)
        return;
    if (count > member->known_count) {
        member->known = model_need(realloc(member->known, count * sizeof *member->known));
        memset(member->known + member->known_count, 0,
               (count - member->known_count) * sizeof *member->known);
        member->known_count = count;
    }
    member->known[key->index] = offset;
}

void model_begin_anew(struct member *member, uint64_t head)
{
    if (member->known != NULL)
        memset(member->known, 0, member->known_count * sizeof *member->known);
    member->at = member->base = 0;
    member->whole = 1;
    member->whole_to = head;
}

void model_free_keys(struct epoch *epoch)
{
    struct key *next;
    for (struct key *key = epoch->keys; key != NULL; key = next) {
        next = key->next;
        free(key->name);
        free(key);
    }
}
