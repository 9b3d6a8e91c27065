/* SPDX-License-Identifier: MIT */
/* jwt/secrets.c - see jwt/secrets.h. */
#include "jwt/secrets.h"

#include <nettle/memops.h>

#include "jwt/algorithm.h"
#include "jwt/wipe.h"

size_t wsp_jwt_secret_min(enum wspool_jwt_algorithm algorithm)
{
    return algorithm == WSPOOL_JWT_HS256   ? SHA256_DIGEST_SIZE
           : algorithm == WSPOOL_JWT_HS384 ? SHA384_DIGEST_SIZE
                                           : SHA512_DIGEST_SIZE;
}

static void set_key(struct wsp_jwt_secret *secret, enum wspool_jwt_algorithm algorithm,
                    const void *key, size_t len)
{
    switch (algorithm) {
    case WSPOOL_JWT_HS256:
        hmac_sha256_set_key(&secret->hmac.sha256, len, key);
        break;
    case WSPOOL_JWT_HS384:
        hmac_sha384_set_key(&secret->hmac.sha384, len, key);
        break;
    default:
        hmac_sha512_set_key(&secret->hmac.sha512, len, key);
        break;
    }
}

void wsp_jwt_secrets_set(struct wsp_jwt_secrets *secrets, enum wspool_jwt_algorithm algorithm,
                         const void *secret, size_t len, const void *old, size_t old_len)
{
    wsp_jwt_secrets_wipe(secrets);
    secrets->algorithm = algorithm;
    secrets->count = old ? 2 : 1;
    set_key(&secrets->each[0], algorithm, secret, len);
    if (old) {
        set_key(&secrets->each[1], algorithm, old, old_len);
    }
}

void wsp_jwt_secrets_wipe(struct wsp_jwt_secrets *secrets)
{
    wsp_jwt_wipe(secrets, sizeof *secrets);
}

/* nettle leaves each context as it was before the text. */
static void sign(struct wsp_jwt_secret *secret, enum wspool_jwt_algorithm algorithm,
                 wspool_text text, uint8_t *signature)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    switch (algorithm) {
    case WSPOOL_JWT_HS256:
        hmac_sha256_update(&secret->hmac.sha256, text.len, bytes);
        hmac_sha256_digest(&secret->hmac.sha256, SHA256_DIGEST_SIZE, signature);
        break;
    case WSPOOL_JWT_HS384:
        hmac_sha384_update(&secret->hmac.sha384, text.len, bytes);
        hmac_sha384_digest(&secret->hmac.sha384, SHA384_DIGEST_SIZE, signature);
        break;
    default:
        hmac_sha512_update(&secret->hmac.sha512, text.len, bytes);
        hmac_sha512_digest(&secret->hmac.sha512, SHA512_DIGEST_SIZE, signature);
        break;
    }
}

size_t wsp_jwt_secrets_sign(struct wsp_jwt_secrets *secrets, wspool_text text, uint8_t *signature)
{
    sign(&secrets->each[0], secrets->algorithm, text, signature);
    return wsp_jwt_secret_min(secrets->algorithm);
}

int wsp_jwt_secrets_verify(struct wsp_jwt_secrets *secrets, const struct wsp_jws *jws)
{
    uint8_t expected[WSP_JWT_HMAC_MAX];
    size_t len = wsp_jwt_secret_min(secrets->algorithm);
    int holds = 0;
    if (jws->signature.len != len) {
        return 0;
    }
    for (int i = 0; i < secrets->count && !holds; i++) {
        sign(&secrets->each[i], secrets->algorithm, jws->signed_text, expected);
        holds = memeql_sec(expected, jws->signature.data, len);
    }
    wsp_jwt_wipe(expected, sizeof expected);
    return holds;
}
