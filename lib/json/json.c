/* SPDX-License-Identifier: MIT */
/* json/json.c - the companion's state. See json/json.h and wspool/json.h. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wspool/versioned.h>

#define DEPTH_DEFAULT 16u
#define DEPTH_MAX 512u
#define ACTION_INSTANCES 10000u
#define ACTION_EPOCH_MAX 64u

static uint64_t system_clock(void *user)
{
    struct timespec t = {0};
    (void)user;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const wspool_json_config defaults = {
    .size = sizeof(wspool_json_config),
    .server = "wspool/" WSPOOL_VERSION,
    .depth = DEPTH_DEFAULT,
    .clock = {system_clock, NULL},
    .action_instances = ACTION_INSTANCES,
};

void wspool_json_config_init_sized(wspool_json_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

static int is_epoch(const char *text)
{
    static const char digits[] = "0123456789"
                                 "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(text);
    return len > 0 && len <= ACTION_EPOCH_MAX && strspn(text, digits) == len;
}

int wspool_json_new(wspool_json **out, const wspool_json_config *given)
{
    wspool_json_config config = defaults;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (given && wspool_versioned_read(&config, sizeof config, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!config.server || !config.clock.call || config.depth < 1 || config.depth > DEPTH_MAX ||
        config.action_instances < 1 || (config.action_epoch && !is_epoch(config.action_epoch)) ||
        config.reconnect_spread > WSPOOL_TIME_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    size_t server_size = strlen(config.server) + 1;
    size_t epoch_size = config.action_epoch ? strlen(config.action_epoch) + 1 : 0;
    wspool_json *json = calloc(1, sizeof *json + server_size + epoch_size);
    if (!json) {
        return WSPOOL_ERR_NOMEM;
    }
    json->config = config;
    json->config.server = memcpy(json->texts, config.server, server_size);
    if (config.action_epoch) {
        json->config.action_epoch =
            memcpy(json->texts + server_size, config.action_epoch, epoch_size);
    }
    wsp_json_actions_init(&json->done, config.action_instances, config.ledger);
    *out = json;
    return 0;
}

void wspool_json_free(wspool_json *json)
{
    if (!json) {
        return;
    }
    wsp_json_handlers_free(&json->types);
    wsp_json_handlers_free(&json->actions);
    wsp_json_actions_fini(&json->done);
    free(json->rendered);
    free(json);
}

int wsp_json_check(const wspool_json *json)
{
    return wsp_json_actions_check(&json->done) && wsp_json_handlers_check(json->types) &&
           wsp_json_handlers_check(json->actions);
}
