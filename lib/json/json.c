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
};

void wspool_json_config_init_sized(wspool_json_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
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
    if (!config.server || !config.clock.call || config.depth < 1 || config.depth > DEPTH_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    size_t server_size = strlen(config.server) + 1;
    wspool_json *json = calloc(1, sizeof *json + server_size);
    if (!json) {
        return WSPOOL_ERR_NOMEM;
    }
    memcpy(json->server, config.server, server_size);
    json->config = config;
    json->config.server = json->server;
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
    wsp_json_sessions_fini(&json->sessions);
    free(json);
}

int wsp_json_check(const wspool_json *json)
{
    return wsp_json_sessions_check(&json->sessions) && wsp_json_handlers_check(json->types) &&
           wsp_json_handlers_check(json->actions);
}
