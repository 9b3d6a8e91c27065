/* SPDX-License-Identifier: MIT */
/*
 * pool/hello.c - see pool/hello.h.
 *
 * A buffer that grows is there twice while it is copied. So that old and new together stay within
 * a quarter more than head_bytes, it goes to its end in one step once a quarter is not enough.
 */
#include "pool/hello.h"

#include <string.h>

#include <wspool/error.h>

#define SPARE_HELLOS 16u
#define SPARE_BUFFER 1024u

void wsp_hellos_init(struct wsp_hellos *hellos, const wspool_mem *mem, size_t most)
{
    *hellos = (struct wsp_hellos){.mem = mem, .most = most};
}

void wsp_hellos_fini(struct wsp_hellos *hellos)
{
    while (hellos->spares) {
        struct wsp_hello *hello = hellos->spares;
        hellos->spares = hello->next;
        wsp_bytes_fini(&hello->head, hellos->mem);
        wsp_free(hellos->mem, hello);
    }
    hellos->spare_count = 0;
}

struct wsp_hello *wsp_hello_take(struct wsp_hellos *hellos)
{
    struct wsp_hello *hello = hellos->spares;
    if (!hello) {
        return wsp_calloc(hellos->mem, 1, sizeof *hello);
    }
    hellos->spares = hello->next;
    hellos->spare_count--;
    hello->next = NULL;
    return hello;
}

void wsp_hello_give(struct wsp_hellos *hellos, struct wsp_hello *hello)
{
    if (!hello) {
        return;
    }
    if (hello->head.cap > SPARE_BUFFER || hellos->spare_count >= SPARE_HELLOS) {
        wsp_bytes_fini(&hello->head, hellos->mem);
    }
    if (hellos->spare_count >= SPARE_HELLOS) {
        wsp_free(hellos->mem, hello);
        return;
    }
    hello->head.len = 0;
    *hello = (struct wsp_hello){.next = hellos->spares, .head = hello->head};
    hellos->spares = hello;
    hellos->spare_count++;
}

/* -------------------------------------------------------------------- keep */

static int keep(const struct wsp_hellos *hellos, struct wsp_bytes *kept, const void *bytes,
                size_t len)
{
    size_t most = hellos->most, quarter = most / 4;
    if (kept->len + len > quarter && wsp_bytes_reserve(kept, hellos->mem, most - kept->len, most)) {
        return WSPOOL_ERR_NOMEM;
    }
    return wsp_bytes_append(kept, hellos->mem, bytes, len, quarter);
}

int wsp_hello_keep(struct wsp_hellos *hellos, struct wsp_hello *hello, const void *bytes,
                   size_t len)
{
    return keep(hellos, &hello->head, bytes, len);
}

int wsp_hello_keep_entry(struct wsp_hellos *hellos, struct wsp_hello *hello,
                         const struct wsp_entry *entry)
{
    struct wsp_bytes query = {0};
    size_t len = entry->query.len;
    hello->seen = 0;
    hello->entry = *entry;
    if (hello->head.cap >= len && len > hellos->most / 4) {
        memmove(hello->head.data, entry->query.data, len); /* there is no need for two of them */
        hello->head.len = len;
        return 0;
    }
    if (keep(hellos, &query, entry->query.data, len)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_bytes_fini(&hello->head, hellos->mem);
    hello->head = query;
    return 0;
}

struct wsp_entry *wsp_hello_entry(struct wsp_hello *hello)
{
    hello->entry.query.data = (const char *)hello->head.data;
    return &hello->entry;
}

/* ------------------------------------------------------------------- check */

int wsp_hello_check(const struct wsp_hellos *hellos, const struct wsp_hello *hello)
{
    return wsp_bytes_check(&hello->head) && hello->head.len <= hellos->most &&
           hello->seen <= hello->head.len && hello->entry.query.len <= hello->head.len;
}

int wsp_hellos_check(const struct wsp_hellos *hellos)
{
    uint32_t count = 0;
    for (const struct wsp_hello *hello = hellos->spares; hello; hello = hello->next) {
        if (++count > hellos->spare_count || hello->head.len > 0 ||
            hello->head.cap > SPARE_BUFFER || !wsp_hello_check(hellos, hello)) {
            return 0;
        }
    }
    return count == hellos->spare_count && count <= SPARE_HELLOS;
}
