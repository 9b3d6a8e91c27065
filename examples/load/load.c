/* SPDX-License-Identifier: MIT */
/*
 * load.c - many clients on one URL: how many connect, why others do not, and how long handshakes and
 * deliveries take.
 *
 * First all clients connect, 100 at a time. Then the first one sends a message, and what comes back
 * tells what kind of server it is:
 *   echo     the sender gets it: each client sends one a second
 *   room     others get it: the first client sends ten a second
 *   publish  the server speaks wspool.v1.json and publishes the action `chat`: the same
 *   ping     the server speaks it, and refuses the action: each client sends `ping` once a second
 *   none     nothing comes within a second: only connections are measured
 * A message has the time at which it was sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <wspool/dial.h>
#include <wspool/wspool.h>

#include "options.h"
#include "report.h"

#define CONTRACT "wspool.v1.json"
#define MARK "load:"
#define AT_A_TIME 100u
#define PROBE_TIME WSPOOL_SECOND
#define CLOSING_TIME (2 * WSPOOL_SECOND)
#define PER_SECOND 10u /* messages of a sender whose messages go to all others */

enum kind { PROBING, ECHO, ROOM, PUBLISH, PING, NONE };
static const char *const kinds[] = {"none", "echo", "room", "publish", "ping", "none"};

struct client {
    wspool_id id;
    uint64_t began;  /* its attempt; 0: none runs */
    uint64_t pinged; /* 0: no pong is awaited */
    uint8_t was_connected;
};

static struct options options;
static struct report report;
static wspool_clients *clients;
static wspool_dial *dial;
static struct client *all;
static unsigned under_way; /* attempts */
static unsigned settled;   /* clients that have connected or failed */
static unsigned sender;    /* a client that is connected */
static unsigned actions;
static enum kind kind;
static int contract; /* the server speaks it */
static int ending;

/* ------------------------------------------------------------------- hooks */

static int on_token(wspool_clients *group, wspool_id id, int renew, wspool_text *token, void *user)
{
    (void)group;
    (void)id;
    (void)user;
    *token = (wspool_text){options.token, strlen(options.token)};
    return renew ? -1 : 1; /* there is no other */
}

static void count_reason(const wspool_client_status *status)
{
    char text[96];
    if (status->code >= 1000) {
        snprintf(text, sizeof text, "close %d %.*s", status->code, (int)status->reason.len,
                 status->reason.data);
    } else if (status->code > 0) {
        snprintf(text, sizeof text, "HTTP %d", status->code);
    } else {
        int error = wspool_dial_error(dial);
        snprintf(text, sizeof text, "%s",
                 error ? strerror(error) : wspool_client_cause_text(status->cause));
    }
    report_reason(&report, text);
}

static void on_status(wspool_clients *group, wspool_id id, const wspool_client_status *status,
                      void *user)
{
    struct client *client = wspool_clients_user(group, id);
    (void)user;
    if (ending) {
        return;
    }
    if (status->state == WSPOOL_CLIENT_CONNECTING) {
        if (client->was_connected == 1) {
            report.connected--;
            report.lost++;
            client->was_connected = 2;
            count_reason(status);
        }
        client->began = wspool_clock();
        return;
    }
    if (status->state == WSPOOL_CLIENT_CONNECTED) {
        latency_add(&report.handshake, wspool_clock() - client->began);
        report.connected++;
        contract |= status->subprotocol != NULL;
        sender = (unsigned)(client - all);
    } else if (client->was_connected == 1) {
        report.connected--;
        report.lost++;
        count_reason(status);
    } else if (client->was_connected == 0) {
        report.failed++;
        count_reason(status);
    }
    if (client->began && client->was_connected == 0) {
        under_way--;
        settled++;
    }
    client->was_connected = status->state == WSPOOL_CLIENT_CONNECTED ? 1 : 2;
}

static void note_delivery(uint64_t sent_at)
{
    uint64_t now = wspool_clock();
    report.delivered++;
    latency_add(&report.delivery, now > sent_at ? now - sent_at : 0);
}

static void on_message(wspool_clients *group, wspool_id id, const void *data, size_t len,
                       int binary, void *user)
{
    struct client *client = wspool_clients_user(group, id);
    const char *mark = memmem(data, len, MARK, sizeof MARK - 1);
    (void)binary;
    (void)user;
    if (mark && len - (size_t)(mark - (const char *)data) >= sizeof MARK - 1 + 16) {
        char digits[17] = {0};
        memcpy(digits, mark + sizeof MARK - 1, 16);
        if (kind == PROBING) {
            kind = contract ? PUBLISH : client == &all[sender] ? ECHO : ROOM;
        } else {
            note_delivery(strtoull(digits, NULL, 16));
        }
    } else if (contract && client->pinged && memmem(data, len, "\"type\":\"pong\"", 13)) {
        note_delivery(client->pinged);
        client->pinged = 0;
    } else if (contract && kind == PROBING && client == &all[sender] &&
               memmem(data, len, "\"type\":\"error\"", 14)) {
        kind = PING;
    }
}

