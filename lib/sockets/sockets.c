/* SPDX-License-Identifier: MIT */
/*
 * sockets/sockets.c - see wspool/sockets.h: life, turns, and what the loop calls.
 *
 * A turn begins with its first event, which reads the clock. It ends in wspool_sockets_turn: tick,
 * flush, close transports that have lingered long enough, accept again, set the timer. A publish, a
 * close or a new peer outside of a turn may make the pool's deadline earlier. Then the pool calls
 * deadline_moved, which sets the timer, so the host has nothing to do.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sockets/accept.h"
#include "sockets/address.h"
#include "sockets/engine.h"
#include "sockets/open.h"
#include "sockets/proxied.h"
#include "sockets/transport.h"

/* --------------------------------------------------------------------- timer */

#define TIMER_SPENT (UINT64_MAX - 1) /* the timer has fired: it must be set again */

static void set_timer(wspool_sockets *s, uint64_t when)
{
    if (s->timer != when) {
        s->timer = when;
        s->watcher.timer(s->watcher.loop, when);
    }
}

/* Returns the time of the next turn. */
static uint64_t deadline(const wspool_sockets *s)
{
    uint64_t when = wspool_deadline(s->pool);
    if (s->paused_until && s->paused_until < when) {
        when = s->paused_until;
    }
    when = s->look_at < when ? s->look_at : when;
    when = s->waiting.count > 0 && s->waiting.next < when ? s->waiting.next : when;
    return s->lingering.count > 0 && s->lingering.next < when ? s->lingering.next : when;
}

/* The hook config.deadline, on the pool's thread. A turn sets the timer at its end. */
static void deadline_moved(void *user)
{
    wspool_sockets *s = user;
    if (!s->inside) {
        set_timer(s, deadline(s));
    }
}

