/* SPDX-License-Identifier: MIT */
/* channel/pace.c - see channel/pace.h. */
#include "channel/pace.h"

#include <stddef.h>

void wsp_paces_init(struct wsp_paces *paces)
{
    *paces = (struct wsp_paces){.next = UINT64_MAX};
}

static uint64_t earliest(const struct wsp_paces *paces)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < WSP_PACE_LISTS; i++) {
        next = paces->first[i] && paces->first[i]->due < next ? paces->first[i]->due : next;
    }
    return next;
}

void wsp_pace_wait(struct wsp_paces *paces, struct wsp_pace *pace, uint64_t due)
{
    struct wsp_pace *last = paces->last[pace->kind];
    pace->due = due;
    pace->waits = 1;
    pace->next = NULL;
    pace->prev = last;
    *(last ? &last->next : &paces->first[pace->kind]) = pace;
    paces->last[pace->kind] = pace;
    paces->next = due < paces->next ? due : paces->next;
}

void wsp_pace_stop(struct wsp_paces *paces, struct wsp_pace *pace)
{
    if (pace->waits) {
        *(pace->prev ? &pace->prev->next : &paces->first[pace->kind]) = pace->next;
        *(pace->next ? &pace->next->prev : &paces->last[pace->kind]) = pace->prev;
        pace->waits = 0;
        paces->next = earliest(paces);
    }
}

struct wsp_pace *wsp_paces_due(const struct wsp_paces *paces, uint64_t now)
{
    for (unsigned i = 0; i < WSP_PACE_LISTS && paces->next <= now; i++) {
        if (paces->first[i] && paces->first[i]->due <= now) {
            return paces->first[i];
        }
    }
    return NULL;
}

int wsp_paces_check(const struct wsp_paces *paces)
{
    for (unsigned i = 0; i < WSP_PACE_LISTS; i++) {
        const struct wsp_pace *before = NULL;
        for (const struct wsp_pace *each = paces->first[i]; each; each = each->next) {
            if (!each->waits || each->kind != i || each->prev != before ||
                (before && before->due > each->due)) {
                return 0;
            }
            before = each;
        }
        if (paces->last[i] != before) {
            return 0;
        }
    }
    return paces->next == earliest(paces);
}
