/* SPDX-License-Identifier: MIT */
/*
 * policy/token.c - see policy/token.h.
 *
 * For each place a function returns how many tokens are there, and the value of the first. Empty
 * ones count, so that "twice" is detected also when the first is empty.
 */
#include "policy/token.h"

#include <string.h>

#include <wspool/error.h>

#include "wire/refusal.h"
#include "wire/text.h"
#include "wire/uri.h"

#define COOKIE_NAME "wspool_token"
#define PARAMETER "token"
#define SUBPROTOCOL_PREFIX "bearer."

static int in_authorization(const struct wsp_headers *headers, wspool_text *token)
{
    static const char scheme[] = "Bearer";
    wspool_text value, word;
    int there = wsp_headers_only(headers, WSP_HEADER_AUTHORIZATION, &value);

    if (there < 0) {
        return 2;
    }
    if (there == 0) {
        return 0;
    }
    word.data = value.data;
    word.len = 0;
    while (word.len < value.len && !wsp_text_is_space(value.data[word.len])) {
        word.len++;
    }
    if (!wsp_text_is(word, scheme)) {
        return 0; /* another scheme is not ours */
    }
    value.data += word.len;
    value.len -= word.len;
    while (value.len > 0 && value.data[0] == ' ') {
        value.data++;
        value.len--;
    }
    *token = value;
    return 1;
}

static int in_subprotocol(const struct wsp_headers *headers, wspool_text *token)
{
    static const char prefix[] = SUBPROTOCOL_PREFIX;
    const size_t len = sizeof prefix - 1;
    wspool_text offer;
    struct wsp_elements walk = {0};
    int found = 0;

    while (wsp_headers_element(headers, WSP_HEADER_PROTOCOL, &walk, &offer)) {
        if (offer.len < len || memcmp(offer.data, prefix, len) != 0) {
            continue;
        }
        if (found) {
            return 2;
        }
        found = 1;
        token->data = offer.data + len;
        token->len = offer.len - len;
    }
    return found;
}

/* Returns 1 if this pair of a cookie-string (RFC 6265, section 4.2.1), between two semicolons,
 * is ours. */
static int is_our_cookie(wspool_text pair, wspool_text *token)
{
    static const char name[] = COOKIE_NAME "=";
    const size_t name_len = sizeof name - 1;

    pair = wsp_text_trimmed(pair);
    if (pair.len < name_len || memcmp(pair.data, name, name_len) != 0) {
        return 0;
    }
    pair.data += name_len;
    pair.len -= name_len;
    if (pair.len >= 2 && pair.data[0] == '"' && pair.data[pair.len - 1] == '"') {
        pair.data++;
        pair.len -= 2;
    }
    *token = pair;
    return 1;
}

static int in_cookie(const struct wsp_headers *headers, wspool_text *token)
{
    const wspool_header *header = headers->first[WSP_HEADER_COOKIE];
    int found = 0;

    for (; header; header = wsp_headers_next(headers, WSP_HEADER_COOKIE, header)) {
        wspool_text value = header->value;
        size_t at = 0;

        while (at < value.len) {
            const char *pair = value.data + at;
            const char *end = memchr(pair, ';', value.len - at);
            size_t len = end ? (size_t)(end - pair) : value.len - at;
            wspool_text one;

            if (is_our_cookie((wspool_text){pair, len}, &one)) {
                if (found) {
                    return 2;
                }
                found = 1;
                *token = one;
            }
            at += len + 1;
        }
    }
    return found;
}

/* Returns also -1, when the value cannot be decoded. */
static int in_query(const struct wsp_headers *headers, char *scratch, wspool_text *token)
{
    struct wsp_target target;
    wspool_text query, value, again;
    int len;

    if (wsp_uri_split(headers->request->target, &target)) {
        return -1;
    }
    query = target.query;
    if (!wsp_uri_parameter(query, PARAMETER, &value)) {
        return 0;
    }
    query.len -= (size_t)(value.data + value.len - query.data);
    query.data = value.data + value.len;
    if (query.len > 0) {
        query.data++; /* the ampersand */
        query.len--;
        if (wsp_uri_parameter(query, PARAMETER, &again)) {
            return 2;
        }
    }
    if (value.len > 0 && memchr(value.data, '%', value.len)) {
        len = wsp_uri_decode(value, scratch, WSPOOL_TOKEN_MAX);
        if (len < 0) {
            return -1;
        }
        value.data = scratch;
        value.len = (size_t)len;
    }
    *token = value;
    return 1;
}

