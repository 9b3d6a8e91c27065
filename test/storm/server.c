/* SPDX-License-Identifier: MIT */
/* storm/server.c - see storm/storm.h. */
#define _GNU_SOURCE
#include "storm.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wspool/adapters/epoll.h>
#include <wspool/json.h>

const char *const storm_channels[STORM_CHANNELS] = {"global:feed", "item:r0", "item:r1", "item:r2",
                                                    "session:r3"};

enum { TEXT_MAX = 2000 };

typedef struct server {
    wspool_sockets *sockets;
    wspool_json *json;
    int talk, log;
    unsigned life;
    uint64_t rng, number; /* of the last text */
} server;

void storm_digest(const char *text, char *out, size_t size)
{
    uint32_t hash = 2166136261u;
    for (const char *at = text; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    snprintf(out, size, "%.*s-%08" PRIx32, (int)strcspn(text, "-"), text, hash);
}

static void need(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "# storm: the server fails: %s\n", what);
        _exit(1);
    }
}

static uint64_t below(server *s, uint64_t limit)
{
    s->rng = s->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (s->rng >> 33) % limit;
}

__attribute__((format(printf, 2, 3))) static void say(const server *s, const char *format, ...)
{
    char line[300];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    need(write(s->log, line, (size_t)n) == n, "log");
}

/* Publishes a text, to all but one client: a peer of it, and its name in the log, or 0 and "". Some have an id
 * of the publisher's; of these, some are repeated at once. */
static void publish(server *s, size_t channel, wspool_id except, const char *client)
{
    static char text[TEXT_MAX];
    wspool *pool = wspool_sockets_pool(s->sockets);
    const char *name = storm_channels[channel];
    wspool_send_options options = {.size = sizeof options, .except = except};
    wspool_tally tally = {.size = sizeof tally};
    wspool_channel_position at;
    wspool_channel to;
    char digest[40], epoch[WSPOOL_JSON_EPOCH_MAX], id[40];
    int n = snprintf(text, sizeof text, "%u.%" PRIu64 "-", s->life, ++s->number);
    int with_id = below(s, 10) == 0;
    size_t len = below(s, TEXT_MAX - 50);
    memset(text + n, 'a' + (int)(s->number % 26), len);
    text[(size_t)n + len] = '\0';
    storm_digest(text, digest, sizeof digest);
    snprintf(id, sizeof id, "p%u.%" PRIu64, s->life, s->number);
    need(wspool_json_channel_read(name, strlen(name), &to) == 0, "channel");
    need(wspool_position(pool, to, &at) == 0, "position");
    wspool_json_epoch_write(at.epoch, epoch);
    say(s, "publish %s %s %" PRIu64 " %s%s%s%s%s\n", name, epoch, at.offset + 1, digest,
        with_id ? " id=" : "", with_id ? id : "", except != 0 ? " except=" : "", client);
    for (int repeats = with_id && below(s, 2) == 0, i = 0; i <= repeats; i++) {
        if (with_id)
            options.id = (wspool_text){id, strlen(id)};
        need(wspool_json_broadcast(s->json, pool, to, "text", json_pack("{s:s}", "text", text),
                                   &options, &tally) >= 0,
             "broadcast");
        need(tally.position.offset == at.offset + 1 && tally.repeated == (i > 0), "offset");
    }
    if (tally.repeated)
        say(s, "again %s %s %" PRIu64 " %s\n", name, epoch, tally.position.offset, id);
}

static void say_heads(const server *s)
{
    char line[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < STORM_CHANNELS; i++) {
        wspool_channel_position at;
        wspool_channel channel;
        wspool_json_channel_read(storm_channels[i], strlen(storm_channels[i]), &channel);
        wspool_position(wspool_sockets_pool(s->sockets), channel, &at);
        n += (size_t)snprintf(line + n, sizeof line - n, "%" PRIu64 " ", at.offset);
    }
    line[n - 1] = '\n';
    need(write(s->talk, line, n) == (ssize_t)n, "talk");
}

static void hear(server *s)
{
    char said[64];
    ssize_t n = recv(s->talk, said, sizeof said, MSG_DONTWAIT);
    need(n > 0, "talk");
    for (ssize_t i = 0; i < n; i++) {
        if (said[i] == SAY_HEADS) {
            say_heads(s);
            continue;
        }
        for (size_t channel = 0; channel < STORM_CHANNELS && said[i] == SAY_LAST; channel++)
            publish(s, channel, 0, "");
        if (said[i] == SAY_PUBLISH)
            publish(s, below(s, 2) == 0 ? 0 : (size_t)(1 + below(s, STORM_ROOMS)), 0, "");
        need(write(s->talk, &said[i], 1) == 1, "talk");
    }
}

static int permit(wspool *pool, wspool_id id, wspool_channel channel, void *user)
{
    (void)pool;
    (void)id;
    (void)channel;
    (void)user;
    return 0;
}

/* An action: everybody but its client gets a text in the room that it names. */
static const char *act(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                       void *user)
{
    server *s = user;
    char client[40];
    wspool_text instance;
    uint64_t n;
    (void)pool;
    need(wspool_json_action_id(json, &instance, &n) == 0, "action id");
    snprintf(client, sizeof client, "%.*s", (int)instance.len, (const char *)instance.data);
    say(s, "did %s-%" PRIu64 "\n", client, n);
    publish(s, (size_t)json_integer_value(json_object_get(data, "room")), id, client);
    return NULL;
}

static void begin(server *s, int listener)
{
    wspool_config config;
    wspool_json_config json_config;
    wspool_route_options options;
    wspool_config_init(&config);
    config.max_handshakes = 400;
    config.queue_bytes = 32768;
    config.queue_messages = 24;
    wspool_json_config_init(&json_config);
    json_config.subscribe.call = permit;
    need(wspool_epoll_new(&s->sockets, &config) == 0, "engine");
    wspool *pool = wspool_sockets_pool(s->sockets);
    need(wspool_json_new(&s->json, &json_config) == 0 && wspool_json_attach(s->json, pool) == 0,
         "contract");
    need(wspool_json_on_action(s->json, "act", act, s) == 0, "action");
    wspool_route_options_init(&options, &config);
    options.slow = WSPOOL_SLOW_BEHIND;
    options.history.messages = 40;
    need(wspool_route(pool, "/{name}", WSPOOL_GLOBAL, &options) == 0, "route");
    options.history.messages = 10;
    need(wspool_route(pool, "/item/{name}", WSPOOL_ITEM, &options) == 0, "route");
    options.slow = WSPOOL_SLOW_CLOSE;
    need(wspool_route(pool, "/session/{name}", WSPOOL_SESSION, &options) == 0, "route");
    need(wspool_sockets_adopt_listener(s->sockets, listener) == 0, "listener");
}

storm_server storm_start(int listener, int log, unsigned life)
{
    int ends[2];
    storm_server started = {0, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return started;
    started.pid = fork();
    if (started.pid != 0) {
        close(ends[1]);
        started.talk = ends[0];
        return started;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that failed */
    close(ends[0]);
    server s = {.talk = ends[1], .log = log, .life = life, .rng = life};
    begin(&s, dup(listener));
    for (;;) {
        struct pollfd fds[2] = {{wspool_epoll_fd(s.sockets), POLLIN, 0}, {s.talk, POLLIN, 0}};
        need(poll(fds, 2, -1) > 0, "poll");
        if (fds[1].revents != 0)
            hear(&s);
        need(wspool_epoll_turn(s.sockets, 0) == 0, "turn");
    }
}
