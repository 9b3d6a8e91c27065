/* SPDX-License-Identifier: MIT */
/*
 * host.c - the smallest host: no socket, no loop. One peer connects, and one broadcast goes out.
 * test/abi/install.py builds it as C99 and as C++11 against an installed libwspool.
 */
#include <stdio.h>
#include <string.h>
#include <wspool/wspool.h>

static const char request[] = "GET /room/lobby HTTP/1.1\r\n"
                              "Host: a.example\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static int opened;

static void on_open(wspool *pool, wspool_id id, const wspool_opened *peer, void *user)
{
    (void)pool;
    (void)id;
    (void)user;
    opened += peer->channel.len == 5;
}

/* Takes the pool's output for the peer, as if it had been written. */
static size_t flush(wspool *pool, wspool_id id, char *out, size_t max)
{
    struct iovec vectors[8];
    size_t len = 0;
    int i, count = wspool_peek(pool, id, vectors, 8);
    for (i = 0; i < count && len + vectors[i].iov_len <= max; i++) {
        memcpy(out + len, vectors[i].iov_base, vectors[i].iov_len);
        len += vectors[i].iov_len;
    }
    wspool_ack(pool, id, len, 1);
    return len;
}

int main(void)
{
    wspool_config config;
    wspool *pool = NULL;
    wspool_id id = 0;
    char out[2048];
    size_t len;

    wspool_config_init(&config);
    config.open.call = on_open;
    if (wspool_new(&pool, &config, 0) != WSPOOL_OK ||
        wspool_route(pool, "/room/{name}", WSPOOL_ITEM, NULL) != WSPOOL_OK ||
        wspool_open(pool, NULL, 0, &id) != WSPOOL_OK ||
        wspool_feed(pool, id, request, sizeof(request) - 1, 0) != WSPOOL_OK) {
        return 1;
    }
    len = flush(pool, id, out, sizeof(out));
    if (!opened || len < 12 || memcmp(out, "HTTP/1.1 101", 12) != 0) {
        return 2;
    }
    if (wspool_broadcast(pool, wspool_item("lobby"), "hello", 5, NULL, NULL) != 1) {
        return 3;
    }
    len = flush(pool, id, out, sizeof(out));
    if (len != 7 || memcmp(out, "\x81\x05hello", 7) != 0) {
        return 4;
    }
    wspool_free(pool);
    if (strcmp(wspool_version(), WSPOOL_VERSION) != 0) {
        return 5;
    }
    printf("wspool %s\n", wspool_version());
    return 0;
}
