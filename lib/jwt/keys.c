/* SPDX-License-Identifier: MIT */
/* jwt/keys.c - see jwt/keys.h. */
#include "jwt/keys.h"

#include <string.h>

#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>

#include <wspool/error.h>

#include "jwt/algorithm.h"
#include "jwt/base64url.h"
#include "jwt/object.h"

#define P256_BYTES 32u
#define RSA_BYTES_MAX (WSP_JWT_RSA_BITS_MAX / 8)
#define RSA_EXPONENT_BITS_MAX 32u /* a longer one only costs time */

/* --------------------------------------------------------------- one key */

/* Decodes a member of at most `max` bytes. Returns its length; 0: it is absent or malformed. */
static size_t read_bytes(const json_t *jwk, const char *name, size_t max, uint8_t *bytes)
{
    wspool_text text;
    if (wsp_jwt_object_text(jwk, name, WSP_BASE64URL_ENCODED(max), &text) != 1 ||
        !wsp_base64url_decode(text.data, text.len, bytes)) {
        return 0;
    }
    return WSP_BASE64URL_DECODED(text.len);
}

/* Each of these returns 1 if the key is usable; otherwise there is nothing to free. */

static int read_p256(const json_t *jwk, struct ecc_point *point)
{
    uint8_t x[P256_BYTES], y[P256_BYTES];
    mpz_t mx, my;
    if (wsp_jwt_object_is(jwk, "crv", "P-256") != 1 ||
        read_bytes(jwk, "x", sizeof x, x) != sizeof x ||
        read_bytes(jwk, "y", sizeof y, y) != sizeof y) {
        return 0;
    }
    ecc_point_init(point, nettle_get_secp_256r1());
    nettle_mpz_init_set_str_256_u(mx, sizeof x, x);
    nettle_mpz_init_set_str_256_u(my, sizeof y, y);
    int is_on_curve = ecc_point_set(point, mx, my);
    mpz_clear(mx);
    mpz_clear(my);
    if (!is_on_curve) {
        ecc_point_clear(point);
    }
    return is_on_curve;
}

static int is_strong(struct rsa_public_key *rsa)
{
    size_t bits = mpz_sizeinbase(rsa->n, 2);
    return bits >= WSP_JWT_RSA_BITS_MIN && bits <= WSP_JWT_RSA_BITS_MAX && mpz_odd_p(rsa->n) &&
           mpz_odd_p(rsa->e) && mpz_cmp_ui(rsa->e, 3) >= 0 &&
           mpz_sizeinbase(rsa->e, 2) <= RSA_EXPONENT_BITS_MAX && rsa_public_key_prepare(rsa);
}

static int read_rsa(const json_t *jwk, struct rsa_public_key *rsa)
{
    uint8_t n[RSA_BYTES_MAX], e[RSA_BYTES_MAX];
    size_t n_len = read_bytes(jwk, "n", sizeof n, n), e_len = read_bytes(jwk, "e", sizeof e, e);
    if (n_len == 0 || e_len == 0) {
        return 0;
    }
    rsa_public_key_init(rsa);
    nettle_mpz_set_str_256_u(rsa->n, n_len, n);
    nettle_mpz_set_str_256_u(rsa->e, e_len, e);
    if (!is_strong(rsa)) {
        rsa_public_key_clear(rsa);
        return 0;
    }
    return 1;
}

static int read_ed25519(const json_t *jwk, uint8_t *key)
{
    return wsp_jwt_object_is(jwk, "crv", "Ed25519") == 1 &&
           read_bytes(jwk, "x", ED25519_KEY_SIZE, key) == ED25519_KEY_SIZE;
}

/* The members that say what the key is for (RFC 7517, section 4). */
static int is_for(const json_t *jwk, enum wspool_jwt_algorithm algorithm)
{
    static const char *const types[] = {[WSPOOL_JWT_ES256] = "EC", "RSA", "OKP"};
    const json_t *operations = json_object_get(jwk, "key_ops");
    return wsp_jwt_object_is(jwk, "kty", types[algorithm]) == 1 &&
           wsp_jwt_object_is(jwk, "use", "sig") >= 0 &&
           wsp_jwt_object_is(jwk, "alg", wsp_jwt_algorithm_name(algorithm)) >= 0 &&
           (!operations || wsp_jwt_array_has(operations, "verify"));
}

static int read_key(const json_t *jwk, enum wspool_jwt_algorithm algorithm, struct wsp_jwt_key *key)
{
    wspool_text kid = {NULL, 0};
    if (!is_for(jwk, algorithm)) {
        return 0;
    }
    key->has_kid = wsp_jwt_object_text(jwk, "kid", WSPOOL_JWT_KID_MAX, &kid);
    if (key->has_kid < 0) {
        return 0;
    }
    key->kid_len = kid.len;
    if (kid.len > 0) {
        memcpy(key->kid, kid.data, kid.len);
    }
    switch (algorithm) {
    case WSPOOL_JWT_ES256:
        return read_p256(jwk, &key->as.p256);
    case WSPOOL_JWT_RS256:
        return read_rsa(jwk, &key->as.rsa);
    default:
        return read_ed25519(jwk, key->as.ed25519);
    }
}

/* ----------------------------------------------------------------- a set */

static int has_kid(const struct wsp_jwt_key *key, wspool_text kid)
{
    return key->has_kid && key->kid_len == kid.len && memcmp(key->kid, kid.data, kid.len) == 0;
}

