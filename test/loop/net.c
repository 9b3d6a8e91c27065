/* SPDX-License-Identifier: MIT */
/* loop/net.c - see loop/net.h. */
#define _GNU_SOURCE
#include "net.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ----------------------------------------------------------------- clients */

void net_client_connect(net_client *client, unsigned port, int receive_bytes)
{
    struct sockaddr_in there;
    memset(client, 0, sizeof(*client));
    memset(&there, 0, sizeof(there));
    there.sin_family = AF_INET;
    there.sin_port = htons((uint16_t)port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail_msg("socket: %s", strerror(errno));
    if (receive_bytes > 0 &&
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)) < 0)
        fail_msg("SO_RCVBUF: %s", strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&there, sizeof(there)) < 0 && errno != EINPROGRESS)
        fail_msg("connect: %s", strerror(errno));
}

void net_client_request(net_client *client, const char *target)
{
    client_request request = {.target = target};
    client_put_request(&client->out, &request);
}

void net_client_open(net_client *client, unsigned port, const char *target)
{
    net_client_connect(client, port, 0);
    net_client_request(client, target);
}

void net_client_frame(net_client *client, unsigned first, const void *payload, size_t len)
{
    client_frame frame = {.first = first, .payload = payload, .len = len, .key = 0x37fa213du};
    client_put_frame(&client->out, &frame);
}

void net_client_text(net_client *client, const void *text, size_t len)
{
    net_client_frame(client, FIN | OP_TEXT, text, len);
}

void net_client_kill(net_client *client, enum net_kill how)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (how == NET_KILL_RST)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client->fd);
    client->fd = -1;
}

void net_client_free(net_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    blob_free(&client->out);
    reader_free(&client->in);
    memset(client, 0, sizeof(*client));
    client->fd = -1;
}

static void write_some(net_client *client)
{
    while (client->sent < client->out.len) {
        ssize_t n = send(client->fd, client->out.data + client->sent,
                         client->out.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            /* A broken pipe is found again when reading: what came before it counts. */
            return;
        }
        client->sent += (size_t)n;
    }
    client->out.len = client->sent = 0;
}

static void read_some(net_client *client)
{
    static uint8_t bytes[16384];
    while (client->end == NET_HERE) {
        ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            reader_take(&client->in, bytes, (size_t)n);
        } else if (n == 0) {
            client->end = NET_FIN;
            shutdown(client->fd, SHUT_WR); /* and so does the client, when it has heard of it */
        } else if (errno == EAGAIN || errno == ENOTCONN) { /* ENOTCONN: not connected yet */
            return;
        } else {
            client->end = NET_RESET;
        }
    }
}

static void answer(net_client *client)
{
    for (; client->answered < client->in.count; client->answered++) {
        const got *g = &client->in.list[client->answered];
        if (!client->silent && g->op == OP_PING)
            net_client_frame(client, FIN | OP_PONG, g->data, g->len);
        if (!client->silent && g->op == OP_CLOSE)
            net_client_frame(client, FIN | OP_CLOSE, g->data, g->len < 2 ? 0 : 2);
    }
}

void net_client_turn(net_client *client)
{
    if (client->fd < 0)
        return;
    write_some(client);
    if (!client->deaf) {
        read_some(client);
        answer(client);
        write_some(client);
    }
}

void net_fill(uint8_t *bytes, size_t len, unsigned seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes[i] = (uint8_t)x;
    }
}

int net_patient(uint64_t *since)
{
    if (*since == 0)
        *since = wspool_clock();
    if (wspool_clock() - *since > NET_PATIENCE)
        fail_msg("nothing happens any more");
    return 1;
}

int net_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* ------------------------------------------------------------------ faults */

unsigned net_waits;
uint64_t net_wait_time;
int net_accept_errors[8], net_send_errors[8];
size_t net_send_most;

int net_next_error(int *errors)
{
    int error = errors[0];
    if (error != 0)
        memmove(errors, errors + 1, 7 * sizeof(*errors));
    return error;
}

struct msghdr net_shortened(const struct msghdr *message, struct iovec *vector)
{
    struct msghdr shorter = *message;
    if (net_send_most > 0) {
        *vector = message->msg_iov[0];
        if (vector->iov_len > net_send_most)
            vector->iov_len = net_send_most;
        shorter.msg_iov = vector;
        shorter.msg_iovlen = 1;
    }
    return shorter;
}

/* ------------------------------------------------------------------- books */

struct wspool_stats net_stats(const wspool *pool)
{
    struct wspool_stats stats;
    memset(&stats, 0, sizeof(stats));
    stats.size = sizeof(stats);
    assert_int_equal(wspool_stats(pool, &stats), 0);
    return stats;
}

void net_assert_books(const wspool *pool)
{
    struct wspool_stats s = net_stats(pool);
    uint64_t refused = 0, ended = 0;
    assert_int_equal(wspool_check(pool), 0);
    for (size_t i = 0; i < WSPOOL_STATS_REFUSALS; i++)
        refused += s.refused[i];
    for (size_t i = 0; i < WSPOOL_STATS_ENDS; i++)
        ended += s.ended[i];
    assert_int_equal(s.attempts, s.accepted + refused + s.handshakes);
    assert_int_equal(s.accepted, s.peers + ended);
    assert_int_equal(s.deliveries, s.queued + s.dropped_newest + s.slow_closes);
    assert_int_equal(s.queued, s.sent + s.dropped_oldest + s.dropped_closed + s.waiting);
}
