/* SPDX-License-Identifier: MIT */
/* model/positions.c - channels and what is published to them. See model/internal.h. */
#include "internal.h"

/* Finds an epoch of a channel, or begins it. Before its first publication an epoch has offset 0. In
 * an exact log a new epoch ends the one before. */
struct epoch *model_epoch(model *m, struct channel *channel, const char *name)
{
    struct epoch *epoch = channel->epochs;
    while (epoch != NULL && strcmp(epoch->name, name) != 0)
        epoch = epoch->older;
    if (epoch == NULL) {
        epoch = model_need(calloc(1, sizeof *epoch));
        epoch->name = model_copy(name);
        epoch->older = channel->epochs;
        if (epoch->older != NULL && !m->loose) {
            if (channel->least > 0 && epoch->older->head > epoch->older->forgotten &&
                !epoch->older->over)
                model_broken(m, "D1 positions", "%s has a history, and must not begin epoch %s",
                             channel->name, name);
            epoch->older->over = 1;
        }
        channel->epochs = epoch;
    }
    return epoch;
}

struct publication *model_published(const struct epoch *epoch, uint64_t offset)
{
    struct publication *one = offset <= epoch->head ? &epoch->list[offset - 1] : NULL;
    return one == NULL || one->content == NULL ? NULL : one;
}

int model_is_skipped(const struct publication *one, const struct reader *reader)
{
    size_t len = one->except == NULL ? 0 : strlen(one->except);
    return len > 0 && strncmp(one->except, reader->name, len) == 0 &&
           (reader->name[len] == '\0' || reader->name[len] == ':');
}

/* Returns the offset of the last message in this epoch with an id, or 0. Sets *age to the number of
 * other messages with an id since. */
static uint64_t find_id(const struct epoch *epoch, const char *id, uint64_t *age)
{
    *age = 0;
    for (uint64_t offset = epoch->head; offset > epoch->restarted; offset--) {
        const char *other = epoch->list[offset - 1].id;
        if (other != NULL && strcmp(other, id) == 0)
            return offset;
        *age += other != NULL;
    }
    return 0;
}

int model_on_again(model *m, char **w)
{
    const struct epoch *epoch = model_epoch(m, model_channel(m, w[1]), w[2]);
    uint64_t age, offset = find_id(epoch, w[4], &age);
    if (epoch->over || offset == 0 || offset != model_number(w[3]))
        return model_broken(m, "D15 once", "%s: no message with the id %s was published at %s %s",
                            w[1], w[4], w[2], w[3]);
    return 1;
}

/* Makes an offset the head, if it is beyond the present one. */
static void make_room(struct epoch *epoch, uint64_t offset)
{
    if (offset > epoch->cap) {
        uint64_t cap = offset * 2 + 30;
        epoch->list = model_need(realloc(epoch->list, (size_t)cap * sizeof *epoch->list));
        memset(epoch->list + epoch->cap, 0, (size_t)(cap - epoch->cap) * sizeof *epoch->list);
        epoch->cap = cap;
    }
    if (offset > epoch->head)
        epoch->head = offset;
}

int model_on_publish(model *m, char **w)
{
    struct channel *channel = model_channel(m, w[1]);
    struct epoch *epoch = model_epoch(m, channel, w[2]);
    uint64_t offset = model_number(w[3]);
    const char *except = model_option(w, 5, "except");
    const char *members = model_option(w, 5, "members"), *id = model_option(w, 5, "id");
    const char *key = model_option(w, 5, "key");
    int removed = model_flag(w, 5, "removed");
    uint64_t age;
    if (epoch->over)
        return model_broken(m, "D1 positions", "%s: epoch %s is over", w[1], w[2]);
    if (offset == 0 || (!m->loose && offset != epoch->head + 1))
        return model_broken(m, "D1 positions", "%s: offset %" PRIu64 " follows %" PRIu64, w[1],
                            offset, epoch->head);
    if (model_published(epoch, offset) != NULL)
        return model_broken(m, "D1 positions", "%s: a second message at offset %" PRIu64, w[1],
                            offset);
    if (id != NULL && find_id(epoch, id, &age) != 0 && age < channel->ids)
        return model_broken(m, "D15 once", "%s: a second message with the id %s", w[1], id);
    if (members != NULL) {
        const char *behind = model_option(w, 5, "behind"), *closed = model_option(w, 5, "closed");
        const char *queued = model_option(w, 5, "queued");
        if (!model_is_number(members) || !model_is_number(queued) || !model_is_number(behind) ||
            !model_is_number(closed))
            return model_broken(m, "format",
                                "members=, queued=, behind= and closed= need each other");
        if (model_number(members) !=
            model_number(queued) + model_number(behind) + model_number(closed))
            return model_broken(m, "D14 numbers",
                                "%s: %s members, but %s queued, %s behind, %s closed", w[1],
                                members, queued, behind, closed);
        m->behind += model_number(behind);
        m->closed += model_number(closed);
    }
    if (key != NULL && channel->keys > 0 && !removed && model_is_new_key(epoch, key) &&
        model_count_keys(epoch) >= channel->keys)
        return model_broken(m, "D18 number of keys", "%s: the key %s is one too many", w[1], key);
    if (channel->keys > 0 && model_count_keys(epoch) == 0) /* it may have forgotten removals */
        epoch->horizon = offset - 1;
    make_room(epoch, offset);
    epoch->list[offset - 1].content = model_copy(w[4]);
    epoch->count++;
    epoch->present = offset;
    if (key != NULL)
        model_set_key(epoch, offset, key, removed);
    if (except != NULL)
        epoch->list[offset - 1].except = model_copy(except);
    if (id != NULL)
        epoch->list[offset - 1].id = model_copy(id);
    m->totals.published++;
    m->totals.skipped += except != NULL;
    return 1;
}

