/* SPDX-License-Identifier: MIT */
/*
 * clients/fake.h - a scripted transport and server for clients, and a clock that is set by hand.
 *
 *     struct fake fake;
 *     fake_init(&fake);
 *     fake.config.attempts = 3;            // before fake_start
 *     fake_start(&fake);                   // one client, connecting
 *     fake_accept(&fake);                  // the server answers 101
 *     fake_frame(&fake, FAKE_TEXT, "hi");
 *     fake_pass(&fake, 5 * WSPOOL_SECOND); // every deadline in between is met on time
 *     fake_end(&fake);
 *
 * fake_pump does what wspool_clients_next says, whenever something was done. A transport connects
 * at once, unless `no_route` is set; `stuck` keeps all output unwritten.
 */
#ifndef WSP_TEST_CLIENTS_FAKE_H
#define WSP_TEST_CLIENTS_FAKE_H

#include "../unit/support.h"

#include <wspool/client.h>

#define FAKE_TEXT 1
#define FAKE_BINARY 2
#define FAKE_CLOSE 8
#define FAKE_PING 9
#define FAKE_PONG 10

#define FAKE_EVENTS 4096

struct fake {
    wspool_clients_config config;
    wspool_clients *clients;
    wspool_id id;
    struct test_mem mem;
    uint64_t now;
    uint64_t seed; /* of the entropy */
    int no_route;  /* a transport neither connects nor fails */
    int stuck;
    int no_entropy;

    wspool_stream stream;         /* of the present transport; 0: none */
    wspool_stream last;           /* the one before it */
    uint64_t dialed[FAKE_EVENTS]; /* when each attempt asked for a transport */
    size_t dials, closes;
    uint8_t sent[1 << 20]; /* what the present transport has got, and the library has not read */
    size_t sent_len;

    wspool_client_status status; /* the last */
    char reason[128];
    unsigned told;
    int tokens, renewals; /* calls of the token hook */
    int token_result;     /* what it returns. The token is "tN", with N from 1 */
    const char *token;    /* in place of that */
    char message[4096];   /* the last */
    size_t message_len;
    unsigned messages;
    void (*in_status)(struct fake *fake, const wspool_client_status *status);
    void (*in_token)(struct fake *fake);
    void (*in_message)(struct fake *fake);
};

void fake_init(struct fake *fake);
/* Makes the group and a client, and connects it. Returns the error of wspool_clients_new or 0. */
int fake_start(struct fake *fake);
void fake_end(struct fake *fake);
void fake_pump(struct fake *fake);
void fake_pass(struct fake *fake, uint64_t time);
/* Lets time pass until the next attempt has begun. */
void fake_await(struct fake *fake);

/* Bytes of the server. */
void fake_feed(struct fake *fake, const void *bytes, size_t len);
void fake_say(struct fake *fake, const char *text);
/* Answers the request with 101. `subprotocol` may be NULL. */
void fake_accept_as(struct fake *fake, const char *subprotocol);
static inline void fake_accept(struct fake *fake)
{
    fake_accept_as(fake, NULL);
}
void fake_frame(struct fake *fake, int opcode, const void *payload, size_t len);
void fake_text(struct fake *fake, const char *text);
void fake_close(struct fake *fake, int code, const char *reason);
/* The transport has ended. */
void fake_gone(struct fake *fake);

/* Takes the request that was sent; returns it, ended by a NUL. */
const char *fake_request(struct fake *fake);
/* Takes the request; returns the value of Sec-WebSocket-Accept that answers it. */
const char *fake_accept_value(struct fake *fake);
/* Takes the next frame of the client, which must be masked. Returns its opcode, or 0: there is
 * none. The payload is ended by a NUL. */
int fake_take(struct fake *fake, char *payload, size_t *len);

static inline int fake_state(struct fake *fake)
{
    wspool_client_status status;
    assert_int_equal(wspool_clients_status(fake->clients, fake->id, &status), 0);
    return (int)status.state;
}

#endif
