/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_jwt.c - tokens (lib/jwt): base64url, JSON, header and claims.
 *
 * Demands:
 * - A second judge, written for this test on nettle and jansson alone, comes to the same verdict,
 *   with the same reason.
 * - The claims of a valid token are those that the second judge reads, and its payload is the bytes
 *   that were signed.
 * - A token is judged as such only: one that is valid is not valid with a byte changed.
 *
 * Input: two characters (see `setting`), then the header and the payload of a token, a line each,
 * which are encoded and signed here; or a token as it is.
 */
#include "fuzz.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>

#include <wspool/jwt.h>

const unsigned fuzz_runs = 15000;

enum { LONGEST = 12000, DEPTH = 16 };
#define NOW UINT64_C(1700000000)
#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_object_seed(1); /* the order of members is the same in each run */
    return 0;
}

struct setting {
    const char *issuer, *audience;
    uint64_t leeway;
    int needs_exp;
};

struct segment {
    const char *text;
    size_t len;
    uint8_t bytes[LONGEST];
    size_t count;
};

static size_t encode(const void *bytes, size_t len, char *out)
{
    size_t n = BASE64_ENCODE_RAW_LENGTH(len);
    base64_encode_raw(out, len, bytes);
    while (n > 0 && out[n - 1] == '=') {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    return n;
}

static void mac(const char *text, size_t len, uint8_t *out)
{
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, strlen(SECRET), (const uint8_t *)SECRET);
    hmac_sha256_update(&hmac, len, (const uint8_t *)text);
    hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, out);
}

/* ------------------------------------------------------------ second judge */

/* nettle's decoder is lenient: what it reads must encode to the same text. */
static int decode(struct segment *segment)
{
    struct base64_decode_ctx ctx;
    static char again[2 * LONGEST];
    segment->count = sizeof segment->bytes;
    base64url_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &segment->count, segment->bytes, segment->len, segment->text)) {
        return 0;
    }
    return segment->count > 0 && encode(segment->bytes, segment->count, again) == segment->len &&
           memcmp(again, segment->text, segment->len) == 0;
}

static int depth_of(json_t *value)
{
    int depth = 0, each;
    size_t i;
    const char *name;
    json_t *child;
    if (json_is_array(value)) {
        json_array_foreach(value, i, child)
        {
            each = depth_of(child);
            depth = each > depth ? each : depth;
        }
    } else if (json_is_object(value)) {
        json_object_foreach(value, name, child)
        {
            each = depth_of(child);
            depth = each > depth ? each : depth;
        }
    } else {
        return 0;
    }
    return depth + 1;
}

static json_t *object_of(const struct segment *segment)
{
    json_t *object =
        json_loadb((const char *)segment->bytes, segment->count, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object) || depth_of(object) > DEPTH) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int is_text(json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcmp(text, expected) == 0;
}

/* A time, or a negative number. */
static double time_of(json_t *object, const char *name, double absent)
{
    json_t *value = json_object_get(object, name);
    if (value == NULL) {
        return absent;
    }
    if (!json_is_number(value) || json_number_value(value) < 0 ||
        json_number_value(value) > 9007199254740992.0 ||
        (json_is_integer(value) && json_integer_value(value) > INT64_C(9007199254740992))) {
        return -1;
    }
    return json_number_value(value);
}

static int judge_claims(json_t *claims, const struct setting *s)
{
    double exp = time_of(claims, "exp", 1e300), nbf = time_of(claims, "nbf", 0),
           iat = time_of(claims, "iat", 0), now = (double)NOW, leeway = (double)s->leeway;
    json_t *sub = json_object_get(claims, "sub"), *aud = json_object_get(claims, "aud");
    int found = is_text(claims, "aud", s->audience ? s->audience : "");
    if (exp < 0 || nbf < 0 || iat < 0 ||
        (sub != NULL && (!json_is_string(sub) || json_string_length(sub) > WSPOOL_SUBJECT_MAX))) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    if (s->needs_exp && json_object_get(claims, "exp") == NULL) {
        return WSPOOL_REFUSED_TOKEN_INVALID;
    }
    if (s->issuer != NULL && !is_text(claims, "iss", s->issuer)) {
        return WSPOOL_REFUSED_TOKEN_WRONG_ISSUER;
    }
    for (size_t i = 0; s->audience != NULL && i < json_array_size(aud); i++) {
        const char *one = json_string_value(json_array_get(aud, i));
        found |= one != NULL && strcmp(one, s->audience) == 0;
    }
    if (s->audience != NULL ? !found : aud != NULL) {
        return WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE;
    }
    if (now >= (double)(uint64_t)(exp > 1e299 ? 1e18 : exp) + leeway) {
        return WSPOOL_REFUSED_TOKEN_EXPIRED;
    }
    return nbf > now + leeway || iat > now + leeway ? (int)WSPOOL_REFUSED_TOKEN_NOT_YET_VALID : 0;
}

