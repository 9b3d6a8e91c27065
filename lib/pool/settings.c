/* SPDX-License-Identifier: MIT */
/* pool/settings.c - see pool/settings.h. */
#include "pool/settings.h"

#include <string.h>

#include <wspool/versioned.h>
#include "os/os.h"
#include "wire/block.h"
#include "wire/text.h"
#include "wire/upgrade.h"

#define LARGEST_QUEUE ((1u << 30) - 1)
#define SMALLEST_HEAD 256u
#define SMALLEST_INPUT 65536u
#define SMALLEST_HISTORY 65536u
#define LARGEST_POOL (1u << 28) /* peers */

static const wspool_config defaults = {
    .size = sizeof(wspool_config),
    .max_peers = 1000,
    .max_handshakes = 1000,
    .channels_per_peer = 128,
    .head_bytes = 16384,
    .head_count = 64,
    .message_bytes = 65536,
    .abuse_burst = 10000,
    .abuse_rate = 330,
    .queue_bytes = 262144,
    .queue_messages = 1024,
    .pool_bytes = 67108864,
    .input_bytes = 67108864,
    .slow = WSPOOL_SLOW_CLOSE,
    .history_bytes = 16777216,
    .max_waiters = 10000,
    .handshake_time = 10 * WSPOOL_SECOND,
    .verdict_time = 30 * WSPOOL_SECOND,
    .message_time = 30 * WSPOOL_SECOND,
    .idle_time = 0,
    .ping_interval = 30 * WSPOOL_SECOND,
    .pong_time = 10 * WSPOOL_SECOND,
    .ping_jitter = 10,
    .flush_time = 30 * WSPOOL_SECOND,
    .closing_time = 5 * WSPOOL_SECOND,
    .lifetime = 0,
    .retry_after = 5,
    .turn_bytes = 131072,
    .turn_deliveries = 400,
    .token_places = {WSPOOL_TOKEN_AUTHORIZATION, WSPOOL_TOKEN_SUBPROTOCOL, WSPOOL_TOKEN_COOKIE,
                     WSPOOL_TOKEN_QUERY},
    .entropy = {wsp_os_entropy, NULL},
    .wall_clock = {wsp_os_wall_clock, NULL},
};