/* ----------------------------------------------------------------- traffic */

static void take_turn(void)
{
    if (wspool_dial_turn(dial, wspool_clock() + WSPOOL_MILLISECOND) < 0) {
        fail(1, "epoll", strerror(errno));
    }
}

static void say(struct client *client)
{
    char text[256];
    uint64_t now = wspool_clock();
    int len;
    if (kind == PING) {
        if (client->pinged) {
            return; /* one at a time */
        }
        len = snprintf(text, sizeof text, "{\"type\":\"ping\"}");
    } else if (contract) {
        len = snprintf(text, sizeof text,
                       "{\"type\":\"action\",\"data\":{\"id\":\"%s-%u\",\"name\":\"chat\","
                       "\"text\":\"" MARK "%016" PRIx64 "\"}}",
                       wspool_clients_instance(clients, client->id), ++actions, now);
    } else {
        len = snprintf(text, sizeof text, MARK "%016" PRIx64, now);
    }
    if (wspool_clients_send(clients, client->id, text, (size_t)len, 0) == 0) {
        client->pinged = kind == PING ? now : 0;
        report.sent += kind != PROBING;
    }
}

static void connect_all(void)
{
    for (unsigned next = 0; settled < options.connections;) {
        for (; next < options.connections && under_way < AT_A_TIME; next++) {
            under_way++;
            wspool_clients_connect(clients, all[next].id, wspool_clock());
        }
        take_turn();
    }
}

static void probe(void)
{
    uint64_t until = wspool_clock() + PROBE_TIME;
    say(&all[sender]);
    while (kind == PROBING && wspool_clock() < until) {
        take_turn();
    }
    if (kind == PROBING) {
        kind = contract ? PING : NONE;
    }
}

static void talk(void)
{
    int one = kind == ROOM || kind == PUBLISH;
    uint64_t rate = kind == NONE ? 0 : one ? PER_SECOND : options.connections;
    uint64_t begin = wspool_clock(), end = begin + options.seconds * WSPOOL_SECOND;
    uint64_t said = 0, now;
    while ((now = wspool_clock()) < end) {
        for (; said < (now - begin) / WSPOOL_MILLISECOND * rate / 1000; said++) {
            struct client *client = &all[one ? sender : said % options.connections];
            say(client);
        }
        take_turn();
    }
    report.seconds = (double)(now - begin) / 1e9;
}

static void leave(void)
{
    uint64_t until = wspool_clock() + CLOSING_TIME;
    ending = 1;
    for (unsigned i = 0; i < options.connections; i++) {
        wspool_clients_disconnect(clients, all[i].id, wspool_clock());
    }
    while (wspool_clients_deadline(clients) < UINT64_MAX && wspool_clock() < until) {
        take_turn();
    }
}

/* -------------------------------------------------------------------- main */

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const char *const subprotocols[] = {CONTRACT, NULL};
    wspool_clients_config config;
    int error;

    options = options_from(argc, argv);
    raise_descriptors();
    wspool_clients_config_init(&config);
    config.url = options.url;
    config.subprotocols = subprotocols;
    config.attempts = 1;
    config.status.call = on_status;
    config.message.call = on_message;
    config.token.call = options.token ? on_token : NULL;
    error = wspool_clients_new(&clients, &config, wspool_clock());
    if (error) {
        fail(2, options.url, wspool_strerror(error));
    }
    all = calloc(options.connections, sizeof *all);
    if (wspool_dial_new(&dial, clients, NULL) < 0 || !all) {
        fail(2, options.url, strerror(errno));
    }
    for (unsigned i = 0; i < options.connections; i++) {
        error = wspool_clients_add(clients, &all[i], &all[i].id);
        if (error) {
            fail(1, "client", wspool_strerror(error));
        }
    }
    connect_all();
    if (report.connected > 0) {
        probe();
        talk();
    } else {
        kind = NONE;
    }
    leave();
    report.kind = kinds[kind];
    int good = report_print(&report, &options);
    wspool_dial_free(dial);
    wspool_clients_free(clients);
    free(all);
    return good ? 0 : 1;
}
