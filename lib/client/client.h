/* SPDX-License-Identifier: MIT */
/*
 * client/client.h - the state of clients of one server: the group, and the record of each client.
 *
 *      IDLE --> ASKING --> DIALING --> SHAKING --> UNPROVEN --> OPEN
 *       ^        ^  |         |           |            |          |
 *       |        |  +---------+-----+-----+------------+----------+
 *       |        |                  v                             v
 *       |     WAITING <------ an end is judged <-------------- CLOSING
 *       |                           |
 *       +--- disconnect             +--> FAILED
 *
 *   IDLE      it wants no connection     DIALING   the host connects
 *   WAITING   for the next attempt       SHAKING   the answer to its request is awaited
 *   FAILED    there is none              UNPROVEN  open; confirm is awaited
 *   ASKING    for the token              CLOSING   a Close was queued; input is discarded
 *
 * An attempt and the connection that it becomes have one serial. It names the stream; `told` is the
 * serial of the transport that the host has. So a client that has moved on to another attempt still
 * knows which transport to close, and what an old transport reports is recognized.
 *
 * Nobody else gets a masked frame, so nothing is shared: output is one buffer of bytes. Input goes
 * through link/inbound.h, as that of a server does.
 *
 * Invariants:
 * - `serial` is 0 exactly in IDLE, WAITING and FAILED;
 * - the timer is armed for `deadline`, and that is NEVER in IDLE and FAILED;
 * - memory is held for output only while there is some, for input only inside a frame or message,
 *   in `head` only in SHAKING and CLOSING;
 * - a removed client has a transport that the host has not closed yet, and nothing else.
 */
#ifndef WSP_CLIENT_CLIENT_H
#define WSP_CLIENT_CLIENT_H

#include <stdalign.h>
#include <stdint.h>

#include <wspool/client.h>
#include "base/bitset.h"
#include "base/bytes.h"
#include "base/slots.h"
#include "base/timers.h"
#include "link/inbound.h"
#include "wire/decoder.h"
#include "wire/frame.h"
#include "wire/opening.h"

enum wsp_client_phase {
    WSP_CLIENT_IDLE,
    WSP_CLIENT_WAITING,
    WSP_CLIENT_FAILED,
    WSP_CLIENT_ASKING, /* from here on it has a serial */
    WSP_CLIENT_DIALING,
    WSP_CLIENT_SHAKING,
    WSP_CLIENT_UNPROVEN,
    WSP_CLIENT_OPEN,
    WSP_CLIENT_CLOSING
};

/* Flags. Those of the first line last until the connection was stable, or connect is called. */
#define WSP_CLIENT_EAGER 0x01u    /* an attempt was made without a delay */
#define WSP_CLIENT_RENEWED 0x02u  /* the token was renewed */
#define WSP_CLIENT_WANTED 0x04u   /* connect was called, disconnect was not */
#define WSP_CLIENT_ASKED 0x08u    /* the token hook runs: it has returned 2 */
#define WSP_CLIENT_WAS_OPEN 0x10u /* CLOSING: it was OPEN before */
#define WSP_CLIENT_REFUSED 0x20u  /* FAILED: it was refused */
#define WSP_CLIENT_BLOCKED 0x40u  /* the transport is full */
#define WSP_CLIENT_REMOVED 0x80u
#define WSP_CLIENT_PINGED 0x100u /* bytes are awaited since a ping */
#define WSP_CLIENT_SOON 0x200u   /* and that within a short time */
#define WSP_CLIENT_AGAIN 0x400u  /* and it is the second ping, because the clock had jumped */
#define WSP_CLIENT_AWAITS_BYTES (WSP_CLIENT_PINGED | WSP_CLIENT_SOON | WSP_CLIENT_AGAIN)

struct wsp_client {
    alignas(WSP_CACHE_LINE) struct wsp_slot slot;
    struct wsp_timer timer;
    void *user;
    struct wsp_inbound *inbound;
    struct wsp_frame_parser parser;
    struct wsp_bytes head; /* SHAKING: the answer so far. CLOSING: the server's reason */
    struct wsp_bytes out;
    uint64_t deadline;
    uint64_t last_received;
    uint64_t opened_at;
    uint64_t spread;
    uint64_t heartbeat;
    uint32_t out_start; /* out.data[out_start..out.len) waits */
    uint32_t serial;
    uint32_t told;
    uint32_t attempt; /* attempts and delays since the last stable connection */
    uint32_t delays;
    uint16_t flags;
    uint16_t code; /* what ended the last connection or attempt */
    uint8_t cause;
    uint8_t phase;
    uint8_t subprotocol; /* its index in the list, plus 1; 0: none */
    uint8_t nonce[16];   /* of the key */
    char instance[WSPOOL_CLIENT_INSTANCE_LEN + 1];
};

_Static_assert(sizeof(struct wsp_client) <= WSPOOL_CLIENT_BYTES, "an idle client is nearly free");

#define WSP_ENTROPY_BYTES 256u

struct wspool_clients {
    wspool_clients_config config;
    const wspool_mem *mem; /* &config.mem */
    char *texts;           /* the URL and the subprotocols */
    struct wsp_url url;
    struct wsp_slots slots;
    struct wsp_timers timers;
    struct wsp_bitset ready; /* wspool_clients_next looks at these */
    struct wsp_decoders decoders;
    struct wsp_inbounds inbounds;
    uint64_t now;
    uint32_t serial;  /* of the newest attempt of all */
    uint32_t removed; /* clients that are removed, but whose transport is not closed */
    uint32_t hooks;   /* how many hooks run now */
    uint32_t entropy_left;
    uint8_t entropy[WSP_ENTROPY_BYTES];
};

static inline void wsp_clients_mark_ready(struct wspool_clients *clients, struct wsp_client *client)
{
    wsp_bitset_add(&clients->ready, client->slot.index);
}

/* Sets the deadline of a client. */
static inline void wsp_clients_await(struct wspool_clients *clients, struct wsp_client *client,
                                     uint64_t deadline)
{
    client->deadline = deadline;
    wsp_timers_arm(&clients->timers, client->slot.index, deadline);
}

/* Returns now + time, or never. */
static inline uint64_t wsp_clients_after(const struct wspool_clients *clients, uint64_t time)
{
    return time < WSP_TIMERS_NEVER - clients->now ? clients->now + time : WSP_TIMERS_NEVER;
}

static inline size_t wsp_client_waiting(const struct wsp_client *client)
{
    return client->out.len - client->out_start;
}

static inline wspool_stream wsp_client_stream(const struct wsp_client *client, uint32_t serial)
{
    return (uint64_t)serial << 32 | client->slot.index;
}

#endif
