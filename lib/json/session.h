/* SPDX-License-Identifier: MIT */
/*
 * json/session.h - the ids of the actions that each peer has sent last.
 *
 * A client that repeats an action with the same id must get the same ack, but the action must run
 * once. A session therefore keeps the hashes of the last WSP_JSON_RECENT ids of its peer. It is
 * allocated with the peer's first action and freed when the peer closes: about 270 bytes.
 *
 * The table is indexed by wspool_slot(id). It grows to the highest slot that has sent an action and
 * never shrinks.
 *
 * Invariants:
 * - an entry with id 0 has no hashes;
 * - an entry with another id is at the index wspool_slot(id).
 */
#ifndef WSP_JSON_SESSION_H
#define WSP_JSON_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>

#define WSP_JSON_RECENT 32u /* actions that a session remembers */

struct wsp_json_recent {
    uint64_t hashes[WSP_JSON_RECENT];
    unsigned
        count; /* of all actions so far; the next one goes to hashes[count % WSP_JSON_RECENT] */
};

struct wsp_json_session {
    wspool_id id;                   /* 0: unused */
    struct wsp_json_recent *recent; /* NULL until the first action */
};

/* Zero-initialized: an empty table. */
struct wsp_json_sessions {
    struct wsp_json_session *entries;
    size_t count;
};

/* Returns the recent actions of a peer, and creates its session first if necessary. NULL: no
 * memory. The pointer is valid until the peer's session ends, even if the table grows. */
struct wsp_json_recent *wsp_json_session_recent(struct wsp_json_sessions *sessions, wspool_id id);

/* Frees the session of a peer. Does nothing if the peer has none. */
void wsp_json_session_end(struct wsp_json_sessions *sessions, wspool_id id);

/* Frees all sessions and the table. */
void wsp_json_sessions_fini(struct wsp_json_sessions *sessions);

/* Returns the hash under which an action's id (a string) is remembered. */
uint64_t wsp_json_action_hash(const char *action_id);

/* Returns 1 if the action is among the last WSP_JSON_RECENT ones, otherwise 0. */
int wsp_json_recent_has(const struct wsp_json_recent *recent, uint64_t hash);

/* Remembers an action in the place of the oldest one. */
void wsp_json_recent_add(struct wsp_json_recent *recent, uint64_t hash);

/* Returns 1 if the invariants hold, otherwise 0. */
int wsp_json_sessions_check(const struct wsp_json_sessions *sessions);

#endif