static int judge_again(const char *token, size_t len, const struct setting *s,
                       struct segment *payload, json_t **claims)
{
    static struct segment header, signature;
    uint8_t expected[SHA256_DIGEST_SIZE];
    size_t blank = 0;
    *claims = NULL;
    while (blank < len && (token[blank] == ' ' || token[blank] == '\t')) {
        blank++;
    }
    if (blank == len) {
        return WSPOOL_REFUSED_TOKEN_EMPTY;
    }
    const char *first = memchr(token, '.', len);
    const char *last = NULL;
    for (size_t i = 0; i < len; i++) {
        last = token[i] == '.' ? token + i : last;
    }
    if (len > WSPOOL_TOKEN_MAX || first == last) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    header.text = token, header.len = (size_t)(first - token);
    payload->text = first + 1, payload->len = (size_t)(last - first - 1);
    signature.text = last + 1, signature.len = (size_t)(token + len - last - 1);
    if (!decode(&header) || !decode(payload) || !decode(&signature)) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    json_t *head = object_of(&header), *kid = json_object_get(head, "kid");
    int well = json_is_string(json_object_get(head, "alg")) && (kid == NULL || json_is_string(kid));
    int good = is_text(head, "alg", "HS256") && json_object_get(head, "crit") == NULL;
    json_decref(head);
    if (!well) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    mac(token, (size_t)(last - token), expected);
    if (!good || signature.count != sizeof expected ||
        memcmp(signature.bytes, expected, sizeof expected) != 0) {
        return WSPOOL_REFUSED_TOKEN_INVALID;
    }
    *claims = object_of(payload);
    return *claims == NULL ? (int)WSPOOL_REFUSED_TOKEN_MALFORMED : judge_claims(*claims, s);
}

/* ---------------------------------------------------------------------- one */

static void compare(wspool_jwt *jwt, char *token, size_t len, const struct setting *s)
{
    static struct segment payload;
    json_t *again;
    wspool_jwt_claims claims = {.size = sizeof claims};
    int expected = judge_again(token, len, s, &payload, &again);
    int verdict = wspool_jwt_verify(jwt, (wspool_text){token, len}, NOW, &claims);
    FUZZ_DEMAND(verdict == expected, "%d, and the second judge says %d", verdict, expected);
    if (verdict == 0) {
        json_t *sub = json_object_get(again, "sub");
        FUZZ_DEMAND(claims.subject.len == json_string_length(sub) &&
                        (sub == NULL || memcmp(claims.subject.data, json_string_value(sub),
                                               claims.subject.len) == 0),
                    "another subject");
        FUZZ_DEMAND(claims.expires == (uint64_t)time_of(again, "exp", 0), "another exp");
        FUZZ_DEMAND(claims.payload.len == payload.count &&
                        memcmp(claims.payload.data, payload.bytes, payload.count) == 0,
                    "another payload");
        size_t at = (size_t)fuzz_hash(token, len) % len;
        char before = token[at];
        token[at] = before == 'A' ? 'B' : 'A';
        FUZZ_DEMAND(wspool_jwt_verify(jwt, (wspool_text){token, len}, NOW, NULL) != 0,
                    "valid with another byte %zu", at);
        token[at] = before;
    }
    json_decref(again);
}

/* Encodes and signs two lines. Returns the length of the token. */
static size_t make(fuzz_input *in, char *token)
{
    fuzz_input line = {NULL, 0};
    uint8_t signature[SHA256_DIGEST_SIZE];
    size_t len = 0;
    for (int i = 0; i < 2; i++) {
        if (!fuzz_line(in, &line)) {
            line.len = 0;
        }
        len += encode(line.data, line.len < 4000 ? line.len : 4000, token + len);
        token[len++] = '.';
    }
    mac(token, len - 1, signature);
    return len + encode(signature, sizeof signature, token + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char made[LONGEST];
    fuzz_input in = {data, size};
    unsigned bits = fuzz_number(&in, 16);
    wspool_jwt_config config;
    wspool_jwt *jwt;
    size_t len;
    wspool_jwt_config_init(&config);
    config.secret = SECRET;
    config.secret_len = strlen(SECRET);
    config.cache_entries = 0;
    config.issuer = bits & 2 ? "me" : NULL;
    config.audience = bits & 4 ? "us" : NULL;
    config.needs_exp = (bits & 8) == 0;
    config.leeway = fuzz_number(&in, 61);
    struct setting setting = {config.issuer, config.audience, config.leeway, config.needs_exp};
    FUZZ_DEMAND(wspool_jwt_new(&jwt, &config) == 0, "no judge");
    if (bits & 1) {
        len = in.len < LONGEST ? in.len : LONGEST;
        memcpy(made, in.data, len);
    } else {
        len = make(&in, made);
    }
    char *token = fuzz_copy(made, len);
    compare(jwt, token, len, &setting);
    fuzz_free(token, len);
    wspool_jwt_free(jwt);
    return 0;
}
