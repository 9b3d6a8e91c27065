/* SPDX-License-Identifier: MIT */
/* json/since.c - see json/since.h. */
#include "json/since.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_LIMIT (INT64_C(1) << 53) /* offsets are below it: a double holds them exactly */

int wsp_json_since_of_data(const json_t *data, struct wsp_json_since *since)
{
    const json_t *given = json_object_get(data, "since");
    *since = (struct wsp_json_since){.offset = -1};
    if (!given) {
        return 0;
    }
    const json_t *epoch = json_object_get(given, "epoch");
    const json_t *offset = json_object_get(given, "offset");
    if (!json_is_string(epoch) || !json_is_integer(offset) || json_integer_value(offset) < 0 ||
        json_integer_value(offset) >= OFFSET_LIMIT) {
        return WSPOOL_ERR_INVAL;
    }
    since->given = 1;
    since->epoch = wspool_json_epoch_read(json_string_value(epoch));
    since->offset = json_integer_value(offset);
    return 0;
}

/* Copies the value of the first parameter `name` of a query to `out`, as a string. Returns 1, or 0
 * if there is no such parameter. Values are not percent-decoded: no character of an epoch or an
 * offset needs an escape. A value that does not fit becomes "?", which is neither. */
static int parameter(wspool_text query, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);
    const char *end = query.data + query.len;
    for (const char *p = query.data; p && p < end;) {
        const char *next = memchr(p, '&', (size_t)(end - p));
        const char *stop = next ? next : end;
        if ((size_t)(stop - p) > name_len && memcmp(p, name, name_len) == 0 && p[name_len] == '=') {
            size_t len = (size_t)(stop - p) - name_len - 1;
            snprintf(out, size, "%.*s", (int)len, len < size ? p + name_len + 1 : "?");
            return 1;
        }
        p = next ? next + 1 : end;
    }
    return 0;
}

struct wsp_json_since wsp_json_since_of_query(wspool_text query)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX], offset[20];
    struct wsp_json_since since = {.offset = -1};
    if (parameter(query, "epoch", epoch, sizeof epoch) && epoch[0] != '\0') {
        since.given = 1;
        since.epoch = wspool_json_epoch_read(epoch);
        if (parameter(query, "offset", offset, sizeof offset) && offset[0] != '\0' &&
            strspn(offset, "0123456789") == strlen(offset)) {
            since.offset = strtoll(offset, NULL, 10);
        }
    }
    return since;
}

const char *wsp_json_since_missed(const struct wsp_json_since *since,
                                  const wspool_channel_position *head)
{
    if (since->epoch != head->epoch) {
        return "epoch_changed";
    }
    if (since->offset < 0 || (uint64_t)since->offset > head->offset) {
        return "unknown_offset";
    }
    return (uint64_t)since->offset < head->offset ? "too_old" : NULL;
}
