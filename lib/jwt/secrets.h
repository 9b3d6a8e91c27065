/* SPDX-License-Identifier: MIT */
/*
 * jwt/secrets.h - HMAC with one or two secrets. Only this module knows what is derived from them.
 */
#ifndef WSP_JWT_SECRETS_H
#define WSP_JWT_SECRETS_H

#include <nettle/hmac.h>

#include <wspool/jwt.h>

#include "jwt/jws.h"

struct wsp_jwt_secret {
    union {
        struct hmac_sha256_ctx sha256;
        struct hmac_sha384_ctx sha384;
        struct hmac_sha512_ctx sha512;
    } hmac;
};

struct wsp_jwt_secrets {
    enum wspool_jwt_algorithm algorithm;
    int count; /* 0: none is set */
    struct wsp_jwt_secret each[2];
};

/* The longest signature. */
#define WSP_JWT_HMAC_MAX SHA512_DIGEST_SIZE

/* Returns the least bytes of a secret, which is also the length of a signature. */
size_t wsp_jwt_secret_min(enum wspool_jwt_algorithm algorithm);

/* Both secrets are long enough. `old` may be NULL. */
void wsp_jwt_secrets_set(struct wsp_jwt_secrets *secrets, enum wspool_jwt_algorithm algorithm,
                         const void *secret, size_t len, const void *old, size_t old_len);

/* Overwrites them. */
void wsp_jwt_secrets_wipe(struct wsp_jwt_secrets *secrets);

/* Writes the signature of a text under the first secret. Returns its length. */
size_t wsp_jwt_secrets_sign(struct wsp_jwt_secrets *secrets, wspool_text text, uint8_t *signature);

/* Returns 1 if the signature is that of one of the secrets. Its time does not depend on where the
 * signatures differ. */
int wsp_jwt_secrets_verify(struct wsp_jwt_secrets *secrets, const struct wsp_jws *jws);

#endif
