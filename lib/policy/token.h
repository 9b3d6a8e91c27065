/* SPDX-License-Identifier: MIT */
/*
 * policy/token.h - finds the token in a request.  Layer 2.
 *
 * It finds the token and does not judge it: that is the token hook's task. Places are tried in the
 * configured order, and the first place that has a value decides, valid or not. An empty value, or
 * an Authorization of another scheme, counts as absent. Only the query parameter is decoded; a
 * cookie's value loses surrounding quotes (RFC 6265, section 4.1.1).
 */
#ifndef WSP_POLICY_TOKEN_H
#define WSP_POLICY_TOKEN_H

#include <stddef.h>
#include <stdint.h>
#include <wspool/config.h>
#include "base/mem.h"
#include "wire/headers.h"

/* Where it was looked for. */
struct wsp_token_search {
    uint8_t done;  /* 1: it was */
    uint8_t found; /* enum wspool_token_place: the place that decides; NONE: no place has one */
    uint8_t blank; /* bit n: place n had an empty one */
};

/*
 * Without `cookies` the place COOKIE is passed over: a browser adds cookies to the request of any
 * page, so they count only when the page's origin is trusted. Returns 0 and *token: bytes in the
 * request, or in `scratch` (at least WSPOOL_TOKEN_MAX bytes)
 * when it had to be decoded. Sets *search in any case. Otherwise returns a refusal (wire/refusal.h):
 *   TOKEN_EMPTY      no place has a token, or it is blank
 *   TOKEN_MALFORMED  it is longer than WSPOOL_TOKEN_MAX, has a byte outside 33..126 or a broken
 *                    escape, or occurs twice in one place (two Authorization headers, say)
 */
int wsp_token_find(const struct wsp_headers *headers, const enum wspool_token_place *places,
                   int cookies, char *scratch, wspool_text *token, struct wsp_token_search *search);

/* Judges the bytes of a token. Returns 0, or a refusal: TOKEN_EMPTY or TOKEN_MALFORMED, as above. */
int wsp_token_check(wspool_text token);

/*
 * If the query is a place: takes all parameters named token out of the request's target, so that only the token hook sees
 * one. What is left is a part of the same bytes, or else a copy in *copy, which the caller frees
 * (NULL: none). Returns 0 or WSPOOL_ERR_NOMEM.
 */
int wsp_token_hide(wspool_request *request, const enum wspool_token_place *places,
                   const wspool_mem *mem, char **copy);

#endif
