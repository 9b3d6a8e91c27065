/* SPDX-License-Identifier: MIT */
/*
 * link/inbound.h - from bytes to whole messages and control frames.  Floor 2.
 *
 * A pull parser: it is given bytes and answers one event at a time. What it holds for a peer
 * exists only while a frame or a message is under way, or a codec keeps something for the peer's
 * next message. A message is unmasked into one buffer that grows with what has come, so that a
 * fragment costs what it carries and an announced length costs nothing. A message in another form
 * (RSV1) is decoded into that buffer piece by piece. It never grows beyond the limit of a message,
 * whatever comes.
 *
 * Invariants:
 * - a decoder is held only inside a frame, while nothing of it is to be thrown away, and never
 *   misses more than the frame's length;
 * - the buffer holds data only inside a message (what the short way shows lies behind its end);
 * - what has come of a control frame fits into one;
 * - `state` is there only with a peer that has agreed to something, and is NULL between messages
 *   unless the codec keeps it; a coded message is one that the agreement allows;
 * - after an error nothing but wsp_inbound_discard is called;
 * - a spare is inside of nothing; spares are as many as is said, their buffers as large, and both
 *   few.
 */
#ifndef WSP_LINK_INBOUND_H
#define WSP_LINK_INBOUND_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/close.h>
#include <wspool/codec.h>
#include "base/bytes.h"
#include "wire/decoder.h"
#include "wire/frame.h"
#include "wire/utf8.h"

/* A fragment below this many bytes, unless it is a message's last, draws on the nuisance budget. */
#define WSP_TINY_FRAGMENT 16u

struct wsp_inbound {
    struct wsp_inbound *next;    /* among the spares */
    struct wsp_decoder *decoder; /* of the frame under way */
    struct wsp_frame frame;
    struct wsp_bytes buffer; /* of the message under way */
    struct wsp_utf8 utf8;
    uint64_t started;  /* when the first byte of what is under way came */
    uint64_t received; /* payload since then */
    uint64_t discard;  /* payload bytes still to be thrown away */
    void *state;       /* the codec's, of this peer */
    uint8_t coding;    /* what was agreed upon with this peer: see link/forms.h */
    uint8_t coded;     /* the message under way is in another form */
    uint8_t message;   /* opcode of the message under way; 0: none */
    uint8_t shown;     /* an event shows what is to be put away with the next call */
    uint8_t control_len;
    uint8_t control[WSP_CONTROL_MAX];
};

/* Spares of one pool, with small buffers in them. */
struct wsp_inbounds {
    const wspool_mem *mem;
    struct wsp_decoders *decoders;
    const wspool_codec_hook *hook; /* asked only for peers that have agreed to something */
    struct wsp_inbound *spares;
    uint32_t spare_count;
    size_t spare_bytes;
};

void wsp_inbounds_init(struct wsp_inbounds *inbounds, const wspool_mem *mem,
                       struct wsp_decoders *decoders, const wspool_codec_hook *hook);
void wsp_inbounds_fini(struct wsp_inbounds *inbounds);

enum wsp_event_kind {
    WSP_EVENT_MORE,    /* all input was taken */
    WSP_EVENT_FRAME,   /* a fragment was complete, but not the message */
    WSP_EVENT_MESSAGE, /* opcode, data, len */
    WSP_EVENT_CONTROL, /* opcode, data, len */
    WSP_EVENT_ERROR    /* end: the connection is to be failed */
};

struct wsp_event {
    enum wsp_event_kind kind;
    uint8_t opcode;
    const uint8_t *data; /* until the next call for this peer */
    size_t len;
    int coded; /* MESSAGE: it was in another form */
    enum wspool_end end;
};

/* What came from a peer. */
struct wsp_input {
    const uint8_t *bytes; /* moved on by what is taken */
    size_t len;
    size_t limit; /* bytes of a message, once it is decoded */
    uint64_t now; /* when all of it came, whatever a hook says of the time meanwhile */
};

/* Takes bytes until something is complete. *in is the peer's; it is made and given back here. */
void wsp_inbound_next(struct wsp_inbounds *inbounds, struct wsp_inbound **in, struct wsp_gate *gate,
                      struct wsp_input *input, struct wsp_event *event);

/* The same when the peer is being closed: frames are skipped, lawful or not, so that its Close is
 * still found. Answers MORE, CONTROL (a Close only) or ERROR (no memory). */
void wsp_inbound_discard(struct wsp_inbounds *inbounds, struct wsp_inbound **in,
                         struct wsp_gate *gate, struct wsp_input *input, struct wsp_event *event);

/* Lets go of what is held. */
void wsp_inbound_fini(struct wsp_inbounds *inbounds, struct wsp_inbound **in);

/* Do the invariants of one hold, and those of the spares? 1 or 0. */
int wsp_inbound_check(const struct wsp_inbound *in);
int wsp_inbounds_check(const struct wsp_inbounds *inbounds);

#endif
