/* SPDX-License-Identifier: MIT */
/*
 * frames.h - what comes over an open WebSocket (RFC 6455, section 5; by wslay). Control frames are
 * looked at, data is discarded as it comes.
 */
#ifndef DOCTOR_FRAMES_H
#define DOCTOR_FRAMES_H

#include <wslay/wslay.h>

#include "transport.h"

enum ending {
    END_NONE,
    END_CLOSE, /* a Close came: `code` and `reason` */
    END_FIN,   /* the connection ended without one */
    END_RESET, /* it was reset, or failed */
    END_BROKEN /* a frame came that no server may send */
};

struct frames {
    enum ending ending;
    unsigned code; /* 1005: the Close had none */
    char reason[124];
    unsigned pongs, pings; /* that came */
    /* for frames.c */
    struct transport *t;
    wslay_event_context_ptr ws;
    const char *first;
    size_t first_len;
    uint64_t until;
    int has_read; /* in this turn */
    int in_close; /* the frame that comes is a Close: its payload */
    uint8_t close[125];
    size_t close_len;
};

/* Reads behind the answer; `first` are the bytes that came with it, and stay where they are.
 * `compressed`: permessage-deflate was agreed on. Returns 0, or -1: out of memory. */
int frames_init(struct frames *frames, struct transport *t, int compressed, const char *first,
                size_t first_len);
void frames_fini(struct frames *frames);

/* Reads until so many pongs have come in all, the connection has ended, or the time is over. Answers
 * pings on the way. */
void frames_read(struct frames *frames, unsigned pongs, uint64_t until);
void frames_ping(struct frames *frames, uint64_t until);
/* Sends a Close with 1000, and reads until the connection has an ending. */
void frames_close(struct frames *frames, uint64_t until);

#endif
