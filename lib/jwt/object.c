/* SPDX-License-Identifier: MIT */
/*
 * jwt/object.c - see jwt/object.h.
 *
 * jansson 2.14 omits a byte of a string or a number for which its buffer cannot grow, without an
 * error: for want of memory "user12" would be read as "user1". Therefore it reads the array
 * ["   ...", OBJECT], whose first string is as long as the object. After it the buffer has room for
 * whatever the object contains; if it could not grow, the string is too short.
 */
#include "jwt/object.h"

#include <string.h>

static int nests_too_deep(const uint8_t *bytes, size_t len)
{
    unsigned depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = bytes[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = 0;
            }
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            if (++depth > WSP_JWT_DEPTH) {
                return 1;
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
    }
    return 0;
}

/* The array that jansson reads, in the order of its parts. */
struct source {
    const uint8_t *object;
    size_t len;
    size_t at; /* of the whole: `["`, len spaces, `",`, the object, `]` */
};

static size_t give(void *buffer, size_t room, void *user)
{
    struct source *source = user;
    char *out = buffer;
    size_t pad_ends = 2 + source->len, object_ends = pad_ends + 2 + source->len, count = 0;
    while (count < room && source->at <= object_ends) {
        size_t at = source->at++;
        out[count++] = at < 2              ? "[\""[at]
                       : at < pad_ends     ? ' '
                       : at < pad_ends + 2 ? "\","[at - pad_ends]
                       : at < object_ends  ? (char)source->object[at - pad_ends - 2]
                                           : ']';
    }
    return count;
}

int wsp_jwt_object_read(const uint8_t *bytes, size_t len, json_t **object)
{
    struct source source = {bytes, len, 0};
    json_error_t error = {0}; /* jansson sets no code if it could not begin */
    *object = NULL;
    if (nests_too_deep(bytes, len)) {
        return WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    json_t *array = json_load_callback(give, &source, JSON_REJECT_DUPLICATES, &error);
    if (!array) {
        enum json_error_code code = json_error_code(&error);
        return code == json_error_out_of_memory || code == json_error_unknown
                   ? (int)WSPOOL_REFUSED_NOMEM
                   : (int)WSPOOL_REFUSED_TOKEN_MALFORMED;
    }
    int refusal = 0;
    if (json_string_length(json_array_get(array, 0)) != len) {
        refusal = WSPOOL_REFUSED_NOMEM;
    } else if (json_array_size(array) != 2 || !json_is_object(json_array_get(array, 1))) {
        refusal = WSPOOL_REFUSED_TOKEN_MALFORMED;
    } else {
        *object = json_incref(json_array_get(array, 1));
    }
    json_decref(array);
    return refusal;
}

int wsp_jwt_object_text(const json_t *object, const char *name, size_t max, wspool_text *text)
{
    const json_t *value = json_object_get(object, name);
    if (!value) {
        return 0;
    }
    if (!json_is_string(value) || json_string_length(value) > max) {
        return -1;
    }
    *text = (wspool_text){json_string_value(value), json_string_length(value)};
    return 1;
}

static int is_equal(const json_t *value, const char *expected)
{
    return json_is_string(value) && strcmp(json_string_value(value), expected) == 0;
}

int wsp_jwt_object_is(const json_t *object, const char *name, const char *expected)
{
    const json_t *value = json_object_get(object, name);
    return !value ? 0 : is_equal(value, expected) ? 1 : -1;
}

int wsp_jwt_array_has(const json_t *array, const char *expected)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (is_equal(json_array_get(array, i), expected)) {
            return 1;
        }
    }
    return 0;
}
