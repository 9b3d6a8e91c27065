/* SPDX-License-Identifier: MIT */
/*
 * link/inbound.h - from input bytes to whole messages and control frames.  Layer 2.
 *
 * A pull parser: it gets bytes and returns one event at a time. Memory is held for a peer only
 * while a frame or a message is incomplete, or while a codec keeps state for the peer's next
 * message. A message is unmasked into one buffer that grows with the bytes that have arrived, so a
 * fragment costs what it carries and an announced length costs nothing. A compressed message (RSV1)
 * is decoded into that buffer piece by piece. The buffer never exceeds the limit of a message.
 *
 * Invariants:
 * - a decoder is held only inside a frame that is not being discarded, and never misses more than
 *   the frame's length;
 * - the buffer has data only inside a message (the fast path shows bytes behind its end);
 * - the gathered bytes of a control frame fit into one;
 * - `state` exists only for a peer that negotiated a codec, and is NULL between messages unless the
 *   codec keeps it; a compressed message is one that was negotiated;
 * - after an error only wsp_inbound_discard is called;
 * - an object of the free list is inside nothing; the list has as many objects, and its buffers as
 *   much memory, as it says, and both are small.
 */
#ifndef WSP_LINK_INBOUND_H
#define WSP_LINK_INBOUND_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/close.h>
#include <wspool/codec.h>
#include "base/bytes.h"
#include "base/counters.h"
#include "base/freelist.h"
#include "link/turn.h"
#include "wire/decoder.h"
#include "wire/frame.h"
#include "wire/utf8.h"

/* The largest buffer that is kept while a peer is closing and nothing is gathered. */
#define WSP_INBOUND_KEPT 1024u

/* A fragment of fewer bytes, unless it is the last of its message, draws on the abuse budget. */
#define WSP_TINY_FRAGMENT 16u

struct wsp_inbound {
    struct wsp_free_item item;   /* in the free list */
    struct wsp_decoder *decoder; /* of the present frame */
    struct wsp_frame frame;
    struct wsp_bytes buffer; /* of the present message */
    struct wsp_utf8 utf8;
    uint64_t started;      /* when the first byte of the present frame or message arrived */
    uint64_t received;     /* payload bytes since then */
    uint64_t discard;      /* payload bytes still to discard */
    struct wsp_bytes tail; /* input that waits for the next turn; see wsp_inbound_keep */
    size_t tail_at;        /* how much of it was taken already */
    size_t charged;        /* memory that counts in `held` of the pool: see wsp_inbound_charge */
    struct wsp_inbound *before, *behind; /* others whose input waits, while this one's does */
    struct wsp_input_queue *queue;       /* in which it waits; NULL: it does not */
    uint32_t slot;                       /* the peer's, meanwhile */
    uint8_t ended;                       /* and its transport has ended: 1 + enum wspool_end */
    void *state;                         /* state of the codec for this peer */
    uint8_t negotiated; /* parameters negotiated with this peer: see link/negotiated.h */
    uint8_t encoded;    /* the present message is compressed */
    uint8_t message;    /* opcode of the present message; 0: none */
    uint8_t delivered;  /* an event shows data that the next call releases */
    uint8_t control_len;
    uint8_t control[WSP_CONTROL_MAX];
};

/* Peers whose input waits, in the order of their turns. */
struct wsp_input_queue {
    struct wsp_inbound *first, *last;
    uint32_t count;
};

/* Free list of one pool; its objects have small buffers. */
struct wsp_inbounds {
    const wspool_mem *mem;
    struct wsp_decoders *decoders;
    const wspool_codec_hook *hook; /* used only for peers that negotiated it */
    unsigned mask;                 /* WSP_MASKED: the peers are clients. WSP_UNMASKED: servers */
    struct wsp_freelist free_list;
    size_t free_bytes;
    struct wsp_input_queue unread; /* their input came when the turn was over: none was read yet */
    struct wsp_input_queue partly; /* what was read of it caused as much as it might */
    struct wsp_turn turn;
    wsp_count held; /* memory that all objects of peers were charged with */
};

