/* SPDX-License-Identifier: MIT */
/*
 * sockets/dial.c - see wspool/dial.h.
 *
 * A place for each slot of a client. A place has at most one transport: the library asks for the next
 * only after it has had the one before it closed.
 */
#define _GNU_SOURCE
#include <wspool/dial.h>

#include <errno.h>

#ifdef __linux__
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wspool/watcher.h>
#include <wspool/wspool.h>

#include "sockets/table.h"

#define ADDRESSES 8u
#define EVENTS 256
#define READ_BYTES 65536u

struct place {
    wspool_stream stream; /* 0: none */
    int fd;
    uint8_t connecting;
    uint8_t writing; /* EPOLLOUT is watched for: it connects, or is blocked */
};

struct wspool_dial {
    wspool_clients *clients;
    struct place *places;
    uint32_t count;
    int epoll;
    int error;
    int busy;
    struct sockaddr_storage addresses[ADDRESSES];
    socklen_t lengths[ADDRESSES];
    uint32_t address_count;
    uint32_t next_address;
    uint8_t bytes[READ_BYTES];
};

/* -------------------------------------------------------------- addresses */

static int look_up(wspool_dial *dial, const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    wspool_text host;
    char name[256], service[8];
    unsigned port;
    int secure;

    if (wspool_clients_server(dial->clients, &host, &port, &secure) < 0) {
        return EINVAL;
    }
    if (secure) {
        return ENOTSUP;
    }
    if (address) {
        host = (wspool_text){address, strlen(address)};
    }
    if (host.len >= sizeof name) {
        return EINVAL;
    }
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(name, service, &hints, &list) != 0) {
        return EINVAL;
    }
    for (const struct addrinfo *one = list; one && dial->address_count < ADDRESSES;
         one = one->ai_next) {
        if (one->ai_addrlen <= sizeof dial->addresses[0]) {
            memcpy(&dial->addresses[dial->address_count], one->ai_addr, one->ai_addrlen);
            dial->lengths[dial->address_count++] = one->ai_addrlen;
        }
    }
    freeaddrinfo(list);
    return dial->address_count > 0 ? 0 : EINVAL;
}

/* ------------------------------------------------------------- transports */

static struct place *place_of(const wspool_dial *dial, wspool_stream stream)
{
    uint32_t slot = (uint32_t)(stream & UINT32_MAX);
    return slot < dial->count && dial->places[slot].stream == stream ? &dial->places[slot] : NULL;
}

static void leave(struct place *place)
{
    close(place->fd); /* epoll forgets it */
    *place = (struct place){0};
}

/* The transport has ended, with this errno or by the server. */
static void lose(wspool_dial *dial, struct place *place, int error)
{
    wspool_stream stream = place->stream;
    leave(place);
    dial->error = error;
    wspool_clients_gone(dial->clients, stream, wspool_clock());
    dial->error = 0;
}

static int watch(wspool_dial *dial, const struct place *place, int how)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = place->stream}};
    event.events |= place->writing ? (uint32_t)EPOLLOUT : 0;
    return epoll_ctl(dial->epoll, how, place->fd, &event);
}

static int set_writing(wspool_dial *dial, struct place *place, int writing)
{
    place->writing = (uint8_t)writing;
    return watch(dial, place, EPOLL_CTL_MOD);
}

/* Begins to connect. Returns 0 or an errno. */
static int begin(wspool_dial *dial, struct place *place, wspool_stream stream)
{
    uint32_t which = dial->next_address % dial->address_count;
    const struct sockaddr *address = (const struct sockaddr *)&dial->addresses[which];
    int on = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return errno;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *place = (struct place){.stream = stream, .fd = fd, .connecting = 1, .writing = 1};
    if ((connect(fd, address, dial->lengths[which]) != 0 && errno != EINPROGRESS) ||
        watch(dial, place, EPOLL_CTL_ADD) != 0) {
        int error = errno;
        leave(place);
        return error;
    }
    return 0;
}

static void connect_to(wspool_dial *dial, wspool_stream stream)
{
    uint32_t slot = (uint32_t)(stream & UINT32_MAX);
    struct place *places = wsp_table_reserve(dial->places, &dial->count, slot, sizeof *places);
    dial->places = places ? places : dial->places;
    int error = places ? begin(dial, &places[slot], stream) : ENOMEM;
    if (error) {
        dial->next_address++;
        dial->error = error;
        wspool_clients_gone(dial->clients, stream, wspool_clock());
        dial->error = 0;
    }
}