int wspool_sockets_ms(uint64_t now, uint64_t when)
{
    uint64_t ms = when <= now ? 0 : (when - now - 1) / WSPOOL_MILLISECOND + 1;
    return when == UINT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* --------------------------------------------------------------------- turns */

static int enter(wspool_sockets *s)
{
    if (!s || s->inside) {
        return 0;
    }
    s->inside = 1;
    s->now = s->now ? s->now : wspool_clock();
    return 1;
}

void wspool_sockets_ready(wspool_sockets *s, uint64_t tag, unsigned events)
{
    uint32_t low = (uint32_t)tag;
    if (!enter(s)) {
        return;
    }
    if (tag == WSP_TAG_WAKER) {
        wsp_waker_clear(&s->waker);
    } else if (low >= WSP_TAG_LISTENERS && low - WSP_TAG_LISTENERS < WSP_LISTENERS) {
        wsp_accept_event(s, tag);
    } else if (low >= WSP_TAG_PROXIED) {
        wsp_proxied_event(s, tag, events);
    } else {
        wsp_transport_event(s, tag, events);
    }
    s->inside = 0;
    if (!(s->watcher.flags & WSPOOL_WATCHER_TURNS)) {
        set_timer(s, 0);
    }
}

void wspool_sockets_turn(wspool_sockets *s)
{
    if (!enter(s)) {
        return;
    }
    if (!(s->watcher.flags & WSPOOL_WATCHER_TURNS)) {
        s->timer = TIMER_SPENT;
    }
    wspool_tick(s->pool, s->now);
    if (s->look_at <= s->now) {
        wsp_transport_look(s);
    }
    wsp_transport_flush(s);
    if (s->lingering.count > 0) {
        wsp_transport_expire(s, s->now);
    }
    if (s->waiting.count > 0 && s->waiting.next <= s->now) {
        wsp_proxied_expire(s);
    }
    if (s->paused_until) {
        wsp_accept_resume(s);
    }
    if (s->done && wspool_sockets_drained(s)) {
        void (*done)(wspool_sockets *, void *) = s->done;
        s->done = NULL;
        done(s, s->done_user);
    }
    s->now = 0;
    s->inside = 0;
    set_timer(s, deadline(s));
}

/* ---------------------------------------------------------------- transports */

int wspool_sockets_listen(wspool_sockets *s, const char *address, unsigned port)
{
    int fds[WSP_LISTENERS], count = s ? wsp_listen_open(address, port, fds) : 0;
    if (count <= 0) {
        errno = s ? errno : EINVAL;
        return -1;
    }
    int taken = wsp_listen_port(fds[0]), added = 0;
    while (added < count && wsp_accept_add(s, fds[added]) == 0) {
        added++;
    }
    if (added == count) {
        return taken;
    }
    for (int i = 0; i < count; i++) {
        i < added ? wsp_accept_remove(s, fds[i]) : wsp_system_close(fds[i]);
    }
    return -1;
}

int wspool_sockets_adopt_listener(wspool_sockets *s, int fd)
{
    if (!s) {
        errno = EINVAL;
        return -1;
    }
    return wsp_accept_add(s, fd);
}

void wspool_sockets_stop_listening(wspool_sockets *s)
{
    if (s) {
        wsp_accept_stop(s);
    }
}

void wspool_sockets_kernel_bytes(wspool_sockets *s, size_t bytes)
{
    for (int i = 0; s && i < WSP_LISTENERS; i++) {
        if (s->listeners[i].fd >= 0) {
            wsp_tune_set(&(wsp_tune){bytes, 0}, s->listeners[i].fd);
        }
    }
    if (s) {
        s->tune.output = bytes;
    }
}

void wspool_sockets_limit(const wspool_sockets *s, int fd)
{
    if (s) {
        wsp_tune_set(&s->tune, fd);
    }
}

void wspool_sockets_addresses(wspool_sockets *s, int on)
{
    if (s) {
        s->addresses = on;
    }
}

void wspool_sockets_proxied(wspool_sockets *s, int on)
{
    if (s) {
        s->proxies = on;
        s->addresses |= on;
    }
}

int wspool_sockets_add(wspool_sockets *s, int fd, void *user, wspool_id *id)
{
    wspool_id ignored;
    if (!s || fd < 0) {
        errno = s ? EBADF : EINVAL;
        return -1;
    }
    return wsp_open_peer(s, fd, NULL, user, id ? id : &ignored);
}

int wspool_sockets_adopt(wspool_sockets *s, wspool_id id, int fd, const void *bytes, size_t len)
{
    uint64_t now = wspool_clock();
    if (!s) {
        errno = EINVAL;
        return -1;
    }
    int error = fd < 0 ? EBADF : wspool_adopt(s->pool, id, bytes, len, now);
    error = error < 0 ? wsp_system_errno(error) : error;
    if (error == 0) {
        if (wsp_transport_add(s, id, fd, 1) == 0) {
            return 0;
        }
        error = errno;
    }
    wspool_gone(s->pool, id, WSPOOL_GONE_FAILED, now); /* wspool_next reports it with CLOSE */
    if (fd >= 0) {
        close(fd);
    }
    s->turned_away++;
    errno = error;
    return -1;
}

int wspool_sockets_descriptor(const wspool_sockets *s, wspool_id id)
{
    const wsp_transport *peer = s && id >> 32 ? wsp_transport_find(s, id) : NULL;
    if (!peer) {
        errno = ENOENT;
        return -1;
    }
    return peer->fd;
}

uint32_t wspool_sockets_count(const wspool_sockets *s)
{
    return s ? s->count : 0;
}

int wspool_sockets_stats_read(const wspool_sockets *s, wspool_sockets_stats *stats)
{
    if (!s || !stats || stats->size < sizeof *stats) {
        errno = EINVAL;
        return -1;
    }
    size_t size = stats->size;
    uint32_t listeners = 0;
    for (int i = 0; i < WSP_LISTENERS; i++) {
        listeners += s->listeners[i].fd >= 0;
    }
    *stats = (wspool_sockets_stats){
        size,        s->count,      s->lingering.count, listeners, s->paused_until != 0,
        s->accepted, s->turned_away};
    return 0;
}

/* ---------------------------------------------------------------------- life */

wspool *wspool_sockets_pool(const wspool_sockets *s)
{
    return s ? s->pool : NULL;
}

void *wspool_sockets_loop(const wspool_sockets *s)
{
    return s ? s->watcher.loop : NULL;
}

void wspool_sockets_wake(wspool_sockets *s)
{
    if (s) {
        wsp_waker_wake(&s->waker);
    }
}

void wspool_sockets_quit(wspool_sockets *s)
{
    if (s) {
        s->quit = 1;
        wsp_waker_wake(&s->waker);
    }
}

int wspool_sockets_goes_on(wspool_sockets *s, uint64_t until)
{
    return s && !atomic_exchange(&s->quit, 0) && !wspool_sockets_drained(s) &&
           (until == UINT64_MAX || wspool_clock() < until);
}

/* config.wake: any thread. */
static void wake(void *user)
{
    wspool_sockets_wake(user);
}

int wspool_sockets_drain(wspool_sockets *s, uint64_t window, int code,
                         void (*done)(wspool_sockets *sockets, void *user), void *user)
{
    int error = s ? wspool_drain(s->pool, window, code, wspool_clock()) : WSPOOL_ERR_INVAL;
    if (error < 0) {
        errno = wsp_system_errno(error);
        return -1;
    }
    wsp_accept_stop(s);
    wsp_proxied_close_all(s);
    s->draining = 1;
    wsp_linger_shorten(&s->lingering, wspool_clock() + wsp_linger_time(s->linger, 1));
    s->done = done;
    s->done_user = user;
    wspool_sockets_wake(s); /* if no transport is open, nothing else causes a turn */
    return 0;
}

int wspool_sockets_drained(const wspool_sockets *s)
{
    return s && s->draining && s->count == 0;
}

/* Frees what exists and leaves the loop. The pool is freed already, or was not made. */
static void engine_free(wspool_sockets *s)
{
    wspool_watcher watcher = s->watcher;
    wsp_accept_stop(s);
    wsp_proxied_close_all(s);
    wsp_transport_close_all(s);
    if (s->waker.read_fd >= 0) {
        wsp_engine_watch(s, s->waker.read_fd, 0, WSP_TAG_WAKER, &s->waker_handle);
        wsp_waker_fini(&s->waker);
    }
    set_timer(s, UINT64_MAX);
    free(s->peers);
    free(s->waiting.places);
    free(s->buffer);
    free(s);
    if (watcher.stop) {
        watcher.stop(watcher.loop);
    }
}

int wspool_sockets_free(wspool_sockets *s)
{
    if (!s) {
        return 0;
    }
    if (s->inside) {
        errno = EBUSY;
        return -1;
    }
    s->inside = 1; /* close hooks must not set the timer */
    if (wspool_free(s->pool) < 0) {
        s->inside = 0;
        errno = EBUSY;
        return -1;
    }
    engine_free(s);
    return 0;
}

/* Copies the host's configuration to `out` and adds the engine's hooks. */
static int configure(wspool_sockets *s, const wspool_config *config, wspool_config *out)
{
    wspool_config_init(out);
    if (config) {
        if (config->size > sizeof *out || config->size < sizeof config->size) {
            return -1;
        }
        memcpy(out, config, config->size);
        out->size = sizeof *out;
    }
    if (out->wake.call || out->deadline.call) {
        return -1;
    }
    out->wake.call = wake;
    out->wake.user = s;
    out->deadline.call = deadline_moved;
    out->deadline.user = s;
    s->addresses = wsp_address_is_needed(out);
    s->linger = out->closing_time;
    s->handshake_time = out->handshake_time;
    s->tune = wsp_tune_of(out);
    s->burst = 3 * (size_t)out->queue_messages; /* the smallest message takes 6 bytes */
    if (s->burst == 0 || s->burst > WSP_SOCKETS_READ) {
        s->burst = WSP_SOCKETS_READ;
    }
    return 0;
}

static int watch_waker(wspool_sockets *s)
{
    if (wsp_waker_init(&s->waker) < 0) {
        return -1;
    }
    if (wsp_engine_watch(s, s->waker.read_fd, WSPOOL_WATCH_READ, WSP_TAG_WAKER, &s->waker_handle) <
        0) {
        wsp_waker_fini(&s->waker);
        return -1;
    }
    return 0;
}

/* Makes the parts of the engine. On failure engine_free frees those that exist. */
static int engine_init(wspool_sockets *s, const wspool_config *config)
{
    wspool_config configured;
    s->timer = s->look_at = UINT64_MAX;
    s->waker.read_fd = s->waker.write_fd = -1;
    for (int i = 0; i < WSP_LISTENERS; i++) {
        s->listeners[i].fd = -1;
    }
    if (!s->watcher.watch || !s->watcher.timer || configure(s, config, &configured) < 0) {
        errno = EINVAL;
        return -1;
    }
    s->buffer = malloc(WSP_SOCKETS_READ);
    if (!s->buffer || watch_waker(s) < 0) {
        return -1;
    }
    int error = wspool_new(&s->pool, &configured, wspool_clock());
    if (error < 0) {
        errno = wsp_system_errno(error);
        return -1;
    }
    return 0;
}

int wspool_sockets_new(wspool_sockets **out, const wspool_config *config,
                       const wspool_watcher *watcher)
{
    if (!out || !watcher || watcher->size < sizeof *watcher) {
        errno = EINVAL;
        return -1;
    }
    *out = NULL;
    wspool_sockets *s = calloc(1, sizeof *s);
    int error = ENOMEM;
    if (s) {
        s->watcher = *watcher;
        if (engine_init(s, config) == 0) {
            *out = s;
            return 0;
        }
        error = errno;
        engine_free(s);
    } else if (watcher->stop) {
        watcher->stop(watcher->loop);
    }
    errno = error;
    return -1;
}
