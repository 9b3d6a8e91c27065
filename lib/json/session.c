/* SPDX-License-Identifier: MIT */
/* json/session.c - see json/session.h. */
#include "json/session.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MIN 64u

/* Makes the table long enough for `slot`. Returns 1, or 0 if there is no memory. */
static int reserve(struct wsp_json_sessions *sessions, size_t slot)
{
    if (slot < sessions->count) {
        return 1;
    }
    size_t count = sessions->count ? sessions->count * 2 : COUNT_MIN;
    count = count > slot ? count : slot + 1;
    struct wsp_json_session *entries = realloc(sessions->entries, count * sizeof *entries);
    if (!entries) {
        return 0;
    }
    memset(entries + sessions->count, 0, (count - sessions->count) * sizeof *entries);
    sessions->entries = entries;
    sessions->count = count;
    return 1;
}

struct wsp_json_recent *wsp_json_session_recent(struct wsp_json_sessions *sessions, wspool_id id)
{
    if (!reserve(sessions, wspool_slot(id))) {
        return NULL;
    }
    struct wsp_json_session *session = &sessions->entries[wspool_slot(id)];
    if (session->id != id) { /* unused, or left by an earlier peer in the same slot */
        free(session->recent);
        *session = (struct wsp_json_session){.id = id};
    }
    if (!session->recent) {
        session->recent = calloc(1, sizeof *session->recent);
    }
    return session->recent;
}

void wsp_json_session_end(struct wsp_json_sessions *sessions, wspool_id id)
{
    size_t slot = wspool_slot(id);
    if (slot < sessions->count && sessions->entries[slot].id == id) {
        free(sessions->entries[slot].recent);
        sessions->entries[slot] = (struct wsp_json_session){0};
    }
}

void wsp_json_sessions_fini(struct wsp_json_sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        free(sessions->entries[i].recent);
    }
    free(sessions->entries);
    *sessions = (struct wsp_json_sessions){0};
}

/* FNV-1a. The hash needs no key: a client that constructs a collision affects its own actions
 * only. */
uint64_t wsp_json_action_hash(const char *action_id)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *action_id; action_id++) {
        hash = (hash ^ (unsigned char)*action_id) * UINT64_C(1099511628211);
    }
    return hash;
}

int wsp_json_recent_has(const struct wsp_json_recent *recent, uint64_t hash)
{
    unsigned count = recent->count < WSP_JSON_RECENT ? recent->count : WSP_JSON_RECENT;
    for (unsigned i = 0; i < count; i++) {
        if (recent->hashes[i] == hash) {
            return 1;
        }
    }
    return 0;
}

void wsp_json_recent_add(struct wsp_json_recent *recent, uint64_t hash)
{
    recent->hashes[recent->count++ % WSP_JSON_RECENT] = hash;
}

int wsp_json_sessions_check(const struct wsp_json_sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        const struct wsp_json_session *session = &sessions->entries[i];
        if (session->id == 0 ? session->recent != NULL : wspool_slot(session->id) != i) {
            return 0;
        }
    }
    return 1;
}