/* Writes what there is. */
static void flush(wspool_dial *dial, struct place *place)
{
    const void *bytes;
    size_t len;
    if (wspool_clients_peek(dial->clients, place->stream, &bytes, &len) < 0 || len == 0) {
        return;
    }
    ssize_t n = send(place->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose(dial, place, errno);
        return;
    }
    size_t written = n < 0 ? 0 : (size_t)n;
    wspool_clients_ack(dial->clients, place->stream, written, wspool_clock());
    if (written < len && set_writing(dial, place, 1) != 0) {
        lose(dial, place, errno);
    }
}

static void handle(wspool_dial *dial, wspool_stream stream, unsigned events)
{
    struct place *place = place_of(dial, stream);
    if (place && place->connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(place->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            error = errno;
        }
        if (!error && !(events & EPOLLOUT)) {
            return;
        }
        place->connecting = 0;
        if (error || set_writing(dial, place, 0) != 0) {
            dial->next_address++;
            lose(dial, place, error ? error : errno);
            return;
        }
        wspool_clients_connected(dial->clients, stream, wspool_clock());
    } else if (place && place->writing && (events & EPOLLOUT)) {
        if (set_writing(dial, place, 0) != 0) {
            lose(dial, place, errno);
            return;
        }
        wspool_clients_writable(dial->clients, stream);
    }
    if (place && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        ssize_t n = recv(place->fd, dial->bytes, sizeof dial->bytes, 0);
        if (n > 0) {
            wspool_clients_feed(dial->clients, stream, dial->bytes, (size_t)n, wspool_clock());
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose(dial, place, n == 0 ? 0 : errno);
        }
    }
}

/* Does what the clients want. */
static void serve(wspool_dial *dial)
{
    wspool_stream stream;
    wspool_id id;
    unsigned wants;
    while (wspool_clients_next(dial->clients, &stream, &id, &wants) == 1) {
        struct place *place = place_of(dial, stream);
        if (wants & WSPOOL_CLIENT_CONNECT) {
            connect_to(dial, stream);
        } else if (place && (wants & WSPOOL_CLIENT_CLOSE)) {
            leave(place);
        } else if (place) {
            flush(dial, place);
        }
    }
}

int wspool_dial_turn(wspool_dial *dial, uint64_t until)
{
    struct epoll_event events[EVENTS];
    if (!dial || dial->busy) {
        errno = dial ? EBUSY : EINVAL;
        return -1;
    }
    dial->busy = 1;
    serve(dial); /* what was called for between two turns */
    uint64_t due = wspool_clients_deadline(dial->clients);
    due = due < until ? due : until;
    int n =
        epoll_wait(dial->epoll, events, EVENTS, wspool_sockets_ms(due ? wspool_clock() : 0, due));
    int error = n < 0 && errno != EINTR ? errno : 0;
    for (int i = 0; i < n; i++) {
        handle(dial, events[i].data.u64, events[i].events);
    }
    wspool_clients_tick(dial->clients, wspool_clock());
    serve(dial);
    dial->busy = 0;
    errno = error;
    return error ? -1 : 0;
}

/* ------------------------------------------------------------------- life */

int wspool_dial_new(wspool_dial **out, wspool_clients *clients, const char *address)
{
    int error = EINVAL;
    if (!out || !clients) {
        errno = EINVAL;
        return -1;
    }
    *out = NULL;
    wspool_dial *dial = calloc(1, sizeof *dial);
    if (!dial) {
        return -1;
    }
    dial->clients = clients;
    dial->epoll = epoll_create1(EPOLL_CLOEXEC);
    error = dial->epoll < 0 ? errno : look_up(dial, address);
    if (error) {
        wspool_dial_free(dial);
        errno = error;
        return -1;
    }
    *out = dial;
    return 0;
}

int wspool_dial_descriptor(const wspool_dial *dial)
{
    return dial ? dial->epoll : -1;
}

int wspool_dial_error(const wspool_dial *dial)
{
    return dial ? dial->error : 0;
}

void wspool_dial_free(wspool_dial *dial)
{
    if (!dial) {
        return;
    }
    for (uint32_t i = 0; i < dial->count; i++) {
        if (dial->places[i].stream) {
            close(dial->places[i].fd);
        }
    }
    if (dial->epoll >= 0) {
        close(dial->epoll);
    }
    free(dial->places);
    free(dial);
}

#else

int wspool_dial_new(wspool_dial **out, wspool_clients *clients, const char *address)
{
    (void)clients;
    (void)address;
    if (out) {
        *out = NULL;
    }
    errno = ENOSYS;
    return -1;
}

int wspool_dial_turn(wspool_dial *dial, uint64_t until)
{
    (void)dial;
    (void)until;
    errno = EINVAL;
    return -1;
}

int wspool_dial_descriptor(const wspool_dial *dial)
{
    (void)dial;
    return -1;
}

int wspool_dial_error(const wspool_dial *dial)
{
    (void)dial;
    return 0;
}

void wspool_dial_free(wspool_dial *dial)
{
    (void)dial;
}

#endif
