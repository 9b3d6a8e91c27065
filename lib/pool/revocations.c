/* SPDX-License-Identifier: MIT */
/* pool/revocations.c - see pool/revocations.h. */
#include "pool/revocations.h"

#include <string.h>

#include <wspool/error.h>

struct revoked {
    struct wsp_map_node node; /* first member: a node is its subject */
    struct wsp_revocation what;
    char bytes[];
};

void wsp_revocations_init(struct wsp_revocations *revocations, const wspool_mem *mem,
                          const struct wsp_siphash_key *seed, uint32_t max)
{
    revocations->mem = mem;
    revocations->max = max;
    wsp_map_init(&revocations->map, seed);
}

/* Removes those that have had their time. */
static void forget(struct wsp_revocations *revocations, uint64_t now)
{
    struct wsp_map_node *node = wsp_map_next(&revocations->map, NULL);
    while (node) {
        struct revoked *revoked = (struct revoked *)(void *)node;
        node = wsp_map_next(&revocations->map, node);
        if (revoked->what.until <= now) {
            wsp_map_remove(&revocations->map, &revoked->node);
            wsp_free(revocations->mem, revoked);
        }
    }
}

void wsp_revocations_fini(struct wsp_revocations *revocations)
{
    forget(revocations, UINT64_MAX);
    wsp_map_fini(&revocations->map, revocations->mem);
}

static struct revoked *find(const struct wsp_revocations *revocations, wspool_text subject)
{
    return (struct revoked *)(void *)wsp_map_find(&revocations->map, subject.data, subject.len);
}

static void extend(struct wsp_revocation *old, const struct wsp_revocation *what)
{
    old->before = what->before > old->before ? what->before : old->before;
    old->until = what->until > old->until ? what->until : old->until;
}

int wsp_revocations_add(struct wsp_revocations *revocations, wspool_text subject,
                        const struct wsp_revocation *what, uint64_t now)
{
    struct revoked *revoked = subject.len > 0 ? find(revocations, subject) : NULL;
    if (subject.len == 0 || revoked) {
        extend(revoked ? &revoked->what : &revocations->all, what);
        return 0;
    }
    if (revocations->map.count >= revocations->max) {
        forget(revocations, now);
    }
    if (revocations->map.count >= revocations->max) {
        return WSPOOL_ERR_FULL;
    }
    revoked = wsp_alloc(revocations->mem, sizeof *revoked + subject.len);
    if (!revoked) {
        return WSPOOL_ERR_NOMEM;
    }
    memcpy(revoked->bytes, subject.data, subject.len);
    revoked->what = *what;
    revoked->node.key = revoked->bytes;
    revoked->node.key_len = (uint32_t)subject.len;
    if (wsp_map_add(&revocations->map, revocations->mem, &revoked->node)) {
        wsp_free(revocations->mem, revoked);
        return WSPOOL_ERR_NOMEM;
    }
    return 0;
}

static int hits(const struct wsp_revocation *what, uint64_t issued, uint64_t now)
{
    return issued < what->before && now < what->until;
}

int wsp_revocations_hit(const struct wsp_revocations *revocations, wspool_text subject,
                        uint64_t issued, uint64_t now)
{
    const struct revoked *revoked = subject.len > 0 ? find(revocations, subject) : NULL;
    return hits(&revocations->all, issued, now) || (revoked && hits(&revoked->what, issued, now));
}

int wsp_revocations_check(const struct wsp_revocations *revocations)
{
    struct wsp_map_node *node = NULL;
    if (!wsp_map_check(&revocations->map) || revocations->map.count > revocations->max) {
        return 0;
    }
    while ((node = wsp_map_next(&revocations->map, node)) != NULL) {
        if (((const struct revoked *)(const void *)node)->what.before == 0) {
            return 0;
        }
    }
    return 1;
}
