/* SPDX-License-Identifier: MIT */
/*
 * pool/handshake.c - see pool/handshake.h.
 *
 * While a growing buffer is copied, the old one exists beside the new one. To keep both below a
 * quarter more than head_bytes, the buffer grows to its final size in one step when a quarter is
 * not enough.
 */
#include "pool/handshake.h"

#include <string.h>

#include <wspool/error.h>
#include "base/wipe.h"

#define KEEP 16u
#define KEEP_BUFFER 1024u

void wsp_handshakes_init(struct wsp_handshakes *handshakes, const wspool_mem *mem, size_t most)
{
    *handshakes = (struct wsp_handshakes){.mem = mem, .most = most};
    wsp_freelist_init(&handshakes->free_list, sizeof(struct wsp_handshake), KEEP);
}

void wsp_handshakes_fini(struct wsp_handshakes *handshakes)
{
    struct wsp_handshake *handshake;
    while ((handshake = wsp_freelist_pop(&handshakes->free_list)) != NULL) {
        wsp_bytes_fini(&handshake->head, handshakes->mem);
        wsp_free(handshakes->mem, handshake);
    }
}

struct wsp_handshake *wsp_handshake_new(struct wsp_handshakes *handshakes)
{
    struct wsp_handshake *handshake = wsp_freelist_pop(&handshakes->free_list);
    return handshake ? handshake : wsp_calloc(handshakes->mem, 1, sizeof *handshake);
}

void wsp_handshake_free(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake)
{
    if (!handshake) {
        return;
    }
    wsp_handshake_forget(handshakes, &handshake->added);
    wsp_wipe(handshake->head.data, handshake->head.cap);
    if (handshake->head.cap > KEEP_BUFFER || wsp_freelist_is_full(&handshakes->free_list)) {
        wsp_bytes_fini(&handshake->head, handshakes->mem);
    }
    if (wsp_freelist_is_full(&handshakes->free_list)) {
        wsp_free(handshakes->mem, handshake);
        return;
    }
    handshake->head.len = handshake->seen = 0;
    handshake->pending = 0;
    handshake->entry.query = (wspool_text){NULL, 0}; /* a judgement sets the rest */
    wsp_freelist_push(&handshakes->free_list, &handshake->item);
}

/* -------------------------------------------------------------------- keep */

void wsp_handshake_forget(const struct wsp_handshakes *handshakes, struct wsp_bytes *bytes)
{
    wsp_wipe(bytes->data, bytes->cap);
    wsp_bytes_fini(bytes, handshakes->mem);
}

/* The larger buffer is a new one, since realloc would leave a token behind. */
static int grow(const struct wsp_handshakes *handshakes, struct wsp_bytes *kept, size_t len)
{
    size_t most = handshakes->most, quarter = most / 4;
    size_t all = kept->len + len;
    struct wsp_bytes larger = {0};
    if (wsp_bytes_reserve(&larger, handshakes->mem, all > quarter ? most : all,
                          all > quarter ? most : quarter) ||
        wsp_bytes_append(&larger, handshakes->mem, kept->data, kept->len, most)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_handshake_forget(handshakes, kept);
    *kept = larger;
    return 0;
}

static int keep(const struct wsp_handshakes *handshakes, struct wsp_bytes *kept, const void *bytes,
                size_t len)
{
    if (len > kept->cap - kept->len && grow(handshakes, kept, len)) {
        return WSPOOL_ERR_NOMEM;
    }
    return wsp_bytes_append(kept, handshakes->mem, bytes, len, handshakes->most);
}

int wsp_handshake_keep(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                       const void *bytes, size_t len)
{
    return keep(handshakes, &handshake->head, bytes, len);
}

int wsp_handshake_add_header(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                             const char *name, const char *value)
{
    const char *const parts[] = {name, ": ", value, "\r\n"};
    struct wsp_bytes *added = &handshake->added;
    size_t len = strlen(name) + 2 + strlen(value) + 2;
    if (len > WSPOOL_ADDED_HEADERS_MAX - added->len) {
        return WSPOOL_ERR_FULL;
    }
    /* All of it at once: a larger copy would leave the old bytes behind. */
    if (!added->data && wsp_bytes_reserve(added, handshakes->mem, WSPOOL_ADDED_HEADERS_MAX,
                                          WSPOOL_ADDED_HEADERS_MAX)) {
        return WSPOOL_ERR_NOMEM;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        len = strlen(parts[i]);
        memcpy(added->data + added->len, parts[i], len);
        added->len += len;
    }
    return 0;
}

int wsp_handshake_keep_entry(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                             const struct wsp_entry *entry)
{
    struct wsp_bytes query = {0};
    size_t len = entry->query.len;
    handshake->seen = 0;
    if (entry != &handshake->entry) {
        handshake->entry = *entry;
        handshake->entry.copy = NULL;
    }
    if (handshake->head.cap >= len && len > handshakes->most / 4) {
        memmove(handshake->head.data, entry->query.data, len); /* a second buffer is not needed */
        handshake->head.len = len;
        return 0;
    }
    if (keep(handshakes, &query, entry->query.data, len)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_handshake_forget(handshakes, &handshake->head);
    handshake->head = query;
    return 0;
}

struct wsp_entry *wsp_handshake_entry(struct wsp_handshake *handshake)
{
    handshake->entry.query.data = (const char *)handshake->head.data;
    return &handshake->entry;
}

/* ------------------------------------------------------------------- check */

int wsp_handshake_check(const struct wsp_handshakes *handshakes,
                        const struct wsp_handshake *handshake)
{
    return wsp_bytes_check(&handshake->head) && handshake->head.len <= handshakes->most &&
           handshake->seen <= handshake->head.len && wsp_bytes_check(&handshake->added) &&
           handshake->added.len <= WSPOOL_ADDED_HEADERS_MAX &&
           (handshake->added.len == 0 || handshake->added.data[handshake->added.len - 1] == '\n');
}

int wsp_handshakes_check(const struct wsp_handshakes *handshakes)
{
    if (!wsp_freelist_check(&handshakes->free_list)) {
        return 0;
    }
    for (const struct wsp_free_item *item = handshakes->free_list.first; item; item = item->next) {
        const struct wsp_handshake *handshake = (const void *)item;
        if (handshake->head.len > 0 || handshake->added.cap > 0 ||
            handshake->head.cap > KEEP_BUFFER || handshake->pending > 0 ||
            handshake->entry.query.len > 0 || !wsp_handshake_check(handshakes, handshake)) {
            return 0;
        }
    }
    return 1;
}
