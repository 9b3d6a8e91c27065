/* SPDX-License-Identifier: MIT */
/* connections.c - see connections.h. */
#define _GNU_SOURCE
#include "connections.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "glue.h"

#define REQUEST_TIME (10 * WSPOOL_SECOND)

static void unlink_it(struct connections *connections, struct connection *connection)
{
    if (connection->before) {
        connection->before->behind = connection->behind;
        connection->behind->before = connection->before;
        connection->before = connection->behind = NULL;
        connections->count--;
    }
}

static void append(struct connections *connections, struct connection *connection)
{
    connection->since = wspool_clock();
    connection->before = connections->ends.before;
    connection->behind = &connections->ends;
    connection->before->behind = connections->ends.before = connection;
    connections->count++;
}

/* libmicrohttpd has no call that ends a connection. It sees the end of the stream, and closes. */
static void cut_off(struct connections *connections, struct connection *connection)
{
    unlink_it(connections, connection);
    shutdown(connection->fd, SHUT_RDWR);
    if (connection->give_up) {
        connection->give_up(connection->user);
    }
}

/* Makes room for a new connection from `address`. */
static void make_room(struct connections *connections, uint64_t address)
{
    struct connection *each, *oldest = NULL;
    unsigned same = 0;

    for (each = connections->ends.behind; each != &connections->ends; each = each->behind) {
        if (each->address == address) {
            oldest = oldest ? oldest : each;
            same++;
        }
    }
    if (oldest && connections->most_per_address > 0 && same >= connections->most_per_address) {
        cut_off(connections, oldest);
    } else if (connections->count >= connections->most) {
        cut_off(connections, connections->ends.behind);
    }
}

/* FNV-1a. Addresses with the same hash share their limit. */
static uint64_t hash(wspool_text text)
{
    uint64_t value = 0xcbf29ce484222325;
    size_t i;
    for (i = 0; i < text.len; i++) {
        value = (value ^ (unsigned char)text.data[i]) * 0x100000001b3;
    }
    return value;
}

static struct connection *connection_of(struct MHD_Connection *http)
{
    return MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void connections_init(struct connections *connections, unsigned most, unsigned most_per_address)
{
    *connections = (struct connections){.most = most, .most_per_address = most_per_address};
    connections->ends.before = connections->ends.behind = &connections->ends;
}

void connections_notify(void *cls, struct MHD_Connection *http, void **context,
                        enum MHD_ConnectionNotificationCode what)
{
    struct connections *connections = cls;
    struct connection *connection = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = connection = calloc(1, sizeof(*connection));
        if (connection) { /* else it stays until libmicrohttpd's own timeout */
            connection->fd =
                MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
            connection->address = hash(glue_client(http));
            make_room(connections, connection->address);
            append(connections, connection);
        }
    } else if (connection) {
        unlink_it(connections, connection);
        free(connection);
        *context = NULL;
    }
}

void connections_answered(struct connections *connections, struct MHD_Connection *http)
{
    struct connection *connection = connection_of(http);
    if (connection && connection->before) {
        unlink_it(connections, connection);
        append(connections, connection);
    }
    if (connection) {
        connection->give_up = NULL;
    }
}

int connections_wait(struct connections *connections, struct MHD_Connection *http,
                     void (*give_up)(void *user), void *user)
{
    struct connection *connection = connection_of(http);
    if (!connection || !connection->before) {
        return 0;
    }
    connections_answered(connections, http);
    connection->give_up = give_up;
    connection->user = user;
    return 1;
}

void connections_leave(struct connections *connections, struct MHD_Connection *http)
{
    struct connection *connection = connection_of(http);
    if (connection) {
        unlink_it(connections, connection);
    }
}

void connections_tick(struct connections *connections, uint64_t now)
{
    while (connections_deadline(connections) <= now) {
        struct connection *first = connections->ends.behind;
        if (first->give_up) {
            unlink_it(connections, first);
            append(connections, first);
        } else {
            cut_off(connections, first);
        }
    }
}

uint64_t connections_deadline(const struct connections *connections)
{
    return connections->count > 0 ? connections->ends.behind->since + REQUEST_TIME : UINT64_MAX;
}
