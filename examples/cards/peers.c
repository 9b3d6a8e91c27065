/* SPDX-License-Identifier: MIT */
/* peers.c - see peers.h. */
#define _GNU_SOURCE
#include "peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHAT_TEXT_MAX 1000 /* characters */
#define CHANNELS 128       /* the maximum per peer */
#define KEYS 4096          /* of a keyed channel: people or running cards, and those that were */

/* The second path for a kind is that of older clients. */
static const struct socket_path {
    const char *pattern;
    enum wspool_kind kind;
} paths[] = {
    {"/api/cards/ws", WSPOOL_GLOBAL},
    {"/ws/cards", WSPOOL_GLOBAL},
    {"/api/execution/ws/{card_id}", WSPOOL_ITEM},
    {"/ws/execution/{card_id}", WSPOOL_ITEM},
    {"/api/chat/ws/{session_id}", WSPOOL_SESSION},
    {"/ws/chat/{session_id}", WSPOOL_SESSION},
    {"/api/people/ws", WSPOOL_TOPIC},
};

int peers_path(const char *path, size_t len)
{
    size_t i;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        size_t literal = strcspn(paths[i].pattern, "{");
        int rest = paths[i].pattern[literal] != '\0';
        if (len >= literal && memcmp(path, paths[i].pattern, literal) == 0 &&
            (rest || len == literal)) {
            return 1;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------- who comes in */

/* Refuses peers before they use all descriptors: /health must stay reachable. */
static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    const struct app *app = user;
    (void)pool, (void)id, (void)request;
    return wspool_sockets_count(app->sockets) >= app->descriptors ? WSPOOL_REFUSED_CAPACITY_FILES
                                                                  : 0;
}

/* -------------------------------------------------------------- what they may do */

static int is(wspool_channel channel, wspool_channel other)
{
    return channel.kind == other.kind && channel.len == other.len &&
           memcmp(channel.name, other.name, other.len) == 0;
}

/* A peer may subscribe to everything but sessions: only a peer whose path names one gets it. */
static int may_subscribe(wspool *pool, wspool_id id, wspool_channel channel, void *user)
{
    struct app *app = user;
    (void)pool, (void)id;
    switch (channel.kind) {
    case WSPOOL_GLOBAL:
        return is(channel, BOARD) ? 0 : -1;
    case WSPOOL_TOPIC:
        return is(channel, PEOPLE) || is(channel, RUNS) ? 0 : -1;
    case WSPOOL_ITEM:
        return cards_find(&app->cards, channel.name, channel.len) ? 0 : -1;
    default:
        return -1;
    }
}

wspool_text peers_name(const struct app *app, wspool_id id)
{
    wspool_text subject;
    wspool_subject(app->pool, id, &subject);
    return subject.len > 0 ? subject : wspool_text_of("guest");
}

/* Returns the session channel of a peer; its kind is NONE if there is none. */
static wspool_channel session_of(wspool *pool, wspool_id id)
{
    wspool_channel channels[CHANNELS];
    int i, count = wspool_channels_of(pool, id, channels, CHANNELS);
    for (i = 0; i < count && i < CHANNELS; i++) {
        if (channels[i].kind == WSPOOL_SESSION) {
            return channels[i];
        }
    }
    return wspool_channel_of(WSPOOL_NONE, "", 0);
}

int peers_publish(struct app *app, wspool_channel channel, const char *type, json_t *data,
                  const struct store_change *change)
{
    struct store_commit commit = {.store = app->store, .channel = channel};
    wspool_send_options options = {.size = sizeof(options), .commit = {store_commit, &commit}};
    if (change) {
        commit.change = *change;
    }
    return wspool_json_broadcast(app->json, app->pool, channel, type, data, &options, NULL);
}

void peers_tell(struct app *app, wspool_channel channel, const char *type, const char *key,
                int removed, json_t *data)
{
    wspool_send_options options = {
        .size = sizeof(options), .flags = removed ? WSPOOL_REMOVE : 0, .key = {key, strlen(key)}};
    wspool_json_broadcast(app->json, app->pool, channel, type, data, &options, NULL);
}

/* Action chat {text}: publishes the text to the session, its author included, and stores that this
 * action is done. `connection` is that of connection_established, so that a page knows its own
 * messages: others can use its name. */
static const char *on_chat(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                           void *user)
{
    const char *text = json_string_value(json_object_get(data, "text"));
    const wspool_text from = peers_name(user, id);
    wspool_channel session = session_of(pool, id);
    struct store_change change = {.card = NULL};
    int length = text ? text_length(text) : -1;
    char connection[24];

    if (session.kind == WSPOOL_NONE) {
        return "not_in_session";
    }
    if (length < 1 || length > CHAT_TEXT_MAX) {
        return "bad_text";
    }
    wspool_json_action_id(json, &change.instance, &change.action);
    wspool_subject(pool, id, &change.subject);
    snprintf(connection, sizeof(connection), "%" PRIu64, id);
    return peers_publish(user, session, "chat_message",
                         json_pack("{s:s%, s:s%, s:s, s:s}", "session_id", session.name,
                                   session.len, "from", from.data, from.len, "connection",
                                   connection, "text", text),
                         &change) < 0
               ? "unavailable"
               : NULL;
}

/* ------------------------------------------------------------------------- life */

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    (void)pool;
    if (opened->route_user) { /* the board's */
        people_joined(user, id, opened->client);
    }
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    (void)pool;
    if (closed->why != WSPOOL_END_POOL_FREED) {
        people_left(user, id);
    }
}

