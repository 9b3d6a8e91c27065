/* SPDX-License-Identifier: MIT */
/*
 * store.h - the database (--db FILE): the cards, the last messages of the channels, and which
 * actions are done.
 *
 * It is SQLite, in one file. Without a file the store is NULL: then every function does nothing and
 * succeeds, and everything is lost with the process.
 *
 * The unit is a change: its effect on a card, the id of the action that asked for it, and the
 * message that tells the clients of it are committed in one transaction when the message is about
 * to be published (wspool_send_options.commit). So whenever the process ends, a client that resumes
 * after the restart misses nothing and gets nothing twice, and an action that it repeats is done
 * once.
 *
 * What holds:
 *   the process dies (kill -9, abort)  Everything is there that any client has seen.
 *   the machine stops (power, kernel)  The file is consistent, but the last changes may be missing,
 *                                      since a commit does not wait for the disk. So the channels
 *                                      and the actions begin new epochs, and clients fetch the
 *                                      board again.
 *   the disk is full                   The change is refused, nothing is published. The next one
 *                                      may succeed.
 *
 * Kept are the last STORE_KEPT messages of a channel, the last STORE_KEPT_IN_ALL of all channels
 * together, and the client instances of the last STORE_ACTIONS actions.
 */
#ifndef CARDS_STORE_H
#define CARDS_STORE_H

#include <wspool/wspool.h>

#include "cards.h"

#define STORE_KEPT 1000
#define STORE_KEPT_IN_ALL 100000
#define STORE_ACTIONS 100000

struct store;

/* What a message tells of, to be committed with it. All zero: nothing but the message. */
struct store_change {
    const struct card *card; /* as it is after the change; NULL: no card changes */
    int deleted;             /* the card is deleted */
    wspool_text subject;     /* of the client whose action asked for the change */
    wspool_text instance;    /* its client instance */
    uint64_t action;         /* N of that action; 0: no action did */
};

/* A change whose message is about to be published to a channel. */
struct store_commit {
    struct store *store;
    wspool_channel channel;
    struct store_change change;
};

/* Opens the file, or makes it. Reads the cards. Returns 0, or -1 after a message on stderr: the
 * file is damaged, of another program, of a newer version, cannot be written, or is in use. */
int store_open(struct store **store, const char *file, struct cards *cards);
void store_close(struct store *store);

/* Gives the channels of the pool their positions and their last messages. Call it before the first
 * peer. Returns 0 or a wspool_error. */
int store_seed(struct store *store, wspool *pool);

/* A wspool_commit; `user` is a struct store_commit. */
int store_commit(const wspool_channel_position *position, const wspool_seed_message *message,
                 void *user);

/* Stores the position of a channel to which nothing was published. Returns 0 or -1. */
int store_position(struct store *store, wspool_channel channel,
                   const wspool_channel_position *position);

/* Stores a card of which no message tells. Returns 0 or -1. */
int store_card(struct store *store, const struct card *card);

/* A wspool_json_ledger_hook; `user` is the store. */
int store_find_action(wspool_text subject, wspool_text instance, uint64_t *highest, void *user);

/* Returns the epoch of the actions that are stored, valid as long as the store. */
const char *store_action_epoch(const struct store *store);

#endif
