/* SPDX-License-Identifier: MIT */
/*
 * client/attempt.h - the attempts of a client: how each begins and ends, and what follows. Calls
 * the hooks `token`, `query` and `status`.
 *
 * A hook may do nearly everything, also remove the client. A function that has called a hook looks
 * at the client again only if its serial is still the same (`status` is always the last thing
 * done).
 */
#ifndef WSP_CLIENT_ATTEMPT_H
#define WSP_CLIENT_ATTEMPT_H

#include "client/backoff.h"
#include "client/client.h"

/* Begins an attempt; what was before it is given up. `renew`: with another token. */
void wsp_client_start(struct wspool_clients *clients, struct wsp_client *client, int renew);
/* Forgets earlier failures. */
void wsp_client_afresh(struct wsp_client *client);
/* The token of an attempt in ASKING is there. */
void wsp_client_proceed(struct wspool_clients *clients, struct wsp_client *client,
                        wspool_text token);
/* The server has accepted: the connection is open. */
void wsp_client_opened(struct wspool_clients *clients, struct wsp_client *client);
/* It counts as connected. */
void wsp_client_proven(struct wspool_clients *clients, struct wsp_client *client);
/* Queues a Close, and waits a while for the end of the transport. */
void wsp_client_close(struct wspool_clients *clients, struct wsp_client *client, int code);
/* The connection or the attempt has ended: decides what follows. */
void wsp_client_ended(struct wspool_clients *clients, struct wsp_client *client,
                      const struct wsp_client_end *end);
/* As wsp_client_ended, for a cause only. */
void wsp_client_failed(struct wspool_clients *clients, struct wsp_client *client,
                       enum wspool_client_cause cause);
/* Ends what there is, without a next attempt and without a hook. A transport that the host has is
 * reported as CLOSE. */
void wsp_client_drop(struct wspool_clients *clients, struct wsp_client *client);
/* Calls the status hook. */
void wsp_client_tell(struct wspool_clients *clients, const struct wsp_client *client);

void wsp_client_read_status(const struct wspool_clients *clients, const struct wsp_client *client,
                            wspool_client_status *status);

#endif
