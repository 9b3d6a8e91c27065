/* SPDX-License-Identifier: MIT */
/* pool/settings.c - see pool/settings.h. */
#include "pool/settings.h"

#include <stddef.h>
#include <string.h>

#include <wspool/handlers.h>
#include <wspool/versioned.h>
#include "os/os.h"
#include "policy/origin.h"
#include "wire/block.h"
#include "wire/text.h"
#include "wire/upgrade.h"

#define LARGEST_QUEUE ((1u << 30) - 1)
_Static_assert((uint64_t)LARGEST_QUEUE *WSPOOL_CONTRACTS <= UINT32_MAX,
               "the length of the frames of all contracts has 32 bits");
#define SMALLEST_HEAD 256u
#define SMALLEST_INPUT 65536u
#define SMALLEST_KEY_BYTES 131072u /* two reads */
#define SMALLEST_HISTORY 65536u
#define SMALLEST_POOL_BYTES (2 * (sizeof(struct wsp_block) + WSP_BLOCK_BYTES))
#define LARGEST_POOL (1u << 28) /* peers */

static const wspool_config defaults = {
    .size = sizeof(wspool_config),
    .max_peers = 1000,
    .max_handshakes = 1000,
    .key_table = 4096,
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
    .max_revocations = 10000,
    .handshake_time = 10 * WSPOOL_SECOND,
    .verdict_time = 30 * WSPOOL_SECOND,
    .expiring_time = 25 * WSPOOL_SECOND,
    .message_time = 30 * WSPOOL_SECOND,
    .idle_time = 0,
    .ping_interval = 30 * WSPOOL_SECOND,
    .pong_time = 10 * WSPOOL_SECOND,
    .ping_jitter = 10,
    .flush_time = 30 * WSPOOL_SECOND,
    .closing_time = 5 * WSPOOL_SECOND,
    .lifetime = 0,
    .retry_after = 5,
    .breaker_burst = 200,
    .breaker_rate = 50,
    .breaker_time = WSPOOL_SECOND,
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

/* A member that is a number, and its range. */
#define RANGE(member, least, most) \
    { \
#member, offsetof(wspool_config, member), sizeof defaults.member, least, most \
    }
static const struct {
    const char *name;
    size_t offset, size;
    uint64_t least, most;
} ranges[] = {
    RANGE(max_peers, 1, LARGEST_POOL),
    RANGE(max_handshakes, 1, LARGEST_POOL),
    RANGE(key_table, 1, 1u << 24),
    RANGE(channels_per_peer, 1, UINT16_MAX / 2),
    RANGE(head_bytes, SMALLEST_HEAD, 65536),
    RANGE(head_count, 1, 256),
    RANGE(message_bytes, 1, LARGEST_QUEUE),
    RANGE(abuse_burst, 0, 65535),
    RANGE(abuse_rate, 0, 1000000),
    RANGE(breaker_burst, 0, 65535),
    RANGE(breaker_rate, 0, 1000000),
    RANGE(breaker_time, 0, WSPOOL_TIME_MAX),
    RANGE(turn_bytes, 1, UINT32_MAX),
    RANGE(turn_deliveries, 1, UINT32_MAX),
    RANGE(input_bytes, SMALLEST_INPUT, UINT64_MAX),
    RANGE(queue_bytes, WSP_SMALLEST_QUEUE, LARGEST_QUEUE),
    RANGE(queue_messages, 1, LARGEST_QUEUE),
    RANGE(pool_bytes, SMALLEST_POOL_BYTES, UINT64_MAX),
    RANGE(slow, WSPOOL_SLOW_CLOSE, WSPOOL_SLOW_BEHIND),
    RANGE(history_bytes, SMALLEST_HISTORY, UINT64_MAX),
    RANGE(handshake_time, 1, WSPOOL_TIME_MAX),
    RANGE(verdict_time, 1, WSPOOL_TIME_MAX),
    RANGE(expiring_time, 0, WSPOOL_TIME_MAX),
    RANGE(token_time, 0, WSPOOL_TIME_MAX),
    RANGE(max_revocations, 0, 1u << 24),
    RANGE(message_time, 0, WSPOOL_TIME_MAX),
    RANGE(idle_time, 0, WSPOOL_TIME_MAX),
    RANGE(ping_interval, 0, WSPOOL_TIME_MAX),
    RANGE(pong_time, 0, WSPOOL_TIME_MAX),
    RANGE(ping_jitter, 0, 50),
    RANGE(flush_time, 0, WSPOOL_TIME_MAX),
    RANGE(flush_delay, 0, WSPOOL_SECOND),
    RANGE(closing_time, 1, WSPOOL_TIME_MAX),
    RANGE(lifetime, 0, WSPOOL_TIME_MAX),
};

static const char *wrong_number(const wspool_config *c)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const char *at = (const char *)c + ranges[i].offset;
        uint64_t value;
        uint32_t word;
        if (ranges[i].size == sizeof word) {
            memcpy(&word, at, sizeof word);
            value = word;
        } else {
            memcpy(&value, at, sizeof value);
        }
        if (value < ranges[i].least || value > ranges[i].most) {
            return ranges[i].name;
        }
    }
    if (c->key_bytes_burst > 0 && c->key_bytes_burst < SMALLEST_KEY_BYTES) {
        return "key_bytes_burst";
    }
    return c->ping_interval && !c->pong_time ? "pong_time" : NULL;
}

