/* SPDX-License-Identifier: MIT */
/*
 * client/life.c - see client/life.h. The public calls that make, find and free groups and clients.
 */
#include "client/life.h"

#include <string.h>

#include <wspool/versioned.h>
#include "client/attempt.h"
#include "client/entropy.h"
#include "os/os.h"
#include "wire/text.h"

#define PROTOCOLS_BYTES 1024u
#define PROTOCOLS_MAX 64u
#define QUEUE_MIN 1024u
#define BYTES_MAX ((1u << 30) - 1)

static const wspool_clients_config defaults = {
    .size = sizeof(wspool_clients_config),
    .entropy = {wsp_os_entropy, NULL},
    .message_bytes = 1048576,
    .queue_bytes = 262144,
    .attempts = 10,
    .attempt_time = 10 * WSPOOL_SECOND,
    .stable_time = 5 * WSPOOL_SECOND,
    .ping_interval = 30 * WSPOOL_SECOND,
    .pong_time = 10 * WSPOOL_SECOND,
    .closing_time = 2 * WSPOOL_SECOND,
    .reconnect_spread = WSPOOL_SECOND,
};

void wspool_clients_config_init_sized(wspool_clients_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

static const char *const cause_texts[] = {
#define WSPOOL_X(name, text) text,
    WSPOOL_CLIENT_CAUSES(WSPOOL_X)
#undef WSPOOL_X
};

const char *wspool_client_cause_text(enum wspool_client_cause cause)
{
    return (size_t)cause < sizeof cause_texts / sizeof *cause_texts ? cause_texts[cause]
                                                                    : "unknown cause";
}

const char *wspool_client_state_text(enum wspool_client_state state)
{
    static const char *const texts[] = {"disconnected", "connecting", "connected", "error"};
    return (size_t)state < sizeof texts / sizeof *texts ? texts[state] : "unknown state";
}

/* ------------------------------------------------------------------ groups */

static int numbers_are_good(const wspool_clients_config *config)
{
    const uint64_t times[] = {config->attempt_time, config->stable_time,  config->ping_interval,
                              config->pong_time,    config->closing_time, config->reconnect_spread};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (times[i] > WSPOOL_TIME_MAX) {
            return 0;
        }
    }
    return config->attempt_time > 0 && config->pong_time > 0 && config->closing_time > 0 &&
           config->attempts > 0 && config->message_bytes > 0 &&
           config->message_bytes <= BYTES_MAX && config->queue_bytes >= QUEUE_MIN &&
           config->queue_bytes <= BYTES_MAX;
}

static int hooks_are_good(const wspool_clients_config *config)
{
    const wspool_mem *mem = &config->mem;
    int count = (mem->malloc != NULL) + (mem->realloc != NULL) + (mem->free != NULL);
    return config->entropy.call && (count == 0 || count == 3);
}

/* Returns the bytes of all subprotocols with their NULs and sets *count, or returns 0. */
static size_t measure(const char *const *protocols, size_t *count)
{
    size_t bytes = 1;
    for (*count = 0; protocols && protocols[*count]; ++*count) {
        wspool_text text = wsp_text_of(protocols[*count]);
        bytes += text.len + 1;
        if (!wsp_text_is_token(text) || bytes > PROTOCOLS_BYTES || *count == PROTOCOLS_MAX) {
            return 0;
        }
    }
    return bytes;
}

/* Copies the URL and the subprotocols into one block: the list of pointers, then the texts. */
static int copy_texts(struct wspool_clients *clients)
{
    wspool_clients_config *config = &clients->config;
    size_t count, bytes = measure(config->subprotocols, &count);
    size_t url = config->url ? strlen(config->url) : 0;
    size_t list = (count + 1) * sizeof(char *);
    struct wsp_url parsed;

    if (bytes == 0 || url == 0 || url > UINT16_MAX ||
        wsp_url_parse((wspool_text){config->url, url}, &parsed)) {
        return WSPOOL_ERR_INVAL;
    }
    clients->texts = wsp_alloc(clients->mem, list + bytes + url + 1);
    if (!clients->texts) {
        return WSPOOL_ERR_NOMEM;
    }
    const char **protocols = (const char **)(void *)clients->texts;
    char *at = clients->texts + list;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(config->subprotocols[i]) + 1;
        protocols[i] = memcpy(at, config->subprotocols[i], size);
        at += size;
    }
    protocols[count] = NULL;
    config->subprotocols = protocols;
    config->url = memcpy(at, config->url, url + 1);
    return wsp_url_parse((wspool_text){config->url, url}, &clients->url);
}

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    struct wspool_clients *clients = owner;
    struct wsp_client *client = wsp_slots_at(&clients->slots, slot);
    return &client->timer;
}