int wsp_token_check(wspool_text token)
{
    if (wsp_text_trimmed(token).len == 0) { /* blank */
        return wsp_refused(WSPOOL_REFUSED_TOKEN_EMPTY);
    }
    return token.len > WSPOOL_TOKEN_MAX || wsp_text_span(token, '!', '~') < token.len
               ? wsp_refused(WSPOOL_REFUSED_TOKEN_MALFORMED)
               : 0;
}

int wsp_token_find(const struct wsp_headers *headers, const enum wspool_token_place *places,
                   int cookies, char *scratch, wspool_text *token, struct wsp_token_search *search)
{
    wspool_text found = {NULL, 0};
    *search = (struct wsp_token_search){.done = 1, .found = WSPOOL_TOKEN_NONE};

    for (size_t i = 0; i < WSPOOL_TOKEN_PLACES && places[i] != WSPOOL_TOKEN_NONE; i++) {
        int times = 0;

        switch (places[i]) {
        case WSPOOL_TOKEN_AUTHORIZATION:
            times = in_authorization(headers, &found);
            break;
        case WSPOOL_TOKEN_SUBPROTOCOL:
            times = in_subprotocol(headers, &found);
            break;
        case WSPOOL_TOKEN_COOKIE:
            times = cookies ? in_cookie(headers, &found) : 0;
            break;
        case WSPOOL_TOKEN_QUERY:
            times = in_query(headers, scratch, &found);
            break;
        case WSPOOL_TOKEN_NONE:
            break;
        }
        if (times == 0) {
            continue;
        }
        search->found = (uint8_t)places[i];
        if (times != 1) {
            return wsp_refused(WSPOOL_REFUSED_TOKEN_MALFORMED);
        }
        const int fault = wsp_token_check(found);
        if (fault != wsp_refused(WSPOOL_REFUSED_TOKEN_EMPTY)) {
            *token = fault ? *token : found;
            return fault;
        }
        search->found = WSPOOL_TOKEN_NONE;
        search->blank |= (uint8_t)(1u << places[i]);
    }
    return wsp_refused(WSPOOL_REFUSED_TOKEN_EMPTY);
}

/* The pairs of a query, but for those named token. Returns the length of what was written. */
static size_t copy_others(wspool_text query, char *out)
{
    size_t len = 0, at = 0;

    while (at < query.len) {
        const char *end = memchr(query.data + at, '&', query.len - at);
        wspool_text pair = {query.data + at,
                            end ? (size_t)(end - query.data) - at : query.len - at};
        wspool_text value;

        if (!wsp_uri_parameter(pair, PARAMETER, &value)) {
            memcpy(out + len, pair.data, pair.len);
            len += pair.len;
            out[len++] = '&';
        }
        at += pair.len + 1;
    }
    return len > 0 ? len - 1 : 0; /* without the last ampersand */
}

int wsp_token_hide(wspool_request *request, const enum wspool_token_place *places,
                   const wspool_mem *mem, char **copy)
{
    struct wsp_target target;
    wspool_text value;
    int place = 0;

    for (size_t i = 0; i < WSPOOL_TOKEN_PLACES && places[i] != WSPOOL_TOKEN_NONE; i++) {
        place |= places[i] == WSPOOL_TOKEN_QUERY;
    }
    if (!place || wsp_uri_split(request->target, &target) ||
        !wsp_uri_parameter(target.query, PARAMETER, &value)) {
        return 0;
    }
    size_t before = (size_t)(target.query.data - request->target.data);
    if (value.data + value.len == target.query.data + target.query.len) {
        /* The last one: cut it off, with the mark before it. */
        size_t name = sizeof PARAMETER - 1 + (value.data[-1] == '=');
        request->target.len = (size_t)(value.data - request->target.data) - name - 1;
        return 0;
    }
    *copy = wsp_alloc(mem, request->target.len + 1);
    if (!*copy) {
        return WSPOOL_ERR_NOMEM;
    }
    memcpy(*copy, request->target.data, before);
    size_t len = copy_others(target.query, *copy + before);
    request->target = (wspool_text){*copy, len > 0 ? before + len : before - 1};
    return 0;
}
