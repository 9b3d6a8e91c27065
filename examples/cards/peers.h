/* SPDX-License-Identifier: MIT */
/*
 * peers.h - the sockets: their paths, who may connect, which messages are allowed.
 *
 * Most functions are hooks that the pool or libwspool_json calls.
 */
#ifndef CARDS_PEERS_H
#define CARDS_PEERS_H

#include "app.h"
#include "options.h"

/* Makes app->json, app->sockets, its pool, and the monitor of its capacity. Returns 0, or -1 after a message on stderr. */
int peers_start(struct app *app, const struct options *options);
void peers_stop(struct app *app);

/* Returns who a peer is: the subject of its token, or "guest". Valid as long as the peer. */
wspool_text peers_name(const struct app *app, wspool_id id);

/* Publishes a message to a channel, and commits it with the change that it tells of (NULL: none).
 * Takes over `data`. Returns less than 0 if it was not published: then the change is not stored
 * either. */
int peers_publish(struct app *app, wspool_channel channel, const char *type, json_t *data,
                  const struct store_change *change);

/* Publishes to a keyed channel (PEOPLE, RUNS) what is so now of `key`, or that it is `removed`. It
 * is not stored. Takes over `data`. If it fails, for lack of memory, it is not told. */
void peers_tell(struct app *app, wspool_channel channel, const char *type, const char *key,
                int removed, json_t *data);

/* Returns 1 if there is a socket on this path. Then the pool answers, even if it refuses. */
int peers_path(const char *path, size_t len);

#endif
