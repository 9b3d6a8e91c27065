/* SPDX-License-Identifier: MIT */
/* base/bytes.c - see base/bytes.h.  Floor 0. */
#include "base/bytes.h"

#include <string.h>
#include <wspool/error.h>

#define FIRST_CAP 256u

int wsp_bytes_reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more)
{
    if (more <= bytes->cap - bytes->len) {
        return 0;
    }
    if (more > SIZE_MAX - bytes->len) {
        return WSPOOL_ERR_NOMEM;
    }
    size_t cap = bytes->cap > SIZE_MAX / 2 ? SIZE_MAX : bytes->cap * 2;
    if (cap < FIRST_CAP) {
        cap = FIRST_CAP;
    }
    if (cap < bytes->len + more) {
        cap = bytes->len + more;
    }
    uint8_t *data = wsp_resize(mem, bytes->data, cap, 1);
    if (!data) {
        return WSPOOL_ERR_NOMEM;
    }
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

int wsp_bytes_append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    int error = wsp_bytes_reserve(bytes, mem, len);
    if (error) {
        return error;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return 0;
}

void wsp_bytes_fini(struct wsp_bytes *bytes, const wspool_mem *mem)
{
    wsp_free(mem, bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}
