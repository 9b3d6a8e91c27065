/* SPDX-License-Identifier: MIT */
/* base/bytes.c - see base/bytes.h. */
#include "base/bytes.h"

#include <string.h>
#include <wspool/error.h>

#define FIRST_CAP 256u

int wsp_bytes_reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more, size_t most)
{
    if (more <= bytes->cap - bytes->len) {
        return 0;
    }
    size_t need = bytes->len + more, cap = FIRST_CAP;
    while (cap < need) {
        cap *= 2;
    }
    if (cap > most - most / 4) {
        cap = most;
    }
    uint8_t *data = wsp_resize(mem, bytes->data, cap, 1);
    if (!data) {
        return WSPOOL_ERR_NOMEM;
    }
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

int wsp_bytes_append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len,
                     size_t most)
{
    int error = wsp_bytes_reserve(bytes, mem, len, most);
    if (!error && len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
        bytes->len += len;
    }
    return error;
}

void wsp_bytes_fini(struct wsp_bytes *bytes, const wspool_mem *mem)
{
    wsp_free(mem, bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

int wsp_bytes_check(const struct wsp_bytes *bytes)
{
    return bytes->len <= bytes->cap && (bytes->data == NULL) == (bytes->cap == 0);
}