/* `mask` is WSP_MASKED; for peers that are servers the caller sets it to WSP_UNMASKED next. */
void wsp_inbounds_init(struct wsp_inbounds *inbounds, const wspool_mem *mem,
                       struct wsp_decoders *decoders, const wspool_codec_hook *hook);
void wsp_inbounds_fini(struct wsp_inbounds *inbounds);

enum wsp_input_kind {
    WSP_INPUT_MORE,    /* all input was consumed */
    WSP_INPUT_FRAME,   /* a fragment is complete, but its message is not */
    WSP_INPUT_MESSAGE, /* opcode, data, len */
    WSP_INPUT_CONTROL, /* opcode, data, len */
    WSP_INPUT_ERROR    /* end: fail the connection */
};

struct wsp_input_result {
    enum wsp_input_kind kind;
    uint8_t opcode;
    const uint8_t *data; /* valid until the next call for this peer */
    size_t len;
    int encoded; /* MESSAGE: it was compressed */
    enum wspool_end end;
};

/* Input of one feed. */
struct wsp_input {
    const uint8_t *bytes; /* advanced by what is consumed */
    size_t len;
    size_t limit; /* limit of a message in bytes, after decoding */
    uint64_t now; /* arrival time of all of it, even if a hook passes a later time meanwhile */
};

/* Consumes bytes until an event is complete. *in belongs to the peer; it is allocated and freed
 * here. */
void wsp_inbound_next(struct wsp_inbounds *inbounds, struct wsp_inbound **in,
                      struct wsp_frame_parser *parser, struct wsp_input *input,
                      struct wsp_input_result *result);

/* As wsp_inbound_next, for a peer that is closing: frames are skipped, valid or not, so that the
 * peer's Close is still found. The event is MORE, CONTROL (a Close only) or ERROR (no memory). */
void wsp_inbound_discard(struct wsp_inbounds *inbounds, struct wsp_inbound **in,
                         struct wsp_frame_parser *parser, struct wsp_input *input,
                         struct wsp_input_result *result);

/* Keeps input for a later turn, behind what is kept already. It may be empty: then the peer's next
 * input waits. The peer goes to the end of the queue, unless it waits already. Returns 0, or NOMEM
 * with nothing changed. */
int wsp_inbound_keep(struct wsp_inbounds *inbounds, struct wsp_inbound **in,
                     struct wsp_input_queue *queue, uint32_t slot, const struct wsp_input *input);
/* All of it was read: frees it. */
void wsp_inbound_drop_tail(struct wsp_inbounds *inbounds, struct wsp_inbound *in);
/* The turn of the kept input has come: takes it out of the queue. */
void wsp_inbound_unkeep(struct wsp_inbound *in);
/* Does any peer's input wait? */
static inline int wsp_inbounds_wait(const struct wsp_inbounds *inbounds)
{
    return inbounds->unread.count > 0 || inbounds->partly.count > 0;
}

/* Returns the memory that an object holds between two feeds. The state of a codec is not ours and
 * does not count. */
static inline size_t wsp_inbound_memory(const struct wsp_inbound *in)
{
    return sizeof *in + in->buffer.cap + in->tail.cap + (in->decoder ? WSP_DECODER_MEMORY : 0);
}
/* The feed of a peer is over, and it has an object still: counts what that holds. */
static inline void wsp_inbound_charge(struct wsp_inbounds *inbounds, struct wsp_inbound *in)
{
    size_t memory = wsp_inbound_memory(in);
    wsp_count_add(&inbounds->held, (uint64_t)memory - in->charged);
    in->charged = memory;
}

/* Gives up the message and the frame that are under way, with their memory: what still comes of
 * them is discarded. */
void wsp_inbound_abandon(struct wsp_inbounds *inbounds, struct wsp_inbound *in);

/* Releases everything that is held. */
void wsp_inbound_fini(struct wsp_inbounds *inbounds, struct wsp_inbound **in);

/* Return 1 if the invariants of one object, or of the free list, hold, else 0. */
int wsp_inbound_check(const struct wsp_inbound *in);
int wsp_inbounds_check(const struct wsp_inbounds *inbounds);

#endif