int wspool_clients_new(wspool_clients **out, const wspool_clients_config *theirs, uint64_t now)
{
    wspool_clients_config config = defaults;
    uint8_t probe;

    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (!theirs || wspool_versioned_read(&config, sizeof config, theirs) ||
        !numbers_are_good(&config) || !hooks_are_good(&config)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!config.mem.malloc) {
        config.mem = wsp_mem_default;
    }
    struct wspool_clients *clients = wsp_calloc(&config.mem, 1, sizeof *clients);
    if (!clients) {
        return WSPOOL_ERR_NOMEM;
    }
    clients->config = config;
    clients->mem = &clients->config.mem;
    clients->now = now;
    int error = copy_texts(clients);
    if (!error) {
        error = wsp_clients_random(clients, &probe, 1);
    }
    if (error) {
        wsp_free(clients->mem, clients->texts);
        wsp_free(&config.mem, clients);
        return error;
    }
    wsp_slots_init(&clients->slots, sizeof(struct wsp_client));
    wsp_timers_init(&clients->timers, now, timer_at, clients);
    wsp_decoders_init(&clients->decoders, clients->mem);
    wsp_inbounds_init(&clients->inbounds, clients->mem, &clients->decoders, NULL);
    clients->inbounds.mask = WSP_UNMASKED;
    *out = clients;
    return 0;
}

int wspool_clients_free(wspool_clients *clients)
{
    if (!clients) {
        return 0;
    }
    if (clients->hooks > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    for (uint32_t i = 0; i < clients->slots.top; i++) {
        struct wsp_client *client = wsp_slots_at(&clients->slots, i);
        if (client->slot.generation & 1u) {
            wsp_client_drop(clients, client);
        }
    }
    wspool_mem mem = clients->config.mem;
    wsp_bitset_fini(&clients->ready, &mem);
    wsp_inbounds_fini(&clients->inbounds);
    wsp_decoders_fini(&clients->decoders);
    wsp_slots_fini(&clients->slots, &mem);
    wsp_free(&mem, clients->texts);
    wsp_free(&mem, clients);
    return 0;
}

int wspool_clients_server(const wspool_clients *clients, wspool_text *host, unsigned *port,
                          int *secure)
{
    if (!clients || !host || !port || !secure) {
        return WSPOOL_ERR_INVAL;
    }
    *host = clients->url.host;
    *port = clients->url.port;
    *secure = clients->url.secure;
    return 0;
}

/* ----------------------------------------------------------------- clients */

struct wsp_client *wsp_clients_find(const struct wspool_clients *clients, wspool_id id)
{
    struct wsp_client *client = clients ? wsp_slots_find(&clients->slots, id) : NULL;
    return client && !(client->flags & WSP_CLIENT_REMOVED) ? client : NULL;
}

struct wsp_client *wsp_clients_find_stream(const struct wspool_clients *clients,
                                           wspool_stream stream)
{
    uint32_t index = (uint32_t)(stream & UINT32_MAX), serial = (uint32_t)(stream >> 32);
    if (!clients || index >= clients->slots.top || serial == 0) {
        return NULL;
    }
    struct wsp_client *client = wsp_slots_at(&clients->slots, index);
    return (client->slot.generation & 1u) && client->told == serial ? client : NULL;
}

int wspool_clients_add(wspool_clients *clients, void *user, wspool_id *id)
{
    char instance[WSPOOL_CLIENT_INSTANCE_LEN + 1];
    if (!clients || !id) {
        return WSPOOL_ERR_INVAL;
    }
    *id = 0;
    int error = wsp_clients_random_instance(clients, instance);
    if (error) {
        return error;
    }
    struct wsp_client *client = wsp_slots_alloc(&clients->slots, clients->mem);
    if (!client) {
        return WSPOOL_ERR_NOMEM;
    }
    error = wsp_bitset_reserve(&clients->ready, clients->mem, clients->slots.top);
    if (error) {
        wsp_slots_free(&clients->slots, client);
        return error;
    }
    wsp_timer_init(&client->timer);
    client->user = user;
    client->spread = clients->config.reconnect_spread;
    client->heartbeat = clients->config.ping_interval;
    client->deadline = WSP_TIMERS_NEVER;
    memcpy(client->instance, instance, sizeof instance);
    *id = wsp_slot_id(&client->slot);
    return 0;
}

void wsp_clients_release(struct wspool_clients *clients, struct wsp_client *client)
{
    clients->removed--;
    wsp_bitset_remove(&clients->ready, client->slot.index);
    wsp_slots_free(&clients->slots, client);
}

int wspool_clients_remove(wspool_clients *clients, wspool_id id)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    wsp_client_drop(clients, client);
    client->flags = WSP_CLIENT_REMOVED;
    clients->removed++;
    if (!client->told) {
        wsp_clients_release(clients, client);
    }
    return 0;
}