static const struct wsp_jwt_key *find(const struct wsp_jwt_keys *keys, wspool_text kid)
{
    if (!kid.data) {
        return keys->count == 1 ? &keys->each[0] : NULL;
    }
    for (size_t i = 0; i < keys->count; i++) {
        if (has_kid(&keys->each[i], kid)) {
            return &keys->each[i];
        }
    }
    return NULL;
}

/* Returns 1 if no token could tell this key from an earlier one. */
static int is_ambiguous(const struct wsp_jwt_keys *keys, const struct wsp_jwt_key *key)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct wsp_jwt_key *other = &keys->each[i];
        if (key->has_kid ? has_kid(other, (wspool_text){key->kid, key->kid_len})
                         : !other->has_kid) {
            return 1;
        }
    }
    return 0;
}

static void free_key(struct wsp_jwt_key *key, enum wspool_jwt_algorithm algorithm)
{
    if (algorithm == WSPOOL_JWT_ES256) {
        ecc_point_clear(&key->as.p256);
    } else if (algorithm == WSPOOL_JWT_RS256) {
        rsa_public_key_clear(&key->as.rsa);
    }
}

/* `keys` has room for `room` keys. */
static int read_keys(struct wsp_jwt_keys *keys, size_t room, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct wsp_jwt_key key;
        if (!read_key(json_array_get(array, i), keys->algorithm, &key)) {
            continue;
        }
        int error = keys->count == room        ? WSPOOL_ERR_FULL
                    : is_ambiguous(keys, &key) ? WSPOOL_ERR_INVAL
                                               : 0;
        if (error) {
            free_key(&key, keys->algorithm);
            return error;
        }
        keys->each[keys->count++] = key;
    }
    return keys->count > 0 ? 0 : WSPOOL_ERR_INVAL;
}

int wsp_jwt_keys_read(struct wsp_jwt_memory *memory, enum wspool_jwt_algorithm algorithm,
                      const void *json, size_t len, struct wsp_jwt_keys **out)
{
    json_t *set;
    int error = 0;
    *out = NULL;
    if (len > WSPOOL_JWT_KEY_SET_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    int refusal = wsp_jwt_object_read(json, len, &set);
    if (refusal) {
        return refusal == WSPOOL_REFUSED_NOMEM ? WSPOOL_ERR_NOMEM : WSPOOL_ERR_INVAL;
    }
    const json_t *array = json_object_get(set, "keys");
    size_t room = json_array_size(array);
    room = room < WSPOOL_JWT_KEYS_MAX ? room : WSPOOL_JWT_KEYS_MAX;
    struct wsp_jwt_keys *keys = wsp_jwt_alloc(memory, sizeof *keys + room * sizeof keys->each[0]);
    if (keys) {
        keys->algorithm = algorithm;
        keys->count = 0;
        error = read_keys(keys, room, array);
    } else {
        error = WSPOOL_ERR_NOMEM;
    }
    json_decref(set);
    if (error) {
        wsp_jwt_keys_free(memory, keys);
        keys = NULL;
    }
    *out = keys;
    return error;
}

void wsp_jwt_keys_free(struct wsp_jwt_memory *memory, struct wsp_jwt_keys *keys)
{
    for (size_t i = 0; keys && i < keys->count; i++) {
        free_key(&keys->each[i], keys->algorithm);
    }
    wsp_jwt_release(memory, keys);
}

/* ------------------------------------------------------------- signatures */

static int holds_es256(const struct ecc_point *key, wspool_text text,
                       struct wsp_jws_bytes signature)
{
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct dsa_signature rs;
    if (signature.len != 2 * P256_BYTES) {
        return 0;
    }
    sha256_init(&hash);
    sha256_update(&hash, text.len, (const uint8_t *)text.data);
    sha256_digest(&hash, sizeof digest, digest);
    dsa_signature_init(&rs);
    nettle_mpz_set_str_256_u(rs.r, P256_BYTES, signature.data);
    nettle_mpz_set_str_256_u(rs.s, P256_BYTES, signature.data + P256_BYTES);
    int holds = ecdsa_verify(key, sizeof digest, digest, &rs);
    dsa_signature_clear(&rs);
    return holds;
}

static int holds_rs256(const struct rsa_public_key *key, wspool_text text,
                       struct wsp_jws_bytes signature)
{
    struct sha256_ctx hash;
    mpz_t number;
    if (signature.len != key->size) {
        return 0;
    }
    sha256_init(&hash);
    sha256_update(&hash, text.len, (const uint8_t *)text.data);
    nettle_mpz_init_set_str_256_u(number, signature.len, signature.data);
    int holds = rsa_sha256_verify(key, &hash, number);
    mpz_clear(number);
    return holds;
}

int wsp_jwt_keys_verify(const struct wsp_jwt_keys *keys, wspool_text kid, const struct wsp_jws *jws)
{
    const struct wsp_jwt_key *key = find(keys, kid);
    wspool_text text = jws->signed_text;
    if (!key) {
        return 0;
    }
    switch (keys->algorithm) {
    case WSPOOL_JWT_ES256:
        return holds_es256(&key->as.p256, text, jws->signature);
    case WSPOOL_JWT_RS256:
        return holds_rs256(&key->as.rsa, text, jws->signature);
    default:
        return jws->signature.len == ED25519_SIGNATURE_SIZE &&
               ed25519_sha512_verify(key->as.ed25519, text.len, (const uint8_t *)text.data,
                                     jws->signature.data);
    }
}
