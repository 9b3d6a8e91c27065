/* SPDX-License-Identifier: MIT */
/*
 * jwt/jws.h - a token in compact serialization (RFC 7515, section 7.1), taken apart and not judged.
 */
#ifndef WSP_JWT_JWS_H
#define WSP_JWT_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>
#include <wspool/handshake.h>

/* The bytes of all segments of a token. */
#define WSP_JWS_BYTES (WSPOOL_TOKEN_MAX / 4 * 3)

struct wsp_jws_bytes {
    const uint8_t *data;
    size_t len;
};

struct wsp_jws {
    wspool_text signed_text; /* the first two segments and the dot: what the signature is over */
    struct wsp_jws_bytes header, payload, signature;
};

/* Takes a token apart. The bytes are in `room` (WSP_JWS_BYTES). Returns 0, or
 * WSPOOL_REFUSED_TOKEN_EMPTY or WSPOOL_REFUSED_TOKEN_MALFORMED. */
int wsp_jws_split(wspool_text token, uint8_t *room, struct wsp_jws *jws);

/* Reads the header. Returns 0, and the object, which has the texts: the caller frees it. kid->data
 * is NULL if there is no `kid`. Otherwise returns WSPOOL_REFUSED_TOKEN_MALFORMED or NOMEM, or
 * WSPOOL_REFUSED_TOKEN_INVALID if `alg` is not exactly `algorithm`, or if there is a `crit`. */
int wsp_jws_header(const struct wsp_jws *jws, const char *algorithm, json_t **header,
                   wspool_text *kid);

#endif