uint32_t wspool_clients_count(const wspool_clients *clients)
{
    return clients ? clients->slots.used - clients->removed : 0;
}

void *wspool_clients_user(const wspool_clients *clients, wspool_id id)
{
    const struct wsp_client *client = wsp_clients_find(clients, id);
    return client ? client->user : NULL;
}

const char *wspool_clients_instance(const wspool_clients *clients, wspool_id id)
{
    const struct wsp_client *client = wsp_clients_find(clients, id);
    return client ? client->instance : "";
}

int wspool_clients_status(const wspool_clients *clients, wspool_id id, wspool_client_status *status)
{
    const struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client || !status) {
        return client ? WSPOOL_ERR_INVAL : WSPOOL_ERR_STALE;
    }
    wsp_client_read_status(clients, client, status);
    return 0;
}

/* ------------------------------------------------------------------- check */

static int client_check(const struct wspool_clients *clients, const struct wsp_client *client)
{
    int named = client->phase >= WSP_CLIENT_ASKING;
    int holds = client->out.cap > 0 || client->head.cap > 0 || client->inbound;
    if ((client->serial != 0) != named || client->serial > clients->serial ||
        client->out_start > client->out.len || !wsp_bytes_check(&client->out) ||
        !wsp_bytes_check(&client->head) || (!named && holds)) {
        return 0;
    }
    if ((client->phase == WSP_CLIENT_IDLE || client->phase == WSP_CLIENT_FAILED) &&
        (client->deadline != WSP_TIMERS_NEVER || client->timer.prev != WSP_TIMER_OFF)) {
        return 0;
    }
    if (client->head.cap > 0 && client->phase != WSP_CLIENT_SHAKING &&
        client->phase != WSP_CLIENT_CLOSING) {
        return 0;
    }
    if (client->inbound && !wsp_inbound_check(client->inbound)) {
        return 0;
    }
    return !(client->flags & WSP_CLIENT_REMOVED) || (client->told && !named);
}

int wspool_clients_check(const wspool_clients *clients)
{
    if (!clients || !wsp_slots_check(&clients->slots) || !wsp_timers_check(&clients->timers) ||
        !wsp_bitset_check(&clients->ready) || !wsp_decoders_check(&clients->decoders) ||
        !wsp_inbounds_check(&clients->inbounds)) {
        return 0;
    }
    for (uint32_t i = 0; i < clients->slots.top; i++) {
        const struct wsp_client *client = wsp_slots_at(&clients->slots, i);
        if ((client->slot.generation & 1u) && !client_check(clients, client)) {
            return 0;
        }
    }
    return 1;
}