/* An epoch goes on: it is the channel's first again. */
static void go_on(struct channel *channel, struct epoch *epoch)
{
    struct epoch **place = &channel->epochs;
    while (*place != epoch)
        place = &(*place)->older;
    *place = epoch->older;
    epoch->older = channel->epochs;
    channel->epochs = epoch;
    epoch->over = 0;
}

/* A host restores what was published before a restart, or by another pool. */
int model_on_seed(model *m, char **w)
{
    struct channel *channel = model_channel(m, w[1]);
    struct epoch *epoch = model_epoch(m, channel, w[2]);
    uint64_t offset = model_number(w[3]), before = offset - (w[4] != NULL && offset > 0);
    const struct publication *one;
    const char *key = model_option(w, 5, "key");
    int removed = model_flag(w, 5, "removed");
    if (epoch->over)
        model_erase_keys(epoch, NULL, before);
    if (epoch->over || before != epoch->present)
        epoch->forgotten = before; /* an offset that is left out: no window before it is kept */
    go_on(channel, epoch);
    epoch->present = offset;
    if (before > epoch->head) { /* this log does not know what was published */
        epoch->count += before - epoch->head;
        make_room(epoch, before);
    }
    if (w[4] == NULL || offset == 0)
        return 1;
    one = model_published(epoch, offset);
    if (one != NULL && strcmp(one->content, w[4]) != 0)
        return model_broken(m, "D6 content",
                            "%s: %" PRIu64 " is restored as %.100s, but was %.100s", w[1], offset,
                            w[4], one->content);
    if (one == NULL) {
        epoch->count += offset > epoch->head;
        make_room(epoch, offset);
        epoch->list[offset - 1].content = model_copy(w[4]);
    }
    free(epoch->list[offset - 1].except); /* a restored message is for everyone */
    epoch->list[offset - 1].except = NULL;
    if (key != NULL)
        model_set_key(epoch, offset, key, removed);
    return 1;
}

int model_on_clear(model *m, char **w)
{
    struct epoch *epoch = model_channel(m, w[1])->epochs;
    (void)m;
    if (epoch != NULL) {
        epoch->forgotten = epoch->head;
        model_erase_keys(epoch, NULL, epoch->head);
    }
    return 1;
}

/* The window goes, too. */
int model_on_erase(model *m, char **w)
{
    struct epoch *epoch = model_channel(m, w[1])->epochs;
    if (epoch == NULL || epoch->over || model_channel(m, w[1])->keys == 0)
        return model_broken(m, "format", "%s has no keys to erase", w[1]);
    epoch->forgotten = epoch->head;
    model_erase_keys(epoch, w[2], epoch->head);
    return 1;
}

int model_on_refused(model *m, char **w)
{
    const struct channel *channel = model_channel(m, w[1]);
    const struct epoch *epoch = channel->epochs;
    if (epoch == NULL || !model_is_new_key(epoch, w[2]) || model_count_keys(epoch) < channel->keys)
        return model_broken(m, "D18 number of keys", "%s: the key %s has room", w[1], w[2]);
    return 1;
}

int model_on_unheard(model *m, char **w)
{
    struct channel *channel = model_channel(m, w[1]);
    if (channel->most > 0)
        return model_broken(m, "D1 positions", "%s has a history and must record this", w[1]);
    if (channel->epochs != NULL)
        channel->epochs->over = 1;
    return 1;
}

int model_check_stated(model *m, const char *channel, const struct epoch *epoch, uint64_t offset)
{
    if (offset > epoch->head)
        return model_broken(m, "D2 head",
                            "%s: %" PRIu64 " was stated, but the last message has %" PRIu64,
                            channel, offset, epoch->head);
    return 1;
}

int model_on_head(model *m, char **w)
{
    struct epoch *epoch = model_epoch(m, model_channel(m, w[1]), w[2]);
    if (epoch->over)
        return model_broken(m, "D1 positions", "%s: epoch %s is over", w[1], w[2]);
    if (!m->loose && model_number(w[3]) < epoch->head)
        return model_broken(m, "D2 head", "%s: %s was stated, but the last message has %" PRIu64,
                            w[1], w[3], epoch->head);
    return model_check_stated(m, w[1], epoch, model_number(w[3]));
}

int model_on_channel(model *m, char **w)
{
    struct channel *channel = model_channel(m, w[1]);
    channel->least = model_number(w[2]);
    channel->most = strcmp(w[3], "all") == 0 ? UINT64_MAX : model_number(w[3]);
    channel->closes = w[4] != NULL && strcmp(w[4], "close") == 0;
    if (w[4] != NULL && model_option(w, 5, "ids") != NULL)
        channel->ids = model_number(model_option(w, 5, "ids"));
    if (w[4] != NULL && model_option(w, 5, "keys") != NULL)
        channel->keys = model_number(model_option(w, 5, "keys"));
    channel->paced = w[4] != NULL && model_flag(w, 5, "paced");
    channel->keeps_removals = w[4] != NULL && model_option(w, 5, "removals") != NULL;
    if (w[4] != NULL && !channel->closes && strcmp(w[4], "behind") != 0)
        return model_broken(m, "format", "a slow policy: %s", w[4]);
    return 1;
}
