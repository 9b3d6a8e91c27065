/* SPDX-License-Identifier: MIT */
/* json/since.c - see json/since.h. */
#include "json/since.h"

#include <stdio.h>
#include <string.h>

#include "json/integer.h"

int wsp_json_since_of_data(const json_t *data, wspool_channel_position *since)
{
    const json_t *given = json_object_get(data, "since");
    if (!given) {
        return 0;
    }
    const json_t *epoch = json_object_get(given, "epoch");
    const json_t *offset = json_object_get(given, "offset");
    if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
        json_integer_value(offset) > WSP_JSON_INTEGER_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    *since = (wspool_channel_position){.offset = (uint64_t)json_integer_value(offset)};
    if (!epoch) { /* it asks for the state */
        return since->offset == 0 ? 1 : WSPOOL_ERR_INVAL;
    }
    since->epoch = wspool_json_epoch_read(json_string_value(epoch));
    if (since->epoch == 0) { /* no epoch of a channel: not the position that asks for the state */
        since->offset = UINT64_MAX;
    }
    return json_is_string(epoch) ? 1 : WSPOOL_ERR_INVAL;
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

int wsp_json_since_of_query(wspool_text query, wspool_channel_position *since)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX], offset[21];
    int has_epoch = parameter(query, "epoch", epoch, sizeof epoch) && epoch[0] != '\0';
    int has_offset = parameter(query, "offset", offset, sizeof offset);
    if (!has_epoch && !(has_offset && strcmp(offset, "0") == 0)) {
        return 0;
    }
    *since = wspool_json_position_read(has_epoch ? epoch : NULL, has_offset ? offset : NULL);
    return 1;
}
