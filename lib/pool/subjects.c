/* SPDX-License-Identifier: MIT */
/* pool/subjects.c - see pool/subjects.h. */
#include "pool/subjects.h"

#include <string.h>

#include <wspool/error.h>
#include "base/siphash.h"

void wsp_subjects_init(struct wsp_subjects *subjects, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed)
{
    subjects->mem = mem;
    wsp_map_init(&subjects->map, seed);
    wsp_map_init(&subjects->anonymous, seed);
}

void wsp_subjects_fini(struct wsp_subjects *subjects)
{
    wsp_map_fini(&subjects->map, subjects->mem);
    wsp_map_fini(&subjects->anonymous, subjects->mem);
}

/* ----------------------------------------------------------------- subjects */

static struct wsp_subject *find(const struct wsp_map *map, wspool_text text)
{
    return (struct wsp_subject *)(void *)wsp_map_find(map, text.data, text.len);
}

static struct wsp_map *map_of(struct wsp_subjects *subjects, int is_anonymous)
{
    return is_anonymous ? &subjects->anonymous : &subjects->map;
}

static struct wsp_subject *add(struct wsp_subjects *subjects, wspool_text text, int is_anonymous)
{
    struct wsp_subject *subject = wsp_alloc(subjects->mem, sizeof *subject + text.len);
    if (!subject) {
        return NULL;
    }
    memcpy(subject->bytes, text.data, text.len);
    subject->newest = NULL;
    subject->holds = 0;
    subject->is_anonymous = (uint8_t)is_anonymous;
    subject->node.key = subject->bytes;
    subject->node.key_len = (uint32_t)text.len;
    if (wsp_map_add(map_of(subjects, is_anonymous), subjects->mem, &subject->node)) {
        wsp_free(subjects->mem, subject);
        return NULL;
    }
    return subject;
}

static void free_unused(struct wsp_subjects *subjects, struct wsp_subject *subject)
{
    if (subject->holds == 0) {
        wsp_map_remove(map_of(subjects, subject->is_anonymous), &subject->node);
        wsp_free(subjects->mem, subject);
    }
}

static int hold(struct wsp_subjects *subjects, struct wsp_side **side, wspool_text text,
                int is_anonymous)
{
    struct wsp_subject *subject = find(map_of(subjects, is_anonymous), text);
    if (!subject) {
        subject = add(subjects, text, is_anonymous);
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

int wsp_subjects_hold(struct wsp_subjects *subjects, struct wsp_side **side, wspool_text text)
{
    return text.len > WSPOOL_SUBJECT_MAX ? WSPOOL_ERR_INVAL : hold(subjects, side, text, 0);
}

int wsp_subjects_hold_anonymous(struct wsp_subjects *subjects, struct wsp_side **side)
{
    return hold(subjects, side, wsp_side_client(*side), 1);
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
    const struct wsp_subject *subject = find(&subjects->map, text);
    return subject ? subject->newest : NULL;
}

int wsp_subjects_are_same(const struct wsp_peer *peer, const struct wsp_peer *other)
{
    wspool_text client = wsp_side_client(peer->side), same = wsp_side_client(other->side);
    return peer == other ||
           (client.len > 0 && wsp_side_subject(peer->side) == wsp_side_subject(other->side) &&
            same.len == client.len && memcmp(same.data, client.data, client.len) == 0);
}

struct wsp_peer *wsp_subjects_same(struct wsp_peer *peer, const struct wsp_peer *at)
{
    const struct wsp_subject *subject = wsp_side_subject(peer->side);
    if (!subject || wsp_side_client(peer->side).len == 0) {
        return at ? NULL : peer;
    }
    struct wsp_peer *next = at ? wsp_subjects_next(at) : subject->newest;
    while (next && !wsp_subjects_are_same(peer, next)) {
        next = wsp_subjects_next(next);
    }
    return next;
}

uint64_t wsp_subjects_mark(const struct wsp_subjects *subjects, const struct wsp_peer *peer)
{
    wspool_text client = wsp_side_client(peer->side);
    wspool_text subject = wsp_subject_text(wsp_side_subject(peer->side));
    char text[1 + WSPOOL_SUBJECT_MAX + WSPOOL_CLIENT_MAX];
    if (client.len == 0) {
        return wsp_slot_id(&peer->conn.slot);
    }
    text[0] = (char)subject.len;
    memcpy(text + 1, subject.data, subject.len);
    memcpy(text + 1 + subject.len, client.data, client.len);
    uint64_t mark = wsp_siphash13(&subjects->map.seed, text, 1 + subject.len + client.len);
    return mark ? mark : 1;
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

static int map_is_valid(const struct wsp_map *map, int is_anonymous, uint64_t *holds,
                        uint64_t *listed)
{
    const uint32_t max = is_anonymous ? WSPOOL_CLIENT_MAX : WSPOOL_SUBJECT_MAX;
    struct wsp_map_node *node = NULL;
    if (!wsp_map_check(map)) {
        return 0;
    }
    while ((node = wsp_map_next(map, node)) != NULL) {
        const struct wsp_subject *subject = (const struct wsp_subject *)(const void *)node;
        if (subject->holds == 0 || subject->is_anonymous != is_anonymous || node->key_len == 0 ||
            node->key_len > max || !list_is_valid(subject, listed)) {
            return 0;
        }
        *holds += subject->holds;
    }
    return 1;
}

int wsp_subjects_check(const struct wsp_subjects *subjects, uint64_t *holds, uint64_t *listed)
{
    *holds = *listed = 0;
    return map_is_valid(&subjects->map, 0, holds, listed) &&
           map_is_valid(&subjects->anonymous, 1, holds, listed);
}
