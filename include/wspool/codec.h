/* SPDX-License-Identifier: MIT */
/*
 * wspool/codec.h - messages in another form on the wire: the hook of an extension that changes
 * whole messages and marks them with RSV1, as permessage-deflate does (RFC 7692).
 *
 * You need this header to write such a codec. To use the one there is, see wspool/deflate.h.
 *
 * The pool parses what clients offer, asks the codec to agree to one offer, and from then on hands
 * it whole messages to encode and pieces of messages to decode. It keeps every bound by itself: a
 * decoded message grows no further than message_bytes, whatever the codec would make of it, and
 * text is judged after decoding.
 *
 * A message is encoded once for all peers of one `form`, however many they are, and their queues
 * share the image. Queues may drop messages (WSPOOL_SLOW_DROP_OLDEST), so an encoded message must
 * not lean on one before it: in RFC 7692's words, the server never takes its context over.
 *
 * One codec serves one pool, on that pool's thread. Its functions must not call the pool. All four
 * of them are there, or none.
 */
#ifndef WSPOOL_CODEC_H
#define WSPOOL_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* One parameter of an offer: `name`, or `name=value`. Quotes around the value are taken off. */
typedef struct wspool_extension_param {
    wspool_text name;
    wspool_text value; /* data is NULL when there is none */
} wspool_extension_param;

/* An extension that a client offers (RFC 6455, 9.1). */
typedef struct wspool_extension {
    wspool_text name;
    const wspool_extension_param *params; /* in the order they came in */
    size_t param_count;
} wspool_extension;

/* More parameters than these no offer of use has; one that has them is passed over. */
#define WSPOOL_EXTENSION_PARAMS 8
/* Room for the answer to an offer, its NUL included. */
#define WSPOOL_AGREEMENT_BYTES 160
/* Forms are numbered from 1 to this. */
#define WSPOOL_FORMS 15
#define WSPOOL_READINGS 16

/* What a codec has agreed to. */
typedef struct wspool_agreement {
    size_t size;      /* sizeof(wspool_agreement), set by the pool */
    unsigned form;    /* peers of the same form can read the same images. 1 to WSPOOL_FORMS */
    unsigned reading; /* told to `decode`; below WSPOOL_READINGS */
    char answer[WSPOOL_AGREEMENT_BYTES]; /* this extension's part of Sec-WebSocket-Extensions: a
                                            string of visible ASCII and spaces */
} wspool_agreement;

/* A piece of a message that is being decoded. The codec moves `in` and `out` on. */
typedef struct wspool_decoding {
    const uint8_t *in; /* input that is left */
    size_t in_len;
    uint8_t *out; /* room for output that is left: never none */
    size_t out_len;
    int last; /* the message ends with this input */
} wspool_decoding;

enum wspool_decoded {
    WSPOOL_DECODED_ALL = 0,  /* all input was taken and all that follows from it written; with
                                `last`, the message is complete */
    WSPOOL_DECODED_FULL = 1, /* the room is used up, and there is more to write: call again with
                                more room, and what is left of in. (FULL that has neither taken nor
                                written anything is BAD.) */
    WSPOOL_DECODED_BAD = 2,  /* this is nothing that such a peer may send: closed with 1007 */
    WSPOOL_DECODED_NOMEM = 3 /* closed with 1011 */
};

typedef struct wspool_codec_hook {
    /* May this offer be agreed to? 1 and *out, or 0: then the client's next offer is asked about.
     * `wishes` is the route's `codec` option. 1 with numbers out of their range, or with an answer
     * that is empty or not as it should be, counts as 0. */
    int (*agree)(const wspool_extension *offer, unsigned wishes, wspool_agreement *out, void *user);
    /* The message in that form: bytes that stay until the next call, and *encoded_len. NULL when
     * it had better go as it is: too short, no gain, no memory. `len` is at least 1. */
    const void *(*encode)(unsigned form, const void *message, size_t len, size_t *encoded_len,
                          void *user);
    /* Decodes a piece. *state is NULL with the first piece of a peer's first message; what the
     * codec keeps there is given back with each later one. A message without payload comes as one
     * piece without input. */
    enum wspool_decoded (*decode)(unsigned reading, void **state, wspool_decoding *piece,
                                  void *user);
    /* A message is complete (over = 0), or the peer is done with (1). Frees what is not needed
     * until the next message, or all; *state is NULL then. What stays is kept for the peer. */
    void (*rest)(unsigned reading, void **state, int over, void *user);
    void *user;
} wspool_codec_hook;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