void wspool_config_init_sized(wspool_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

void wspool_route_options_init_sized(wspool_route_options *options, size_t size,
                                     const wspool_config *config)
{
    if (!config) {
        config = &defaults;
    }
    wspool_route_options filled;
    memset(&filled, 0, sizeof filled); /* a later version may have a field in what is padding now */
    filled.name = "";
    filled.slow = config->slow;
    filled.message_bytes = config->message_bytes;
    wspool_versioned_init(options, size, &filled, sizeof filled);
}

static int within(uint64_t value, uint64_t least, uint64_t most)
{
    return value >= least && value <= most;
}

static int times_are_good(const wspool_config *c)
{
    return within(c->handshake_time, 1, WSPOOL_TIME_MAX) &&
           within(c->verdict_time, 1, WSPOOL_TIME_MAX) &&
           within(c->closing_time, 1, WSPOOL_TIME_MAX) &&
           within(c->message_time, 0, WSPOOL_TIME_MAX) &&
           within(c->idle_time, 0, WSPOOL_TIME_MAX) &&
           within(c->ping_interval, 0, WSPOOL_TIME_MAX) &&
           within(c->pong_time, c->ping_interval ? 1 : 0, WSPOOL_TIME_MAX) &&
           within(c->flush_time, 0, WSPOOL_TIME_MAX) && within(c->flush_delay, 0, WSPOOL_SECOND) &&
           within(c->lifetime, 0, WSPOOL_TIME_MAX) && within(c->ping_jitter, 0, 50);
}

static int limits_are_good(const wspool_config *c)
{
    return within(c->max_peers, 1, LARGEST_POOL) && within(c->max_handshakes, 1, LARGEST_POOL) &&
           within(c->channels_per_peer, 1, UINT16_MAX / 2) &&
           within(c->head_bytes, SMALLEST_HEAD, 65536) && within(c->head_count, 1, 256) &&
           within(c->message_bytes, 1, LARGEST_QUEUE) && within(c->abuse_burst, 0, 65535) &&
           within(c->abuse_rate, 0, 1000000) &&
           within(c->queue_bytes, WSP_SMALLEST_QUEUE, LARGEST_QUEUE) &&
           within(c->queue_messages, 1, LARGEST_QUEUE) && c->turn_bytes > 0 &&
           c->turn_deliveries > 0 && c->pool_bytes >= 2 * wsp_block_memory(0) &&
           c->input_bytes >= SMALLEST_INPUT && c->history_bytes >= SMALLEST_HISTORY &&
           (unsigned)c->slow <= WSPOOL_SLOW_BEHIND;
}

static int hooks_are_good(const wspool_config *c)
{
    int mem = (c->mem.malloc != NULL) + (c->mem.realloc != NULL) + (c->mem.free != NULL);
    for (size_t i = 0; i < WSPOOL_TOKEN_PLACES; i++) {
        if ((unsigned)c->token_places[i] > WSPOOL_TOKEN_QUERY) {
            return 0;
        }
    }
    int codec = (c->codec.negotiate != NULL) + (c->codec.encode != NULL) +
                (c->codec.decode != NULL) + (c->codec.reset != NULL);
    return (mem == 0 || mem == 3) && (codec == 0 || codec == 4) && c->entropy.call &&
           c->wall_clock.call;
}

/* Returns 1 if the name could be chosen: see wsp_upgrade_subprotocol. */
static int subprotocol_is_good(const char *name)
{
    wspool_text text = {name, strlen(name)};
    return wsp_text_is_token(text) && text.len <= WSP_SUBPROTOCOL_MAX &&
           strncmp(name, "bearer.", 7) != 0;
}

/* Copies a list and, behind it, `last` when that is not NULL. One allocation: the pointers, then
 * the strings they point to. */
static int copy_subprotocols(const wspool_mem *mem, const char *const *list, const char *last,
                             const char *const **out)
{
    size_t count = 0, bytes = 0;
    while (list && list[count]) {
        bytes += strlen(list[count++]) + 1;
    }
    const char **copy =
        wsp_alloc(mem, (count + 2) * sizeof *copy + bytes + (last ? strlen(last) + 1 : 0));
    if (!copy) {
        return WSPOOL_ERR_NOMEM;
    }
    char *text = (char *)(copy + count + 2);
    for (size_t i = 0; i < count + (last != NULL); i++) {
        const char *name = i < count ? list[i] : last;
        size_t size = strlen(name) + 1;
        memcpy(text, name, size);
        copy[i] = text;
        text += size;
    }
    copy[count + (last != NULL)] = NULL;
    *out = copy;
    return 0;
}

int wsp_settings_copy(wspool_config *copy, const wspool_config *given)
{
    *copy = defaults;
    if (given && wspool_versioned_read(copy, sizeof *copy, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!limits_are_good(copy) || !times_are_good(copy) || !hooks_are_good(copy)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!copy->mem.malloc) {
        copy->mem = wsp_mem_default;
    }
    /* Origins and hosts are parsed and stored elsewhere; the given lists are not kept. */
    const char *const *names = copy->subprotocols;
    for (size_t i = 0; names && names[i]; i++) {
        if (!subprotocol_is_good(names[i])) {
            return WSPOOL_ERR_INVAL;
        }
    }
    return names ? copy_subprotocols(&copy->mem, names, NULL, &copy->subprotocols) : 0;
}

int wsp_settings_add_subprotocol(wspool_config *copy, const char *name)
{
    const char *const *longer;
    if (!name) {
        return 0;
    }
    if (!subprotocol_is_good(name)) {
        return WSPOOL_ERR_INVAL;
    }
    if (copy_subprotocols(&copy->mem, copy->subprotocols, name, &longer)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_settings_fini(copy);
    copy->subprotocols = longer;
    return 0;
}

void wsp_settings_fini(wspool_config *copy)
{
    union {
        const char *const *in;
        void *out;
    } list = {.in = copy->subprotocols};
    wsp_free(&copy->mem, list.out);
    copy->subprotocols = NULL;
}
