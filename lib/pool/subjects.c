/* SPDX-License-Identifier: MIT */
/* pool/subjects.c - see pool/subjects.h. */
#include "pool/subjects.h"

#include <string.h>

#include <wspool/error.h>

void wsp_subjects_init(struct wsp_subjects *subjects, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed)
{
    subjects->mem = mem;
    wsp_map_init(&subjects->map, seed);
}

void wsp_subjects_fini(struct wsp_subjects *subjects)
{
    wsp_map_fini(&subjects->map, subjects->mem);
}

/* ----------------------------------------------------------------- subjects */

static struct wsp_subject *find(const struct wsp_subjects *subjects, wspool_text text)
{
    return (struct wsp_subject *)(void *)wsp_map_find(&subjects->map, text.data, text.len);
}

static struct wsp_subject *add(struct wsp_subjects *subjects, wspool_text text)
{
    struct wsp_subject *subject = wsp_alloc(subjects->mem, sizeof *subject + text.len);
    if (!subject) {
        return NULL;
    }
    memcpy(subject->bytes, text.data, text.len);
    subject->newest = NULL;
    subject->holds = 0;
    subject->node.key = subject->bytes;
    subject->node.key_len = (uint32_t)text.len;
    if (wsp_map_add(&subjects->map, subjects->mem, &subject->node)) {
        wsp_free(subjects->mem, subject);
        return NULL;
    }
    return subject;
}

static void free_unused(struct wsp_subjects *subjects, struct wsp_subject *subject)
{
    if (subject->holds == 0) {
        wsp_map_remove(&subjects->map, &subject->node);
        wsp_free(subjects->mem, subject);
    }
}

int wsp_subjects_hold(struct wsp_subjects *subjects, struct wsp_side **side, wspool_text text)
{
    if (text.len > WSPOOL_SUBJECT_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_subject *subject = find(subjects, text);
    if (!subject) {
        subject = add(subjects, text);
    }
    if (!subject) {
        return WSPOOL_ERR_NOMEM;
    }
    if (wsp_side_name(side, subjects->mem, (wspool_text){"", 0}, subject)) {
        free_unused(subjects, subject);
        return WSPOOL_ERR_NOMEM;
    }
    subject->holds++;
    return 0;
}

void wsp_subjects_drop(struct wsp_subjects *subjects, const struct wsp_side *side)
{
    struct wsp_subject *subject = wsp_side_subject(side);
    if (subject) {
        subject->holds--;
        free_unused(subjects, subject);
    }
}

/* -------------------------------------------------------------------- lists */

int wsp_subjects_has(const struct wsp_peer *peer)
{
    const struct wsp_subject *subject = wsp_side_subject(peer->side);
    return subject && (peer->side->party->newer || subject->newest == peer);
}

void wsp_subjects_enter(struct wsp_peer *peer)
{
    struct wsp_party *party = peer->side->party;
    wsp_subjects_leave(peer);
    party->older = party->subject->newest;
    if (party->older) {
        party->older->side->party->newer = peer;
    }
    party->subject->newest = peer;
}

void wsp_subjects_leave(struct wsp_peer *peer)
{
    if (!wsp_subjects_has(peer)) {
        return;
    }
    struct wsp_party *party = peer->side->party;
    if (party->older) {
        party->older->side->party->newer = party->newer;
    }
    if (party->newer) {
        party->newer->side->party->older = party->older;
    } else {
        party->subject->newest = party->older;
    }
    party->newer = party->older = NULL;
}

struct wsp_peer *wsp_subjects_first(const struct wsp_subjects *subjects, wspool_text text)
{
    const struct wsp_subject *subject = find(subjects, text);
    return subject ? subject->newest : NULL;
}

/* -------------------------------------------------------------------- check */

/* Counts the peers of a list. Returns 0 when it is broken, or longer than it can be. */
static int list_is_valid(const struct wsp_subject *subject, uint64_t *listed)
{
    const struct wsp_peer *newer = NULL;
    uint32_t count = 0;
    for (const struct wsp_peer *peer = subject->newest; peer; peer = wsp_subjects_next(peer)) {
        if (++count > subject->holds || wsp_side_subject(peer->side) != subject ||
            peer->side->party->newer != newer) {
            return 0;
        }
        newer = peer;
    }
    *listed += count;
    return 1;
}

int wsp_subjects_check(const struct wsp_subjects *subjects, uint64_t *holds, uint64_t *listed)
{
    struct wsp_map_node *node = NULL;
    *holds = *listed = 0;
    if (!wsp_map_check(&subjects->map)) {
        return 0;
    }
    while ((node = wsp_map_next(&subjects->map, node)) != NULL) {
        const struct wsp_subject *subject = (const struct wsp_subject *)(const void *)node;
        if (subject->holds == 0 || node->key_len == 0 || node->key_len > WSPOOL_SUBJECT_MAX ||
            !list_is_valid(subject, listed)) {
            return 0;
        }
        *holds += subject->holds;
    }
    return 1;
}
