/* SPDX-License-Identifier: MIT */
/*
 * wspool/dial.h - the clients of wspool/client.h on sockets. Linux, epoll. Link with
 * -lwspool_sockets -lwspool.
 *
 *     wspool_clients_config config;
 *     wspool_clients_config_init(&config);
 *     config.url = "ws://127.0.0.1:9001/room/a";
 *     config.message.call = on_message;
 *     wspool_clients_new(&clients, &config, wspool_clock());
 *     wspool_clients_add(clients, NULL, &id);
 *     wspool_clients_connect(clients, id, wspool_clock());
 *     wspool_dial_new(&dial, clients, NULL);
 *     while (wspool_dial_turn(dial, UINT64_MAX) == 0) {
 *     }
 *     wspool_dial_free(dial);
 *     wspool_clients_free(clients);
 *
 * In a loop of the host: watch wspool_dial_descriptor for input, sleep until
 * wspool_clients_deadline, and then, or after any call for a client, take a turn with `until` 0.
 *
 * It does not encrypt: for wss the host moves the bytes itself, through its TLS library.
 *
 * Results  0 or a count, or -1 with errno.
 * Threads  one for all calls, that of the clients.
 */
#ifndef WSPOOL_DIAL_H
#define WSPOOL_DIAL_H

#include <stdint.h>

#include <wspool/client.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_dial wspool_dial;

/* Connects clients to the port of their URL, at `address`: numeric, or a name; NULL: the host of
 * the URL. A name is looked up now, which may block for seconds; attempts go through its addresses
 * in turn. EINVAL: no such address. ENOTSUP: the URL is of the scheme wss. ENOSYS: not on
 * this system. ENOMEM, EMFILE, ... */
int wspool_dial_new(wspool_dial **dial, wspool_clients *clients, const char *address);

/* Sleeps until there is something to do or wspool_clock reaches `until` (0: does not sleep;
 * UINT64_MAX: no bound), and does it. EBUSY: called from a hook. */
int wspool_dial_turn(wspool_dial *dial, uint64_t until);

/* A descriptor that is readable when a turn has something to do, apart from deadlines. */
int wspool_dial_descriptor(const wspool_dial *dial);

/* In the status hook of a client whose transport has ended: the errno of it, or 0 if the server has
 * ended it, or nothing has. */
int wspool_dial_error(const wspool_dial *dial);

/* Closes every transport. Call it before wspool_clients_free. NULL is allowed. */
void wspool_dial_free(wspool_dial *dial);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
