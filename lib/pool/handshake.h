/* SPDX-License-Identifier: MIT */
/*
 * pool/handshake.h - what is stored of a handshake that cannot be decided at once.  Layer 4.
 *
 * A peer needs a handshake object when its head arrives in pieces, while its verdict is pending,
 * and while a hosted peer waits for its host to send the 101. First the object holds the part of
 * the head that has arrived. After the judgement it holds the result, the query, and behind the
 * query the bytes that arrived early. All bytes are in one buffer, bounded by head_bytes. So a peer
 * in its handshake costs its record, one object and one buffer, and another small buffer if the
 * host adds headers to its answer.
 *
 * The peer owns the object (conn.work.handshake) until it is open or refused. A caller that
 * detaches it from the peer must give it back here. A free list keeps some objects, with buffers
 * that are large enough for most heads, so that short connections cost no allocation.
 *
 * A head can hold a token, and a header a cookie, so a buffer is overwritten before it is freed or
 * reused.
 *
 * Invariants:
 * - the buffer has at most head_bytes, and `seen` is not beyond its end;
 * - the query of a result is complete, at the start of the buffer (pool/check.c);
 * - what the host adds is bounded, and consists of whole lines;
 * - an object of the free list has no bytes and no query, and awaits no verdict; the list is as
 *   long as it says, short, and its buffers are small.
 */
#ifndef WSP_POOL_HANDSHAKE_H
#define WSP_POOL_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/freelist.h"
#include "policy/admission.h"

struct wsp_handshake {
    struct wsp_free_item item; /* in the free list */
    struct wsp_bytes head;     /* HEAD: the part that has arrived; then the query, and early
                                  bytes */
    size_t seen;               /* HEAD: how many bytes were scanned */
    struct wsp_bytes added;    /* header lines that the host adds to the answer */
    uint32_t pending;          /* PENDING: how many verdicts are awaited */
    struct wsp_entry entry;    /* PENDING, RESERVED: the result; see wsp_handshake_entry */
};

/* The handshake objects of one pool. */
struct wsp_handshakes {
    const wspool_mem *mem;
    size_t most; /* head_bytes */
    struct wsp_freelist free_list;
};

void wsp_handshakes_init(struct wsp_handshakes *handshakes, const wspool_mem *mem, size_t most);
/* Frees the free list. */
void wsp_handshakes_fini(struct wsp_handshakes *handshakes);
/* Returns an empty object, or NULL. */
struct wsp_handshake *wsp_handshake_new(struct wsp_handshakes *handshakes);
/* Gives an object back; NULL is allowed. */
void wsp_handshake_free(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake);

/* Returns how many more bytes it may keep. */
static inline size_t wsp_handshake_room(const struct wsp_handshakes *handshakes,
                                        const struct wsp_handshake *handshake)
{
    return handshakes->most - handshake->head.len;
}
/* Appends bytes, for which there must be room. Returns 0 or WSPOOL_ERR_NOMEM. */
int wsp_handshake_keep(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                       const void *bytes, size_t len);
/* Overwrites and frees a buffer. */
void wsp_handshake_forget(const struct wsp_handshakes *handshakes, struct wsp_bytes *bytes);
/* Adds a header line for the answer; name and value were judged by wire/upgrade.h. Returns 0, or
 * WSPOOL_ERR_FULL or NOMEM with nothing changed. */
int wsp_handshake_add_header(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                             const char *name, const char *value);
/* Stores the result of a request, unless it was made in handshake->entry, and the query. The
 * request may be in `head`, which is overwritten. The caller frees entry->copy afterwards. Returns
 * 0 or WSPOOL_ERR_NOMEM. */
int wsp_handshake_keep_entry(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                             const struct wsp_entry *entry);
/* Returns the stored result, with its query at its present address: valid until the next byte is
 * kept. */
struct wsp_entry *wsp_handshake_entry(struct wsp_handshake *handshake);

/* Return 1 if the invariants of a peer's object, or of the free list, hold, else 0. */
int wsp_handshake_check(const struct wsp_handshakes *handshakes,
                        const struct wsp_handshake *handshake);
int wsp_handshakes_check(const struct wsp_handshakes *handshakes);

#endif
