/* SPDX-License-Identifier: MIT */
/*
 * wire/opening.h - the opening handshake of a client (RFC 6455, section 4.1).  Layer 1.
 *
 * The URL of a server, the request, and what the protocol requires of the answer. wire/upgrade.h
 * has the server's side. Whether to come back after a refusal is not decided here.
 */
#ifndef WSP_WIRE_OPENING_H
#define WSP_WIRE_OPENING_H

#include <stddef.h>
#include <stdint.h>
#include <wspool/handshake.h>
#include "wire/http.h"
#include "wire/upgrade.h"

#define WSP_KEY_LEN 24 /* base64 of 16 bytes */

/* "ws://host:port/path?query". All texts point into the URL. */
struct wsp_url {
    wspool_text authority; /* as Host wants it: with the port, if the URL has one */
    wspool_text host;      /* of an address in brackets, without them */
    wspool_text path;
    wspool_text query; /* empty: none */
    uint16_t port;     /* default: 80, or 443 if `secure` */
    uint8_t secure;    /* wss */
};

/* Returns 0, or -1 if it is not a URL of the scheme ws or wss, has a user or a fragment (RFC 6455,
 * section 3), or a port outside 1 to 65535. */
int wsp_url_parse(wspool_text text, struct wsp_url *url);

/* Makes the key of 16 unpredictable bytes, and the Sec-WebSocket-Accept that must answer it. */
void wsp_opening_key(const uint8_t bytes[16], char key[WSP_KEY_LEN + 1],
                     char accept[WSP_ACCEPT_LEN + 1]);

struct wsp_opening {
    const struct wsp_url *url;
    wspool_text query;               /* follows that of the URL; empty: none */
    const char *key;                 /* of wsp_opening_key */
    const char *const *subprotocols; /* offered; ends in NULL. NULL: none */
    wspool_text token;               /* for Authorization: Bearer; empty: none */
};

/* Writes the request. Returns its length, also if that is above `max`: then the text is cut off. */
size_t wsp_opening_write(const struct wsp_opening *opening, char *out, size_t max);

/* Judges an answer of status 101: Upgrade is websocket, Connection has the token upgrade,
 * Sec-WebSocket-Accept is `accept`, the subprotocol is one that was offered or absent, and there is
 * no extension, because none was offered. Each header occurs at most once. Returns 0 and sets
 * *subprotocol to the pointer of the list, or to NULL; or returns -1. */
int wsp_opening_judge(const struct wsp_http_answer *answer, const char *accept,
                      const char *const *offered, const char **subprotocol);

/* Returns the seconds of Retry-After (RFC 9110, section 10.2.3), at most `max`, or 0 if there are
 * none: a date is not read. */
uint32_t wsp_opening_retry_after(const struct wsp_http_answer *answer, uint32_t max);

#endif
