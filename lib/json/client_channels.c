/* SPDX-License-Identifier: MIT */
/* json/client_channels.c - see json/client_channels.h. */
#include "json/client_channels.h"

#include <stdlib.h>
#include <string.h>

#include <wspool/versioned.h>

#include "json/client_say.h"
#include "json/integer.h"

struct wsp_json_channel *wsp_json_client_channel(const wspool_json_client *client, const char *name)
{
    struct wsp_json_channel *channel = client->channels;
    while (channel && strcmp(channel->name, name) != 0) {
        channel = channel->next;
    }
    return channel;
}

struct wsp_json_channel *wsp_json_client_add_channel(wspool_json_client *client, const char *name)
{
    size_t size = strlen(name) + 1;
    struct wsp_json_channel *channel = calloc(1, sizeof *channel + size);
    if (channel) {
        memcpy(channel->name, name, size);
        channel->next = client->channels;
        client->channels = channel;
    }
    return channel;
}

void wsp_json_client_sweep(wspool_json_client *client)
{
    struct wsp_json_channel **link = &client->channels;
    while (*link) {
        struct wsp_json_channel *channel = *link;
        if (channel->wanted || channel->route || channel->leaving > 0 || channel->leaves) {
            link = &channel->next;
        } else {
            *link = channel->next;
            free(channel);
        }
    }
}

void wsp_json_client_channels_free(wspool_json_client *client)
{
    while (client->channels) {
        struct wsp_json_channel *channel = client->channels;
        client->channels = channel->next;
        free(channel);
    }
}

void wsp_json_client_channels_down(wspool_json_client *client)
{
    for (struct wsp_json_channel *c = client->channels; c; c = c->next) {
        c->leaving = 0;
        c->asked = c->leaves = c->live = 0;
    }
}

/* -------------------------------------------------------------------- sent */

static json_t *since_of(const struct wsp_json_channel *channel)
{
    if (channel->known) {
        return json_pack("{s:s, s:I}", "epoch", channel->epoch, "offset",
                         (json_int_t)channel->offset);
    }
    return channel->wanted && channel->subscription.state ? json_pack("{s:i}", "offset", 0) : NULL;
}

void wsp_json_client_flush_channels(wspool_json_client *client)
{
    for (struct wsp_json_channel *c = client->channels; client->connection && c; c = c->next) {
        if (c->leaves) {
            if (wsp_json_client_say(client, "unsubscribe",
                                    json_pack("{s:s}", "channel", c->name))) {
                return;
            }
            c->leaves = 0;
            c->leaving++;
        }
        if (c->wanted && !c->route && !c->asked) {
            if (wsp_json_client_say(
                    client, "subscribe",
                    json_pack("{s:s, s:o*}", "channel", c->name, "since", since_of(c)))) {
                return;
            }
            c->asked = 1;
        }
    }
}

int wspool_json_client_subscribe(wspool_json_client *client, const char *name,
                                 const wspool_json_subscription *given)
{
    wspool_json_subscription subscription = {.size = sizeof subscription};
    char epoch[WSPOOL_JSON_CLIENT_EPOCH_MAX] = "";
    wspool_channel parsed;

    if (!client || client->freed || !name || !given ||
        wspool_versioned_read(&subscription, sizeof subscription, given) ||
        wspool_json_channel_read(name, strlen(name), &parsed) ||
        subscription.offset > WSP_JSON_INTEGER_MAX ||
        (subscription.epoch && !wsp_json_client_copy_epoch(epoch, subscription.epoch))) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_json_channel *channel = wsp_json_client_channel(client, name);
    if (channel && channel->wanted) {
        return WSPOOL_ERR_EXISTS;
    }
    if (!channel && (channel = wsp_json_client_add_channel(client, name)) == NULL) {
        return WSPOOL_ERR_NOMEM;
    }
    int joined = channel->route && channel->live; /* by the server: nothing is asked for */
    channel->subscription = subscription;
    channel->subscription.epoch = NULL;
    channel->wanted = 1;
    channel->serial = ++client->serial;
    channel->skip = channel->needed = 0;
    if (!joined) {
        channel->asked = 0;
        channel->known = subscription.epoch != NULL;
        channel->offset = subscription.offset;
        memcpy(channel->epoch, epoch, sizeof epoch);
    } else if (subscription.reset && !(subscription.epoch && strcmp(epoch, channel->epoch) == 0 &&
                                       subscription.offset >= channel->offset)) {
        wspool_json_reset why = {name, "first", channel->epoch, channel->offset, 0};
        channel->needed = channel->offset;
        client->busy++;
        subscription.reset(client, &why, subscription.user);
        client->busy--;
    }
    wsp_json_client_flush_channels(client);
    return 0;
}

