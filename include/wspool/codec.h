/* SPDX-License-Identifier: MIT */
/*
 * wspool/codec.h - the hook of a codec: an extension that changes whole messages and marks them
 * with RSV1, as permessage-deflate does (RFC 7692).
 *
 * This header is for authors of codecs. To use the existing one, see wspool/deflate.h.
 *
 * The pool parses the client's offers and lets the codec accept one of them. From then on the codec
 * gets whole messages to encode and pieces of messages to decode. The pool enforces every limit
 * itself: a decoded message never exceeds message_bytes, whatever the codec produces, and text is
 * checked for UTF-8 after decoding.
 *
 * A message is encoded once for all peers of one encoding, however many there are, and their queues
 * share the encoded frame. Not every peer gets every message (`except`, a history), so an encoded
 * message must not depend on an earlier one: in RFC 7692's words, the server never takes over its
 * context.
 *
 * A codec serves one pool, on that pool's thread. Its functions must not call the pool. Either all
 * four are set, or none.
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

/* One parameter of an offer: `name` or `name=value`. Quotes around the value are removed. */
typedef struct wspool_extension_param {
    wspool_text name;
    wspool_text value; /* data is NULL when there is no value */
} wspool_extension_param;

/* One extension that a client offers (RFC 6455, section 9.1). */
typedef struct wspool_extension {
    wspool_text name;
    const wspool_extension_param *params; /* in the client's order */
    size_t param_count;
} wspool_extension;

/* An offer with more parameters is skipped: no useful offer has them. */
#define WSPOOL_EXTENSION_PARAMS 8
/* Room for the answer to an offer, including its NUL. */
#define WSPOOL_NEGOTIATED_BYTES 160
/* Encodings have numbers from 1 to this. */
#define WSPOOL_ENCODINGS 15
/* Decoders have numbers below this. */
#define WSPOOL_DECODERS 16

/* The parameters that a codec negotiated with one peer. */
typedef struct wspool_negotiated {
    size_t size;       /* sizeof(wspool_negotiated), set by the pool */
    unsigned encoding; /* 1 to WSPOOL_ENCODINGS: peers with the same number read the same frames */
    unsigned decoder;  /* passed to `decode`; below WSPOOL_DECODERS */
    /* this extension's part of Sec-WebSocket-Extensions: a string of visible ASCII and spaces */
    char answer[WSPOOL_NEGOTIATED_BYTES];
} wspool_negotiated;

/* A piece of a message to decode. The codec advances `in` and `out`. */
typedef struct wspool_decoding {
    const uint8_t *in; /* remaining input */
    size_t in_len;
    uint8_t *out; /* remaining room for output: never 0 */
    size_t out_len;
    int last; /* 1: the message ends with this input */
} wspool_decoding;

enum wspool_decoded {
    WSPOOL_DECODED_ALL = 0,  /* all input was consumed and all its output written; with `last`,
                                the message is complete */
    WSPOOL_DECODED_FULL = 1, /* the room is used up and there is more output: the pool calls
                                again with more room and the rest of the input. (FULL without any
                                progress counts as BAD.) */
    WSPOOL_DECODED_BAD = 2,  /* the input is invalid: the peer is closed with 1007 */
    WSPOOL_DECODED_NOMEM = 3 /* no memory: the peer is closed with 1011 */
};

typedef struct wspool_codec_hook {
    /* Returns 1 and *out to accept the offer, or 0 to decline it: then the client's next offer
     * is tried. `route_flags` is the route's `codec` option. A result with numbers out of range, or
     * with an answer that is empty or not valid, counts as 0. */
    int (*negotiate)(const wspool_extension *offer, unsigned route_flags, wspool_negotiated *out,
                     void *user);
    /* Returns the encoded message, valid until the next call, and sets *encoded_len. Returns
     * NULL when the message should go plain: it is too short, there is no gain, or no memory.
     * `len` is at least 1. */
    const void *(*encode)(unsigned encoding, const void *message, size_t len, size_t *encoded_len,
                          void *user);
    /* Decodes a piece. *state is NULL for the first piece of a peer's first message; what the
     * codec stores there is passed to each later call. A message without payload is one piece
     * without input. */
    enum wspool_decoded (*decode)(unsigned decoder, void **state, wspool_decoding *piece,
                                  void *user);
    /* Called when a message is complete (final = 0) or the peer has ended (final = 1). With final
     * = 0 it frees what the next message does not need. With final = 1 it frees everything. If
     * nothing remains, it sets *state to NULL. */
    void (*reset)(unsigned decoder, void **state, int final, void *user);
    void *user;
} wspool_codec_hook;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
