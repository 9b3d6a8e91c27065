/* SPDX-License-Identifier: MIT */
/*
 * policy/token.h - where in a request the token is.  Floor 4.
 *
 * Finds it, does not judge it: that is the token hook's. Places are tried in the configured
 * order, and the first that has something decides, be it good or bad. An empty value, or an
 * Authorization of another scheme, is nothing. Nothing is decoded but the query parameter; of a
 * cookie's value the quotes around it are taken off (RFC 6265, 4.1.1).
 */
#ifndef WSP_POLICY_TOKEN_H
#define WSP_POLICY_TOKEN_H

#include <stddef.h>
#include <wspool/config.h>
#include "wire/headers.h"

/*
 * 0 and *token: bytes in the request, or in `scratch` (at least WSPOOL_TOKEN_MAX bytes) when it
 * had to be decoded. Otherwise -(refusal) - 1: TOKEN_EMPTY when no place has one or it is blank;
 * TOKEN_MALFORMED when it is longer than WSPOOL_TOKEN_MAX, has a byte outside 33..126, a broken
 * escape, or stands twice in one place (two Authorization headers, two bearer subprotocols).
 */
int wsp_token_find(const struct wsp_headers *headers, const enum wspool_token_place *places,
                   char *scratch, wspool_text *token);

#endif
