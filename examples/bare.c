/* SPDX-License-Identifier: MIT */
/* examples/bare.c - the interface naked: on ws://127.0.0.1:9002/room everybody hears everybody. */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <wspool/wspool.h>

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    (void)id, (void)user;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, NULL, NULL);
}

int main(void)
{
    struct sockaddr_in here = {AF_INET, htons(9002), {htonl(INADDR_LOOPBACK)}, {0}};
    struct epoll_event event = {EPOLLIN, {.u64 = 0}}; /* 0, which is no peer: the door */
    int ep = epoll_create1(0), door = socket(AF_INET, SOCK_STREAM, 0);
    wspool *pool;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) ||
        bind(door, (struct sockaddr *)&here, sizeof(here)) || listen(door, 128) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, door, &event) || wspool_new(&pool, &config, wspool_clock()) ||
        wspool_route(pool, "/room", WSPOOL_GLOBAL, NULL))
        return 1;
    for (;;) { /* a loop that sleeps no longer than 50 ms need not ask when the deadline is */
        int ready = epoll_wait(ep, &event, 1, wspool_deadline(pool) ? 50 : 0);
        uint64_t now = wspool_clock(), id = event.data.u64;
        if (ready == 1 && id == 0) {
            int fd = accept(door, NULL, NULL);
            wspool_open_options options = {sizeof(options), .user = (void *)(intptr_t)fd};
            if (fd < 0 || wspool_open(pool, &options, now, &id)) /* NOLINT */
                close(fd);
            epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.u64 = id}});
        } else if (ready == 1 && event.events == EPOLLOUT)
            wspool_writable(pool, id, now);
        else if (ready == 1) {
            char bytes[4096];
            ssize_t n = read((int)(intptr_t)wspool_user(pool, id), bytes, sizeof(bytes));
            n > 0 ? wspool_feed(pool, id, bytes, (size_t)n, now)
                  : wspool_gone(pool, id, n ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF, now);
        }
        wspool_tick(pool, now);
        for (unsigned wants; wspool_next(pool, &id, &wants) == 1;) {
            int fd = (int)(intptr_t)wspool_user(pool, id);
            struct iovec out;
            if (wants & WSPOOL_WRITE && wspool_peek(pool, id, &out, 1) == 1) {
                ssize_t n = send(fd, out.iov_base, out.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
                wspool_ack(pool, id, n < 0 ? 0 : (size_t)n, now);
            }
            uint32_t in = wants & WSPOOL_READ ? EPOLLIN : 0;
            uint32_t full = wspool_peek(pool, id, &out, 1) == 1 ? EPOLLOUT : 0;
            epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){in | full, {.u64 = id}});
            if (wants & WSPOOL_CLOSE)
                close(fd), wspool_release(pool, id);
        }
    }
}
