/* SPDX-License-Identifier: MIT */
/*
 * sockets/accept.c - see sockets/accept.h.
 *
 * Without descriptors or memory, accept fails at once and the listener stays readable: the loop
 * would spin. So accepting pauses until a transport has closed, or for 100 ms. The connections wait
 * in the backlog. Transports that linger are closed, because new connections matter more.
 */
#include "sockets/accept.h"

#include <errno.h>
#include <unistd.h>

#include "sockets/open.h"
#include "sockets/proxied.h"
#include "sockets/transport.h"

/* Watches all listeners, or none. Returns -1 if the loop has no memory for one of them. */
static int watch_all(wspool_sockets *s, unsigned events)
{
    int result = 0;
    for (int i = 0; i < WSP_LISTENERS; i++) {
        wsp_listener *listener = &s->listeners[i];
        if (listener->fd >= 0 && listener->watched != events) {
            if (wsp_engine_watch(s, listener->fd, events, listener->tag, &listener->handle) < 0) {
                events ? result = -1 : 0;
            } else {
                listener->watched = (uint8_t)events;
            }
        }
    }
    return result;
}

int wsp_accept_add(wspool_sockets *s, int fd)
{
    wsp_listener *listener = s->listeners;
    while (listener < s->listeners + WSP_LISTENERS && listener->fd >= 0) {
        listener++;
    }
    if (listener == s->listeners + WSP_LISTENERS) {
        errno = ENOSPC;
        return -1;
    }
    if (wsp_listen_prepare(fd, &s->tune) < 0) {
        return -1;
    }
    uint64_t place = WSP_TAG_LISTENERS + (uint64_t)(listener - s->listeners);
    *listener =
        (wsp_listener){(uint64_t)++s->generation << 32 | place, NULL, -1, 0, s->proxies != 0};
    if (!s->paused_until) {
        if (wsp_engine_watch(s, fd, WSPOOL_WATCH_READ, listener->tag, &listener->handle) < 0) {
            return -1;
        }
        listener->watched = WSPOOL_WATCH_READ;
    }
    listener->fd = fd;
    return 0;
}

void wsp_accept_remove(wspool_sockets *s, int fd)
{
    for (int i = 0; i < WSP_LISTENERS; i++) {
        wsp_listener *listener = &s->listeners[i];
        if (listener->fd == fd) {
            if (listener->watched) {
                wsp_engine_watch(s, fd, 0, listener->tag, &listener->handle);
            }
            listener->fd = -1;
            wsp_system_close(fd);
        }
    }
}

void wsp_accept_stop(wspool_sockets *s)
{
    watch_all(s, 0);
    for (int i = 0; i < WSP_LISTENERS; i++) {
        if (s->listeners[i].fd >= 0) {
            close(s->listeners[i].fd);
            s->listeners[i].fd = -1;
        }
    }
    s->paused_until = 0;
}

void wsp_accept_resume(wspool_sockets *s)
{
    if (s->paused_until <= s->now) {
        s->paused_until = watch_all(s, WSPOOL_WATCH_READ) < 0 ? s->now + WSP_SOCKETS_REST : 0;
    }
}

static void rest(wspool_sockets *s)
{
    s->paused_until = s->now + WSP_SOCKETS_REST;
    watch_all(s, 0);
    wsp_transport_expire(s, WSP_LINGER_ALL_DUE); /* new connections matter more */
}

/* Accepts as many connections as came the last time, and twice as many if more were there. So the
 * call that finds none, which costs as much as the others, is rare. What is left comes in the next
 * turn. A hook may stop listening in between. */
void wsp_accept_event(wspool_sockets *s, uint64_t tag)
{
    wsp_listener *listener = &s->listeners[(uint32_t)tag - WSP_TAG_LISTENERS];
    int came = 0, batch = s->batch > 0 ? s->batch : 1;
    wspool_id id;

    s->batch = 2 * batch < WSP_SOCKETS_BATCH ? 2 * batch : WSP_SOCKETS_BATCH;
    while (batch-- > 0 && listener->fd >= 0 && listener->tag == tag && listener->watched) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int fd = s->addresses ? wsp_system_accept(listener->fd, (struct sockaddr *)&from, &len)
                              : wsp_system_accept(listener->fd, NULL, NULL);
        if (fd >= 0) {
            came++;
            s->accepted++;
            if (listener->proxied) {
                wsp_proxied_add(s, fd);
            } else {
                (void)wsp_open_peer(s, fd, &from, NULL, &id); /* or turned away */
            }
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            s->batch = came;
            return;
        } else if (!wsp_system_next_may_come(errno)) {
            rest(s);
            return;
        }
    }
}