int wspool_json_client_unsubscribe(wspool_json_client *client, const char *name)
{
    struct wsp_json_channel *channel =
        client && name ? wsp_json_client_channel(client, name) : NULL;
    if (!channel || !channel->wanted) {
        return client && name ? WSPOOL_ERR_ABSENT : WSPOOL_ERR_INVAL;
    }
    channel->wanted = 0;
    channel->serial = ++client->serial;
    if (!channel->route) {
        channel->leaves = channel->asked;
        channel->asked = channel->live = channel->known = 0;
        wsp_json_client_flush_channels(client);
    }
    if (client->busy == 0) {
        wsp_json_client_sweep(client);
    }
    return 0;
}

/* --------------------------------------------------------------- positions */

int wspool_json_client_fetched(wspool_json_client *client, const char *name, const char *epoch,
                               uint64_t offset)
{
    if (!client || !name || !epoch) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_json_channel *channel = wsp_json_client_channel(client, name);
    if (!channel || !channel->wanted) {
        return WSPOOL_ERR_ABSENT;
    }
    if (!channel->known || strcmp(channel->epoch, epoch) != 0 || offset < channel->needed) {
        return WSPOOL_ERR_STATE;
    }
    channel->skip = offset;
    return 0;
}

int wspool_json_client_position(const wspool_json_client *client, const char *name,
                                const char **epoch, uint64_t *offset)
{
    if (!client || !name || !epoch || !offset) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_json_channel *channel = wsp_json_client_channel(client, name);
    if (!channel || !channel->wanted) {
        return WSPOOL_ERR_ABSENT;
    }
    *epoch = channel->epoch;
    *offset = channel->offset;
    return channel->known;
}

/* Reads an offset. Returns 1, or 0 if it is none. */
static int read_offset(const json_t *object, const char *name, uint64_t *offset)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);
    *offset = (uint64_t)number;
    return json_is_integer(value) && number >= 0 && number <= WSP_JSON_INTEGER_MAX;
}

static int set_position(struct wsp_json_channel *channel, const char *epoch, uint64_t offset)
{
    if (!epoch || !wsp_json_client_copy_epoch(channel->epoch, epoch)) {
        return 0;
    }
    channel->offset = offset;
    channel->known = 1;
    return 1;
}

/* The application's state is void. `head`: the last offset of the channel, as far as is known. */
static void reset(wspool_json_client *client, struct wsp_json_channel *channel, const char *reason,
                  uint64_t head, int follows)
{
    const wspool_json_subscription *subscription = &channel->subscription;
    channel->skip = 0;
    channel->needed = head;
    if (channel->wanted && subscription->reset) {
        wspool_json_reset why = {channel->name, reason, channel->epoch, head, follows};
        subscription->reset(client, &why, subscription->user);
    }
}

/* ---------------------------------------------------------------- received */

