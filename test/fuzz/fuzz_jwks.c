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
#include "fuzz.h"

#include <jansson.h>

#include <wspool/error.h>
#include <wspool/jwt.h>

const unsigned fuzz_runs = 4000;

#define NOW UINT64_C(1300819379)
#define PAYLOAD \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

/* The examples of RFC 7515, appendices A.3 and A.2, and of RFC 8037, appendix A.4. The payload of
 * the last is no JSON: TOKEN_MALFORMED says that its signature holds. */
static const struct {
    enum wspool_jwt_algorithm algorithm;
    int good;
    const char *type, *key, *token;
} examples[] = {
    {WSPOOL_JWT_ES256, 0, "EC",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
     "eyJhbGciOiJFUzI1NiJ9." PAYLOAD
     ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {WSPOOL_JWT_RS256, 0, "RSA",
     "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
     "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
     "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
     "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
     "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}",
     "eyJhbGciOiJSUzI1NiJ9." PAYLOAD
     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
     "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
     "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
     "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {WSPOOL_JWT_EDDSA, WSPOOL_REFUSED_TOKEN_MALFORMED, "OKP",
     "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
     "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"}};

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
        FUZZ_DEMAND(strstr(text, example == 0 ? "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
                                 : example == 1
                                     ? "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l"
                                     : "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
                    "another key holds");
        free(text);
        json_decref(taken);
    }
    fuzz_free(set, in.len);
    wspool_jwt_free(jwt);
    return 0;
}