/* A client that joins a channel to which nothing was published has a position, too. */
static void on_channel(wspool *pool, wspool_channel channel, int active, void *user)
{
    const struct app *app = user;
    wspool_channel_position position;
    if (active && channel.kind != WSPOOL_TOPIC && wspool_position(pool, channel, &position) == 0 &&
        position.offset == 0) {
        store_position(app->store, channel, &position);
    }
}

/* The channels have their positions before the first peer. The board's position is in the list of
 * the cards, so it always has one. */
static int seed(struct app *app)
{
    wspool_channel_position position;
    int error = store_seed(app->store, app->pool);
    if (!error && app->store) {
        wspool_position(app->pool, BOARD, &position);
        error = wspool_seed(app->pool, BOARD, &position, NULL);
        if (!error && position.offset == 0 && store_position(app->store, BOARD, &position) < 0) {
            error = WSPOOL_ERR_FULL;
        }
    }
    return error;
}

static int add_paths(struct app *app, const wspool_config *config)
{
    wspool_route_options options;
    int error = 0;
    size_t i;
    wspool_route_options_init(&options, config);
    options.slow = WSPOOL_SLOW_BEHIND;
    for (i = 0; error == 0 && i < sizeof(paths) / sizeof(paths[0]); i++) {
        int topic = paths[i].kind == WSPOOL_TOPIC;
        options.name = topic ? PEOPLE.name : BOARD.name; /* if the path has no {parameter} */
        options.user = paths[i].kind == WSPOOL_GLOBAL ? app : NULL;
        options.history.messages = topic ? 1 : STORE_KEPT; /* only what is so now */
        options.history.max_keys = topic ? KEYS : 0;
        error = wspool_route(app->pool, paths[i].pattern, paths[i].kind, &options);
    }
    return error;
}

/* New sockets are refused while the machine is short of something. Files are counted by
 * on_capacity. */
static int watch_capacity(struct app *app, const struct options *options)
{
    wspool_capacity_config config;
    int error;
    wspool_capacity_config_init(&config);
    config.max_peers = options->connections > 0 ? options->connections : config.max_peers;
    config.memory_bytes = (uint64_t)options->memory_mb << 20;
    config.memory_percent = config.files_percent = 100;
    config.cpu_percent = options->cpu_percent;
    error = wspool_capacity_new(&app->capacity, &config);
    return error ? error : wspool_capacity_attach(app->capacity, app->pool, wspool_clock());
}

int peers_start(struct app *app, const struct options *options)
{
    wspool_json_config contract;
    wspool_config config;
    int error;

    wspool_json_config_init(&contract);
    contract.subscribe.call = may_subscribe;
    contract.subscribe.user = app;
    if (app->store) { /* without one, what was done before a restart is in doubt */
        contract.action_epoch = store_action_epoch(app->store);
        contract.ledger = (wspool_json_ledger_hook){store_find_action, app->store};
    }

    wspool_config_init(&config);
    config.max_peers = options->connections > 0 ? options->connections : config.max_peers;
    config.max_per_key = app->per_address;
    config.channels_per_peer = CHANNELS;
    config.capacity.call = on_capacity;
    config.capacity.user = app;
    config.open.call = on_open;
    config.open.user = app;
    config.close.call = on_close;
    config.close.user = app;
    config.channel.call = on_channel;
    config.channel.user = app;

    error = wspool_json_new(&app->json, &contract);
    error = error ? error : wspool_json_on_action(app->json, "chat", on_chat, app);
    if (error == 0 && wspool_epoll_new(&app->sockets, &config) < 0) {
        perror("cards: sockets");
        return -1;
    }
    app->pool = wspool_sockets_pool(app->sockets);
    error = error ? error : tokens_attach(app->tokens, app->pool);
    error = error ? error : watch_capacity(app, options);
    error = error ? error : wspool_json_attach(app->json, app->pool);
    error = error ? error : add_paths(app, &config);
    error = error ? error : seed(app);
    if (error) {
        fprintf(stderr, "cards: pool: %s\n", wspool_strerror(error));
    }
    return error ? -1 : 0;
}

void peers_stop(struct app *app)
{
    wspool_sockets_free(app->sockets);
    wspool_json_free(app->json);
    wspool_capacity_free(app->capacity);
}