static const char *wrong_hook(const wspool_config *c)
{
    int mem = (c->mem.malloc != NULL) + (c->mem.realloc != NULL) + (c->mem.free != NULL);
    int codec = (c->codec.negotiate != NULL) + (c->codec.encode != NULL) +
                (c->codec.decode != NULL) + (c->codec.reset != NULL);
    return mem != 0 && mem != 3       ? "mem"
           : codec != 0 && codec != 4 ? "codec"
           : !c->entropy.call         ? "entropy"
           : !c->wall_clock.call      ? "wall_clock"
                                      : NULL;
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

/* Returns the first member that is wrong, of those that are kept as they are. */
static const char *wrong_member(const wspool_config *c)
{
    const char *wrong = wrong_number(c);
    for (size_t i = 0; !wrong && i < WSPOOL_TOKEN_PLACES; i++) {
        wrong = (unsigned)c->token_places[i] > WSPOOL_TOKEN_QUERY ? "token_places" : NULL;
    }
    for (size_t i = 0; !wrong && c->subprotocols && c->subprotocols[i]; i++) {
        wrong = subprotocol_is_good(c->subprotocols[i]) ? NULL : "subprotocols";
    }
    return wrong ? wrong : wrong_hook(c);
}

const char *wspool_config_fault(const wspool_config *given)
{
    wspool_config config = defaults;
    if (!given || wspool_versioned_read(&config, sizeof config, given)) {
        return given ? "size" : NULL;
    }
    const char *wrong = wrong_member(&config);
    struct wsp_origins origins = {0}, hosts = {0};
    if (!wrong &&
        wsp_origins_init(&origins, &wsp_mem_default, config.origins) == WSPOOL_ERR_INVAL) {
        wrong = "origins";
    }
    if (!wrong && wsp_hosts_init(&hosts, &wsp_mem_default, config.hosts) == WSPOOL_ERR_INVAL) {
        wrong = "hosts";
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
    wsp_origins_fini(&hosts, &wsp_mem_default);
    return wrong;
}

int wsp_settings_copy(wspool_config *copy, const wspool_config *given)
{
    *copy = defaults;
    if (given && wspool_versioned_read(copy, sizeof *copy, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (wrong_member(copy)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!copy->mem.malloc) {
        copy->mem = wsp_mem_default;
    }
    /* Origins and hosts are parsed and stored elsewhere; the given lists are not kept. */
    const char *const *names = copy->subprotocols;
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
