/* SPDX-License-Identifier: MIT */
/* jwt/jws.c - see jwt/jws.h. */
#include "jwt/jws.h"

#include <string.h>

#include "jwt/base64url.h"
#include "jwt/object.h"

static int is_blank(wspool_text text)
{
    size_t i = 0;
    while (i < text.len && (text.data[i] == ' ' || text.data[i] == '\t')) {
        i++;
    }
    return i == text.len;
}

/* Decodes the text up to `end` to *room, and moves *room. */
static int decode(const char *text, const char *end, uint8_t **room, struct wsp_jws_bytes *bytes)
{
    size_t len = (size_t)(end - text);
    *bytes = (struct wsp_jws_bytes){*room, WSP_BASE64URL_DECODED(len)};
    *room += bytes->len;
    return bytes->len > 0 && wsp_base64url_decode(text, len, *room - bytes->len);
}

int wsp_jws_split(wspool_text token, uint8_t *room, struct wsp_jws *jws)
{
    if (is_blank(token)) {
        return WSPOOL_REFUSED_TOKEN_EMPTY;
    }
    if (token.len > WSPOOL_TOKEN_MAX) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    const char *end = token.data + token.len;
    const char *first = memchr(token.data, '.', token.len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    /* A third dot is a character that base64url does not have. */
    if (!second || !decode(token.data, first, &room, &jws->header) ||
        !decode(first + 1, second, &room, &jws->payload) ||
        !decode(second + 1, end, &room, &jws->signature)) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    jws->signed_text = (wspool_text){token.data, (size_t)(second - token.data)};
    return 0;
}

static int judge(const json_t *header, const char *algorithm, wspool_text *kid)
{
    wspool_text alg;
    if (wsp_jwt_object_text(header, "alg", SIZE_MAX, &alg) != 1 ||
        wsp_jwt_object_text(header, "kid", WSPOOL_TOKEN_MAX, kid) < 0) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    if (wsp_jwt_object_is(header, "alg", algorithm) != 1 || json_object_get(header, "crit")) {
        return WSPOOL_REFUSED_TOKEN_INVALID;
    }
    return 0;
}

int wsp_jws_header(const struct wsp_jws *jws, const char *algorithm, json_t **header,
                   wspool_text *kid)
{
    *kid = (wspool_text){NULL, 0};
    int refusal = wsp_jwt_object_read(jws->header.data, jws->header.len, header);
    if (refusal == 0) {
        refusal = judge(*header, algorithm, kid);
    }
    if (refusal != 0) {
        json_decref(*header);
        *header = NULL;
    }
    return refusal;
}
