/* SPDX-License-Identifier: MIT */
/*
 * hosts.h - which Host names are ours (DNS rebinding).
 *
 * A web page of evil.example can make its own name point to 127.0.0.1. Then a browser takes our
 * answers for that page's own, and Origin and Host agree. Only the name in Host tells the two
 * apart. So a server that only this machine can reach answers names of this machine only.
 */
#ifndef CARDS_HOSTS_H
#define CARDS_HOSTS_H

#include <wspool/handshake.h>

/* Returns 1 if `host`, with a port or without, names this machine: localhost, 127.0.0.0/8, ::1. */
int host_is_loopback(wspool_text host);

#endif
