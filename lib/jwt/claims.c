/* SPDX-License-Identifier: MIT */
/* jwt/claims.c - see jwt/claims.h. */
#include "jwt/claims.h"

#include "jwt/object.h"

/* Reads a time. A fraction is rounded down, or up, so that no token is valid longer than it says.
 * Returns 1 if it is there, 0 if not, -1 if it is no time. */
static int read_time(const json_t *payload, const char *name, int up, uint64_t *seconds)
{
    const json_t *value = json_object_get(payload, name);
    *seconds = 0;
    if (!value) {
        return 0;
    }
    if (json_is_integer(value)) {
        json_int_t whole = json_integer_value(value);
        *seconds = (uint64_t)whole;
        return whole >= 0 && *seconds <= WSP_JWT_TIME_MAX ? 1 : -1;
    }
    double real = json_is_real(value) ? json_real_value(value) : -1;
    if (!(real >= 0 && real <= (double)WSP_JWT_TIME_MAX)) {
        return -1;
    }
    *seconds = (uint64_t)real;
    *seconds += up && (double)*seconds < real;
    return 1;
}

/* A payload has `aud` as one string, or as an array of strings. */
static int has_audience(const json_t *payload, const char *audience)
{
    const json_t *value = json_object_get(payload, "aud");
    if (!audience) {
        return value == NULL;
    }
    return wsp_jwt_object_is(payload, "aud", audience) == 1 || wsp_jwt_array_has(value, audience);
}

int wsp_jwt_claims_judge(const json_t *payload, const struct wsp_jwt_rules *rules, uint64_t now,
                         wspool_jwt_claims *claims)
{
    *claims = (wspool_jwt_claims){.size = sizeof *claims};
    int has_exp = read_time(payload, "exp", 0, &claims->expires);
    int has_nbf = read_time(payload, "nbf", 1, &claims->not_before);
    int has_iat = read_time(payload, "iat", 1, &claims->issued_at);
    if (has_exp < 0 || has_nbf < 0 || has_iat < 0 ||
        wsp_jwt_object_text(payload, "sub", WSPOOL_SUBJECT_MAX, &claims->subject) < 0) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    if (rules->needs_exp && !has_exp) {
        return WSPOOL_REFUSED_TOKEN_INVALID;
    }
    if (rules->issuer && wsp_jwt_object_is(payload, "iss", rules->issuer) != 1) {
        return WSPOOL_REFUSED_TOKEN_WRONG_ISSUER;
    }
    if (!has_audience(payload, rules->audience)) {
        return WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE;
    }
    if (has_exp && now >= claims->expires + rules->leeway) {
        return WSPOOL_REFUSED_TOKEN_EXPIRED;
    }
    if (claims->not_before > now + rules->leeway || claims->issued_at > now + rules->leeway) {
        return WSPOOL_REFUSED_TOKEN_NOT_YET_VALID;
    }
    return 0;
}
