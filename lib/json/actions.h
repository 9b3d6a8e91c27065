/* SPDX-License-Identifier: MIT */
/*
 * json/actions.h - which actions of each client instance are done.
 *
 * An action has the id INSTANCE-N. The table keeps, for each client instance of each subject, the
 * highest N that is done and a window of 64 bits for the ids before it, as receivers of IPsec do
 * (RFC 4303, section 3.4.3). So a client may send 64 actions without waiting, and repeat one that
 * was refused after a later one was done. Up to `doubt` nothing is known:
 *
 *     1 ... doubt     in doubt
 *     ... highest-64  done
 *     ... highest     done if their bit in the window is set, else new
 *     above           new
 *
 * An instance that begins with N above 1 may have been forgotten, and repeat what it has done: N
 * and the 63 that may come behind it are in doubt.
 *
 * Instances are found in a balanced tree of the C library, so texts that clients choose cannot make
 * it slow. The list says which instance has acted last. With a ledger (wspool/json.h) the table is
 * a cache of it.
 *
 * Invariants:
 * - the tree and the list have the same instances, at most `limit`;
 * - doubt <= highest;
 * - an id up to `doubt`, and one that is below 1, has a set bit.
 */
#ifndef WSP_JSON_ACTIONS_H
#define WSP_JSON_ACTIONS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/json.h>

/* Bytes of an action's id at most: INSTANCE, a minus, and 2^53 - 1. */
#define WSP_JSON_ACTION_ID_MAX (WSPOOL_CLIENT_MAX + 1 + 16)

struct wsp_json_instance {
    struct wsp_json_instance *newer, *older; /* by their last action */
    wspool_text subject, name;               /* point into `bytes` */
    wspool_id peer;                          /* the connection of its last action */
    uint64_t highest;
    uint64_t window; /* bit i stands for highest - i */
    uint64_t doubt;
    char bytes[];
};

struct wsp_json_actions {
    wspool_json_ledger_hook ledger;
    void *tree; /* of tsearch */
    struct wsp_json_instance *newest, *oldest;
    uint32_t count, limit;
};

enum wsp_json_known { WSP_JSON_NEW, WSP_JSON_REPEATED, WSP_JSON_IN_DOUBT };

/* Reads INSTANCE-N. *instance points into the text. Returns 1, or 0 if the text is not an id. */
int wsp_json_action_id_read(const char *text, size_t len, wspool_text *instance, uint64_t *n);

/* An empty table for at most `limit` instances, with or without a ledger. Allocates nothing. */
void wsp_json_actions_init(struct wsp_json_actions *actions, uint32_t limit,
                           wspool_json_ledger_hook ledger);
void wsp_json_actions_fini(struct wsp_json_actions *actions);

/* Returns the instance of a peer that sends the action N: the present one, or one that it adds,
 * forgetting the oldest if the table is full. Asks the ledger if the peer is another one than that
 * of the last action. NULL: there is no memory, or the ledger does not know. The pointer is valid
 * until the next call. */
struct wsp_json_instance *wsp_json_actions_of(struct wsp_json_actions *actions, wspool_id peer,
                                              wspool_text subject, wspool_text name, uint64_t n);

/* Returns what is known of an action. */
enum wsp_json_known wsp_json_action_known(const struct wsp_json_instance *instance, uint64_t n);

/* Records that a new action is done. */
void wsp_json_action_done(struct wsp_json_instance *instance, uint64_t n);

/* Returns 1 if the invariants hold, otherwise 0. */
int wsp_json_actions_check(const struct wsp_json_actions *actions);

#endif