void wsp_json_client_subscribed(wspool_json_client *client, struct wsp_json_channel *channel,
                                const json_t *data)
{
    const char *epoch = json_string_value(json_object_get(data, "epoch"));
    const char *reason = json_string_value(json_object_get(data, "reason"));
    int recovered = json_is_true(json_object_get(data, "recovered"));
    int follows = json_is_true(json_object_get(data, "reset"));
    uint64_t offset, behind = 0;

    if (!channel || channel->leaving > 0) {
        return;
    }
    if (!epoch || !read_offset(data, "offset", &offset)) {
        wsp_json_client_problem(client, "subscribed without a position");
        return;
    }
    /* What follows a question for the state is the state, without a word. */
    follows |= recovered && !channel->known && channel->wanted && channel->subscription.state;
    int same = recovered && !follows && channel->known && strcmp(channel->epoch, epoch) == 0;
    if (same) {
        behind = offset > channel->offset ? offset - channel->offset : 0;
    } else if (!set_position(channel, epoch, follows ? 0 : offset)) {
        wsp_json_client_problem(client, "subscribed with an epoch that is none");
        return;
    }
    channel->live = 1;
    const wspool_json_subscription *subscription = &channel->subscription;
    uint64_t serial = channel->serial;
    if (channel->wanted && subscription->subscribed) {
        subscription->subscribed(client, channel->name, same, behind, subscription->user);
    }
    if (!same && channel->serial == serial) {
        reset(client, channel, reason ? reason : "first", offset, follows);
    }
}

void wsp_json_client_missed(wspool_json_client *client, struct wsp_json_channel *channel,
                            const json_t *data)
{
    int follows = json_is_true(json_object_get(data, "reset"));
    uint64_t to;
    if (!channel || channel->leaving > 0 || !channel->live) {
        return;
    }
    if (!read_offset(data, "to", &to)) {
        wsp_json_client_problem(client, "missed without a range");
        return;
    }
    channel->offset = follows ? 0 : to;
    reset(client, channel, "missed", to, follows);
}

void wsp_json_client_unsubscribed(wspool_json_client *client, struct wsp_json_channel *channel)
{
    if (channel && channel->leaving > 0) {
        channel->leaving--;
    } else if (channel && channel->wanted) {
        const wspool_json_subscription *subscription = &channel->subscription;
        channel->live = 0;
        if (subscription->ended) {
            subscription->ended(client, channel->name, "unsubscribed", 0, subscription->user);
        }
    }
}

void wsp_json_client_refused(wspool_json_client *client, struct wsp_json_channel *channel,
                             const json_t *data)
{
    const char *code = json_string_value(json_object_get(data, "code"));
    if (channel && channel->leaving > 0) {
        channel->leaving -= code && strcmp(code, "not_subscribed") == 0; /* else: to `subscribe` */
        return;
    }
    if (channel && channel->wanted && channel->subscription.ended) {
        channel->subscription.ended(client, channel->name, code ? code : "error",
                                    json_is_true(json_object_get(data, "retry")),
                                    channel->subscription.user);
    }
}

void wsp_json_client_publication(wspool_json_client *client, struct wsp_json_channel *channel,
                                 const json_t *message)
{
    const char *time = json_string_value(json_object_get(message, "timestamp"));
    wspool_json_publication publication = {
        .type = json_string_value(json_object_get(message, "type")),
        .epoch = json_string_value(json_object_get(message, "epoch")),
        .key = json_string_value(json_object_get(message, "key")),
        .removed = json_is_true(json_object_get(message, "removed")),
        .data = json_object_get(message, "data"),
        .timestamp = time ? time : "",
    };
    if (!channel || channel->leaving > 0) {
        return;
    }
    if (!channel->live || !publication.epoch ||
        !read_offset(message, "offset", &publication.offset)) {
        wsp_json_client_problem(client, "a publication before subscribed, or without a position");
        return;
    }
    if (strcmp(publication.epoch, channel->epoch) != 0) {
        if (set_position(channel, publication.epoch, publication.offset)) {
            reset(client, channel, "epoch_changed", publication.offset, 0);
        }
        wsp_json_client_problem(client, "a publication of another epoch");
        return;
    }
    if (publication.offset <= channel->offset) {
        wsp_json_client_problem(client, "a publication twice");
        return;
    }
    channel->offset = publication.offset;
    publication.channel = channel->name;
    if (channel->wanted && channel->subscription.message && publication.offset > channel->skip) {
        channel->subscription.message(client, &publication, channel->subscription.user);
    }
}
