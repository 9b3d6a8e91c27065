/* SPDX-License-Identifier: MIT */
/*
 * uring/ring.c - the two rings, requests, and the read buffers that all peers share.
 *
 * A ring belongs to one thread, and its completions come when that thread asks for them. Linux 6.1
 * does this best (DEFER_TASKRUN), 6.0 almost as well (COOP_TASKRUN). The rings are made disabled,
 * so that the thread of the first turn, not that of wspool_uring_new, becomes theirs.
 *
 * Reads are multishot into a ring of provided buffers: an idle peer holds none.
 */
#include "uring/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------------- life */

static int make_ring(struct io_uring *ring, unsigned entries, unsigned completions)
{
    const unsigned flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED |
                           IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_TASKRUN_FLAG;
    struct io_uring_params params;
    int result;
    memset(&params, 0, sizeof params);
    params.flags = flags | IORING_SETUP_DEFER_TASKRUN;
    params.cq_entries = completions;
    result = io_uring_queue_init_params(entries, ring, &params);
    if (result == -EINVAL) {
        memset(&params, 0, sizeof params);
        params.flags = flags | IORING_SETUP_COOP_TASKRUN;
        params.cq_entries = completions;
        result = io_uring_queue_init_params(entries, ring, &params);
    }
    if (result < 0) {
        ring->ring_fd = -1;
    }
    return result;
}

/* One allocation: the page of the buffer ring, the buffers, and the scratch buffer. */
static int make_buffers(wspool_uring *loop)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE); /* the buffer ring must begin at a page */
    struct io_uring_buf_reg about;
    int result;

    loop->memory = malloc(2 * page + (size_t)(WSP_URING_BUFFERS + 1) * WSP_URING_BUFFER);
    if (!loop->memory) {
        return -ENOMEM;
    }
    loop->shared = (struct io_uring_buf_ring *)(((uintptr_t)loop->memory + page - 1) / page * page);
    loop->buffers = (unsigned char *)loop->shared + page;
    loop->scratch = wsp_uring_buffer(loop, WSP_URING_BUFFERS);
    memset(&about, 0, sizeof about);
    about.ring_addr = (uint64_t)(uintptr_t)loop->shared;
    about.ring_entries = WSP_URING_BUFFERS;
    result = io_uring_register_buf_ring(&loop->ring, &about, 0);
    if (result == 0) {
        io_uring_buf_ring_init(loop->shared);
        for (unsigned i = 0; i < WSP_URING_BUFFERS; i++) {
            wsp_uring_lend(loop, i);
        }
    }
    return result;
}

int wsp_uring_ring_init(wspool_uring *loop)
{
    int result = make_ring(&loop->ring, WSP_URING_ENTRIES, WSP_URING_COMPLETIONS);
    if (result >= 0) {
        result = make_ring(&loop->sends, WSP_URING_SENDS, 2 * WSP_URING_SENDS);
    }
    if (result >= 0) {
        result = make_buffers(loop);
    }
    return result;
}

void wsp_uring_ring_fini(wspool_uring *loop)
{
    if (loop->sends.ring_fd >= 0) {
        io_uring_queue_exit(&loop->sends);
    }
    if (loop->ring.ring_fd >= 0) {
        io_uring_queue_exit(&loop->ring);
    }
    free(loop->memory);
}

void wsp_uring_ring_enable(wspool_uring *loop)
{
    /* io_uring_enable_rings is missing in the shared liburing of 2.3 */
    int result =
        io_uring_register((unsigned)loop->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (result >= 0) {
        result =
            io_uring_register((unsigned)loop->sends.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    }
    loop->broken = result < 0 ? -result : 0;
    loop->enabled = 1;
}

/* ---------------------------------------------------------------- requests */

int wsp_uring_passes(int error)
{
    return error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

struct io_uring_sqe *wsp_uring_request(wspool_uring *loop, uint64_t id, enum wsp_uring_op op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    int tries = WSP_URING_TRIES;
    while (!sqe && !loop->broken) {
        int result = io_uring_submit(&loop->ring);
        if (result == -EEXIST) {
            errno = EEXIST;
            return NULL;
        }
        if (result < 0 && (!wsp_uring_passes(result) || --tries == 0)) {
            loop->broken = -result;
        }
        sqe = io_uring_get_sqe(&loop->ring);
    }
    if (!sqe) {
        errno = loop->broken;
    } else {
        loop->under_way += op != WSP_URING_CANCEL;
        wsp_uring_nest_set(loop); /* the next turn hands it over */
        sqe->user_data = id | (uint64_t)op << WSP_URING_OP_SHIFT;
    }
    return sqe;
}

void wsp_uring_cancel(wspool_uring *loop, uint64_t id, enum wsp_uring_op op)
{
    struct io_uring_sqe *sqe = wsp_uring_request(loop, 0, WSP_URING_CANCEL);
    if (sqe) {
        io_uring_prep_cancel64(sqe, id | (uint64_t)op << WSP_URING_OP_SHIFT, 0);
        sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    }
}

/* Only a broken ring is an error. It is no error if the kernel takes fewer requests, or none at the
 * moment. */
int wsp_uring_wait(wspool_uring *loop, uint64_t time_left)
{
    struct __kernel_timespec time;
    struct io_uring_cqe *first;
    time.tv_sec = (long long)(time_left / WSPOOL_SECOND);
    time.tv_nsec = (long long)(time_left % WSPOOL_SECOND);
    if (!loop->broken) {
        int result = io_uring_submit_and_wait_timeout(&loop->ring, &first, 1,
                                                      time_left == UINT64_MAX ? NULL : &time, NULL);
        if (result == -EEXIST) { /* the wrong thread: the ring is unchanged */
            errno = EEXIST;
            return -1;
        }
        if (result < 0 && result != -ETIME && !wsp_uring_passes(result)) {
            loop->broken = -result;
        }
    }
    errno = loop->broken;
    return loop->broken ? -1 : 0;
}

void wsp_uring_cancel_all(wspool_uring *loop)
{
    struct io_uring_sqe *sqe;
    int rounds = 50;
    if (!loop->enabled || loop->broken || !(sqe = wsp_uring_request(loop, 0, WSP_URING_CANCEL))) {
        return;
    }
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    while (loop->under_way > 0 && rounds > 0) {
        struct io_uring_cqe *cqe = NULL;
        uint64_t before = loop->under_way;
        if (wsp_uring_wait(loop, WSP_URING_REST) < 0) {
            return;
        }
        while (io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
            uint64_t op = (cqe->user_data & WSP_URING_OP_MASK) >> WSP_URING_OP_SHIFT;
            loop->under_way -= op != WSP_URING_CANCEL && !(cqe->flags & IORING_CQE_F_MORE);
            if (op == WSP_URING_ACCEPT && cqe->res >= 0) {
                close(cqe->res);
            }
            io_uring_cqe_seen(&loop->ring, cqe);
        }
        rounds -= loop->under_way == before; /* count only rounds without a completion */
    }
}

/* ----------------------------------------------------------------- buffers */

unsigned char *wsp_uring_buffer(wspool_uring *loop, unsigned number)
{
    return loop->buffers + (size_t)number * WSP_URING_BUFFER;
}

void wsp_uring_lend(wspool_uring *loop, unsigned number)
{
    io_uring_buf_ring_add(loop->shared, wsp_uring_buffer(loop, number), WSP_URING_BUFFER,
                          (unsigned short)number, io_uring_buf_ring_mask(WSP_URING_BUFFERS), 0);
    io_uring_buf_ring_advance(loop->shared, 1);
}
