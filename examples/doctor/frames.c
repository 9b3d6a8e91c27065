/* SPDX-License-Identifier: MIT */
/*
 * frames.c - see frames.h.
 *
 * A turn is one read and what wslay answers to it, so what waits to be written is bounded by the
 * bytes of one read.
 */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include <wspool/wspool.h>

/* ------------------------------------------------------- callbacks of wslay */

static ssize_t on_read(wslay_event_context_ptr ws, uint8_t *bytes, size_t len, int flags,
                       void *user)
{
    struct frames *frames = user;
    (void)flags;
    if (frames->has_read) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    frames->has_read = 1;
    if (frames->first_len > 0) {
        len = len < frames->first_len ? len : frames->first_len;
        memcpy(bytes, frames->first, len);
        frames->first += len;
        frames->first_len -= len;
        return (ssize_t)len;
    }
    long n = transport_read(frames->t, bytes, len, frames->until);
    if (n > 0) {
        return n;
    }
    if (n != READ_TIMEOUT) {
        frames->ending = n == READ_END ? END_FIN : END_RESET;
    }
    wslay_event_set_error(ws,
                          n == READ_TIMEOUT ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_write(wslay_event_context_ptr ws, const uint8_t *bytes, size_t len, int flags,
                        void *user)
{
    struct frames *frames = user;
    (void)flags;
    if (transport_write(frames->t, bytes, len, frames->until) == 0) {
        return (ssize_t)len;
    }
    wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr ws, uint8_t *bytes, size_t len, void *user)
{
    (void)ws;
    (void)user;
    return RAND_bytes(bytes, (int)len) == 1 ? 0 : -1;
}

static void on_frame(wslay_event_context_ptr ws,
                     const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
    struct frames *frames = user;
    (void)ws;
    frames->in_close = arg->opcode == WSLAY_CONNECTION_CLOSE;
}

static void on_chunk(wslay_event_context_ptr ws,
                     const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
    struct frames *frames = user;
    (void)ws;
    for (size_t i = 0; frames->in_close && i < arg->data_length; i++) {
        if (frames->close_len < sizeof frames->close) {
            frames->close[frames->close_len++] = arg->data[i];
        }
    }
}

static void take_close(struct frames *frames)
{
    size_t len = frames->close_len;
    frames->ending = len == 1 ? END_BROKEN : END_CLOSE; /* half a code: section 5.5.1 */
    frames->code =
        len >= 2 ? (unsigned)(frames->close[0] << 8 | frames->close[1]) : WSPOOL_CLOSE_NO_STATUS;
    snprintf(frames->reason, sizeof frames->reason, "%.*s", len > 2 ? (int)len - 2 : 0,
             (const char *)frames->close + 2);
}

/* wslay 1.1.1 does not know the codes 1012 to 1014 of the IANA registry, and takes a Close with one
 * of them for a broken frame. */
static int is_known_close(const struct frames *frames)
{
    return frames->close_len >= 2 && frames->close[0] == WSPOOL_CLOSE_RESTART >> 8 &&
           frames->close[1] >= (WSPOOL_CLOSE_RESTART & 255) &&
           frames->close[1] <= (WSPOOL_CLOSE_TRY_LATER & 255) + 1;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    struct frames *frames = user;
    (void)ws;
    frames->pongs += arg->opcode == WSLAY_PONG;
    frames->pings += arg->opcode == WSLAY_PING;
    if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        take_close(frames);
    }
}

/* -------------------------------------------------------------------- calls */

int frames_init(struct frames *frames, struct transport *t, int compressed, const char *first,
                size_t first_len)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_read,
                                                           .send_callback = on_write,
                                                           .genmask_callback = on_mask,
                                                           .on_frame_recv_start_callback = on_frame,
                                                           .on_frame_recv_chunk_callback = on_chunk,
                                                           .on_msg_recv_callback = on_message};
    *frames = (struct frames){.t = t, .first = first, .first_len = first_len};
    if (wslay_event_context_client_init(&frames->ws, &callbacks, frames)) {
        return -1;
    }
    wslay_event_config_set_no_buffering(frames->ws, 1);
    wslay_event_config_set_max_recv_msg_length(frames->ws, UINT64_MAX >> 1);
    wslay_event_config_set_allowed_rsv_bits(frames->ws,
                                            compressed ? WSLAY_RSV1_BIT : WSLAY_RSV_NONE);
    return 0;
}

void frames_fini(struct frames *frames)
{
    wslay_event_context_free(frames->ws);
    frames->ws = NULL;
}

void frames_read(struct frames *frames, unsigned pongs, uint64_t until)
{
    frames->until = until;
    while (frames->ending == END_NONE && frames->pongs < pongs && wspool_clock() < until) {
        frames->has_read = 0;
        int failed = wslay_event_recv(frames->ws);
        if (frames->ending == END_NONE && (failed || !wslay_event_get_read_enabled(frames->ws))) {
            frames->ending = END_BROKEN;
            if (is_known_close(frames)) {
                take_close(frames);
            }
        }
        (void)wslay_event_send(frames->ws); /* if that fails, the next read says why */
    }
}

void frames_ping(struct frames *frames, uint64_t until)
{
    static const struct wslay_event_msg ping = {WSLAY_PING, (const uint8_t *)"doctor", 6};
    frames->until = until;
    if (wslay_event_queue_msg(frames->ws, &ping) == 0) {
        (void)wslay_event_send(frames->ws);
    }
}

void frames_close(struct frames *frames, uint64_t until)
{
    frames->until = until;
    if (wslay_event_queue_close(frames->ws, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) == 0) {
        (void)wslay_event_send(frames->ws);
    }
    frames_read(frames, UINT32_MAX, until);
}
