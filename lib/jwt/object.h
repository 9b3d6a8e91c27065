/* SPDX-License-Identifier: MIT */
/*
 * jwt/object.h - a JSON object from bytes that anybody may have written, and its members.
 */
#ifndef WSP_JWT_OBJECT_H
#define WSP_JWT_OBJECT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <wspool/handshake.h>

/* The deepest nesting of arrays and objects. jansson's parser recurses. */
#define WSP_JWT_DEPTH 16u

/*
 * Parses an object and gives it to the caller (json_decref). Names that occur twice, also in nested
 * objects, are refused: two readers could take different ones. Returns 0, or
 * WSPOOL_REFUSED_TOKEN_MALFORMED, or WSPOOL_REFUSED_NOMEM if it could not be judged. jansson takes
 * some lacks of memory for wrong syntax: these are MALFORMED.
 */
int wsp_jwt_object_read(const uint8_t *bytes, size_t len, json_t **object);

/* Returns 1 if the object has a string of this name, and *text (valid as long as the object). 0: it
 * has no such member. -1: the member is no string, or is longer than `max`. */
int wsp_jwt_object_text(const json_t *object, const char *name, size_t max, wspool_text *text);

/* The same for a string that must be equal to `expected`: 1 if it is, 0 if it is absent, -1. */
int wsp_jwt_object_is(const json_t *object, const char *name, const char *expected);

/* Returns 1 if an array has this string. */
int wsp_jwt_array_has(const json_t *array, const char *expected);

#endif
