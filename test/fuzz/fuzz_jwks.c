/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_jwks.c - JWK sets (lib/jwt/keys.c).
 *
 * Demands:
 * - A set is taken only if a second reader finds as many keys of the algorithm's type in it.
 * - A set that is refused changes nothing: the keys before it still serve.
 * - Whatever the keys are, a signature of another key does not hold under them.
 *
 * Input: a character for the algorithm, then a set.
 */
#include "../jwt/vectors.h"
#include "fuzz.h"

#include <jansson.h>

#include <wspool/error.h>
#include <wspool/jwt.h>

const unsigned fuzz_runs = 4000;

#define NOW (RFC_EXP - 1)

/* The examples of RFC 7515, appendices A.3 and A.2, and of RFC 8037, appendix A.4. The payload of
 * the last is no JSON: TOKEN_MALFORMED says that its signature holds. */
static const struct {
    enum wspool_jwt_algorithm algorithm;
    int good;
    const char *type, *key, *token;
} examples[] = {{WSPOOL_JWT_ES256, 0, "EC",
                 "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_P256_X
                 "\",\"y\":\"" RFC_P256_Y "\"}]}",
                 RFC_ES256_TOKEN},
                {WSPOOL_JWT_RS256, 0, "RSA",
                 "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_RSA_N "\"}]}",
                 RFC_RS256_TOKEN},
                {WSPOOL_JWT_EDDSA, WSPOOL_REFUSED_TOKEN_MALFORMED, "OKP",
                 "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_ED25519_X "\"}]}",
                 RFC_EDDSA_TOKEN}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_object_seed(1);
    return 0;
}

/* How many keys of a type a set may have. */
static size_t count_again(const void *bytes, size_t len, const char *type)
{
    json_t *set = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL), *each;
    size_t count = 0, i;
    json_array_foreach(json_object_get(set, "keys"), i, each)
    {
        const char *kty = json_string_value(json_object_get(each, "kty"));
        const char *use = json_string_value(json_object_get(each, "use"));
        count += kty != NULL && strcmp(kty, type) == 0 && (use == NULL || strcmp(use, "sig") == 0);
    }
    json_decref(set);
    return count;
}

static int verdict(wspool_jwt *jwt, int example)
{
    const char *token = examples[example].token;
    return wspool_jwt_verify(jwt, (wspool_text){token, strlen(token)}, NOW, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    int example = (int)fuzz_number(&in, 3);
    wspool_jwt_stats stats = {.size = sizeof stats};
    wspool_jwt_config config;
    wspool_jwt *jwt;
    wspool_jwt_config_init(&config);
    config.algorithm = examples[example].algorithm;
    config.cache_entries = 0;
    FUZZ_DEMAND(wspool_jwt_new(&jwt, &config) == 0, "no judge");
    const char *key = examples[example].key;
    FUZZ_DEMAND(wspool_jwt_set_keys(jwt, key, strlen(key)) == 0, "no example");

    uint8_t *set = fuzz_copy(in.data, in.len);
    int result = wspool_jwt_set_keys(jwt, set, in.len);
    FUZZ_DEMAND(result == 0 || result == WSPOOL_ERR_INVAL || result == WSPOOL_ERR_FULL, "%d",
                result);
    (void)wspool_jwt_get_stats(jwt, &stats);
    if (result == 0) {
        size_t most = count_again(set, in.len, examples[example].type);
        FUZZ_DEMAND(stats.keys >= 1 && stats.keys <= most, "%llu keys, of %zu",
                    (unsigned long long)stats.keys, most);
    } else {
        FUZZ_DEMAND(stats.keys == 1 && verdict(jwt, example) == examples[example].good,
                    "the key before it is lost");
    }
    /* Nobody finds a second key for the example: under another one its signature does not hold. */
    if (result == 0 && verdict(jwt, example) == examples[example].good) {
        json_t *taken = json_loadb((const char *)set, in.len, 0, NULL);
        char *text = json_dumps(taken, 0);
        FUZZ_DEMAND(strstr(text, example == 0 ? RFC_P256_X
                                 : example == 1
                                     ? "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l"
                                     : RFC_ED25519_X),
                    "another key holds");
        free(text);
        json_decref(taken);
    }
    fuzz_free(set, in.len);
    wspool_jwt_free(jwt);
    return 0;
}
