/* SPDX-License-Identifier: MIT */
/* jwt/sign.c - makes tokens. See wspool/jwt.h. */
#include <string.h>

#include <wspool/versioned.h>

#include "jwt/algorithm.h"
#include "jwt/base64url.h"
#include "jwt/jwt.h"

/* Sets a member, and takes `value`, which may be NULL. Returns 0, or an error. */
static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) ? WSPOOL_ERR_NOMEM : 0;
}

static int set_time(json_t *object, const char *name, uint64_t seconds)
{
    return seconds == 0 ? 0 : set(object, name, json_integer((json_int_t)seconds));
}

static int set_text(json_t *object, const char *name, const char *text)
{
    return text ? set(object, name, json_string(text)) : 0;
}

static int is_valid(const wspool_jwt_claims *claims)
{
    return claims->expires <= WSP_JWT_TIME_MAX && claims->not_before <= WSP_JWT_TIME_MAX &&
           claims->issued_at <= WSP_JWT_TIME_MAX && claims->subject.len <= WSPOOL_SUBJECT_MAX;
}

static int set_subject(json_t *object, wspool_text subject)
{
    if (subject.len == 0) {
        return 0;
    }
    json_t *text = json_stringn(subject.data, subject.len);
    if (text) {
        return set(object, "sub", text);
    }
    /* jansson does not say why: see if it can make another text. */
    json_t *probe = json_string("");
    int error = probe ? WSPOOL_ERR_INVAL : WSPOOL_ERR_NOMEM;
    json_decref(probe);
    return error;
}

/* Writes the payload to jwt->room. Returns its length, or an error. */
static int build(wspool_jwt *jwt, const wspool_jwt_claims *claims)
{
    wspool_text subject = claims->subject;
    if (!is_valid(claims) || (subject.len > 0 && memchr(subject.data, '\0', subject.len))) {
        return WSPOOL_ERR_INVAL;
    }
    json_t *object = json_object();
    int error = object ? 0 : WSPOOL_ERR_NOMEM;
    if (error || (error = set_subject(object, subject)) ||
        (error = set_text(object, "iss", jwt->rules.issuer)) ||
        (error = set_text(object, "aud", jwt->rules.audience)) ||
        (error = set_time(object, "iat", claims->issued_at)) ||
        (error = set_time(object, "nbf", claims->not_before)) ||
        (error = set_time(object, "exp", claims->expires))) {
        json_decref(object);
        return error;
    }
    size_t len = json_dumpb(object, (char *)jwt->room, sizeof jwt->room, JSON_COMPACT);
    json_decref(object);
    return len == 0 ? WSPOOL_ERR_NOMEM : len > sizeof jwt->room ? WSPOOL_ERR_TOO_BIG : (int)len;
}

/* Signs a payload. Returns the length of the token, or TOO_BIG. */
static int sign(wspool_jwt *jwt, wspool_text payload, char *token, size_t room)
{
    char header[32] = "{\"alg\":\"", *end = header + strlen(header);
    uint8_t signature[WSP_JWT_HMAC_MAX];
    size_t signature_len = wsp_jwt_secret_min(jwt->algorithm);
    strcpy(end, wsp_jwt_algorithm_name(jwt->algorithm));
    strcat(end, "\",\"typ\":\"JWT\"}");
    size_t header_len = strlen(header), head_text = WSP_BASE64URL_ENCODED(header_len);
    if (payload.len > WSP_JWS_BYTES) {
        return WSPOOL_ERR_TOO_BIG;
    }
    size_t signed_len = head_text + 1 + WSP_BASE64URL_ENCODED(payload.len);
    size_t len = signed_len + 1 + WSP_BASE64URL_ENCODED(signature_len);
    if (len > room || len > WSPOOL_TOKEN_MAX) {
        return WSPOOL_ERR_TOO_BIG;
    }
    wsp_base64url_encode((const uint8_t *)header, header_len, token);
    token[head_text] = '.';
    wsp_base64url_encode((const uint8_t *)payload.data, payload.len, token + head_text + 1);
    wsp_jwt_secrets_sign(&jwt->secrets, (wspool_text){token, signed_len}, signature);
    token[signed_len] = '.';
    wsp_base64url_encode(signature, signature_len, token + signed_len + 1);
    return (int)len;
}

int wspool_jwt_sign(wspool_jwt *jwt, const wspool_jwt_claims *given, char *token, size_t room)
{
    wspool_jwt_claims claims = {.size = sizeof claims};
    if (!jwt || !given || !token || !wsp_jwt_has_secret(jwt->algorithm) ||
        wspool_versioned_read(&claims, sizeof claims, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (claims.payload.len > 0) {
        return sign(jwt, claims.payload, token, room);
    }
    int result = build(jwt, &claims);
    if (result < 0) {
        return result;
    }
    return sign(jwt, (wspool_text){(const char *)jwt->room, (size_t)result}, token, room);
}
