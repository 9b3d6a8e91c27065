/* SPDX-License-Identifier: MIT */
/*
 * client/entropy.h - the unpredictable bytes of a group: masks, keys, delays. They are fetched from
 * the hook many at a time, and each is used once.
 */
#ifndef WSP_CLIENT_ENTROPY_H
#define WSP_CLIENT_ENTROPY_H

#include "client/client.h"

/* Fills at most WSP_ENTROPY_BYTES. Returns 0, or ENTROPY if the hook has failed. */
int wsp_clients_random(struct wspool_clients *clients, void *bytes, size_t len);
/* Writes a client instance, and its NUL. Returns 0 or ENTROPY. */
int wsp_clients_random_instance(struct wspool_clients *clients, char *out);

#endif
