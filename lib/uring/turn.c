/* SPDX-License-Identifier: MIT */
/*
 * uring/turn.c - completions, one turn, and run.
 *
 * A turn is two system calls, however many peers take part in it: one hands over the
 * requests and waits for the first completion, one carries all writes.
 */
#include "uring/internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

/* ------------------------------------------------------------------ waking */

void wspool_uring_wake(wspool_uring *loop)
{
    if (loop) {
        wsp_waker_wake(&loop->waker);
    }
}

void wspool_uring_quit(wspool_uring *loop)
{
    if (loop) {
        loop->quit = 1;
        wsp_waker_wake(&loop->waker);
    }
}

static void await_wake(wspool_uring *loop)
{
    struct io_uring_sqe *sqe = wsp_uring_request(loop, 0, WSP_URING_WAKE);
    if (sqe) {
        io_uring_prep_poll_multishot(sqe, loop->waker.read_fd, POLLIN);
    }
}

/* ------------------------------------------------------------------- turns */

/* The first turn. Requests what add and listen have prepared before it. */
static void begin(wspool_uring *loop)
{
    wsp_uring_ring_enable(loop);
    await_wake(loop);
    wsp_uring_await_newcomers(loop);
    for (uint32_t slot = 0; slot < loop->room; slot++) {
        if (loop->peers[slot].id) {
            wsp_uring_ask(loop, &loop->peers[slot]);
        }
    }
}

static void completed(wspool_uring *loop, const struct io_uring_cqe *cqe, uint64_t now)
{
    enum wsp_uring_op op =
        (enum wsp_uring_op)((cqe->user_data & WSP_URING_OP_MASK) >> WSP_URING_OP_SHIFT);
    uint64_t id = cqe->user_data & ~WSP_URING_OP_MASK;

    if (op == WSP_URING_CANCEL) {
        return;
    }
    loop->under_way -= !(cqe->flags & IORING_CQE_F_MORE);
    if (op == WSP_URING_ACCEPT) {
        wsp_uring_accepted(loop, id, cqe, now);
    } else if (op == WSP_URING_PLACE && id < WSP_LINGER_PLACES) {
        wsp_uring_lingers_on(loop, id, cqe->res);
    } else if (op == WSP_URING_PLACE) {
        wsp_uring_proxied_event(loop, id, cqe->res, now);
    } else if (op != WSP_URING_WAKE) {
        wsp_uring_peer_completed(loop, id, op, cqe, now);
    } else {
        wsp_waker_clear(&loop->waker);
        if (!(cqe->flags & IORING_CQE_F_MORE)) {
            await_wake(loop);
        }
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        wsp_uring_lend(loop, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    }
}

/* Returns the milliseconds from `now` to `when`, rounded up, or -1 (no bound) for UINT64_MAX. */
static int milliseconds(uint64_t now, uint64_t when)
{
    uint64_t ms = when <= now ? 0 : (when - now - 1) / WSPOOL_MILLISECOND + 1;
    return when == UINT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

int wspool_uring_drained(const wspool_uring *loop)
{
    return loop && loop->draining && loop->count == 0;
}

static void handle_completions(wspool_uring *loop, uint64_t now)
{
    /* Handles only the completions that are there now. Later ones wait for the next turn. */
    for (unsigned count = io_uring_cq_ready(&loop->ring); count > 0; count--) {
        struct io_uring_cqe *cqe = NULL, copy;
        if (io_uring_peek_cqe(&loop->ring, &cqe) < 0) {
            break;
        }
        memcpy(&copy, cqe, sizeof copy);
        io_uring_cqe_seen(&loop->ring, cqe);
        completed(loop, &copy, now);
    }
    wspool_tick(loop->pool, now);
    wsp_uring_flush(loop, now);
    wsp_uring_expire(loop, now);
    wsp_uring_proxied_expire(loop, now);
    if (loop->paused_until && loop->paused_until <= now) {
        loop->paused_until = 0;
        wsp_uring_await_newcomers(loop);
    }
    if (wspool_uring_drained(loop) && !loop->drained) {
        loop->drained = 1;
        if (loop->done) {
            loop->done(loop, loop->done_user);
        }
    }
}

int wspool_uring_turn(wspool_uring *loop, int max_ms)
{
    if (!loop || loop->turning) {
        errno = loop ? EBUSY : EINVAL;
        return -1;
    }
    uint64_t then = wsp_uring_deadline(loop), wait = then, now;
    if (then > 0 && then < UINT64_MAX) {
        now = wspool_clock();
        wait = then > now ? then - now : 0;
    }
    if (max_ms >= 0 && wait > (uint64_t)max_ms * WSPOOL_MILLISECOND) {
        wait = (uint64_t)max_ms * WSPOOL_MILLISECOND;
    }
    if (!loop->enabled) {
        begin(loop);
    }
    if (wsp_uring_wait(loop, wait) < 0) {
        return -1;
    }
    wsp_uring_nest_clear(loop);
    loop->turning = 1;
    loop->turns++;
    handle_completions(loop, wspool_clock());
    loop->turning = 0;
    wsp_uring_nest_set(loop);
    errno = loop->broken;
    return loop->broken ? -1 : 0;
}

int wspool_uring_run(wspool_uring *loop, uint64_t until)
{
    uint64_t now;
    int result = 0;
    while (result == 0 && !atomic_exchange(&loop->quit, 0) && !wspool_uring_drained(loop) &&
           (now = wspool_clock()) < until) {
        result = wspool_uring_turn(loop, milliseconds(now, until));
    }
    return result;
}
