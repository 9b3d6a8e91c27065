/* SPDX-License-Identifier: MIT */
/*
 * peers.h - the sockets: on which paths they are, who may come in, what may be said there.
 *
 * Everything here is a hook that the pool or libwspool_json asks, or hands one over.
 */
#ifndef CARDS_PEERS_H
#define CARDS_PEERS_H

#include "app.h"

/* Makes app->json, app->loop and its pool. `most`: peers at a time; 0: the pool's default.
 * 0, or -1 when that was not possible: it has been said on stderr. */
int peers_start(struct app *app, uint32_t most);
void peers_stop(struct app *app);

/* Is there a socket on this path? Its answer is the pool's, even if it is a refusal. */
int peers_path(const char *path, size_t len);

#endif
