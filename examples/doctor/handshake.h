/* SPDX-License-Identifier: MIT */
/* handshake.h - the request for a WebSocket, and the answer to it (RFC 6455, section 4). */
#ifndef DOCTOR_HANDSHAKE_H
#define DOCTOR_HANDSHAKE_H

#include "target.h"
#include "transport.h"

#define EXTENSION "permessage-deflate"

struct question {
    int version;             /* 13 is the one that exists */
    const char *origin;      /* NULL: none is sent */
    const char *token;       /* Authorization: Bearer. NULL: none is sent */
    const char *subprotocol; /* that is offered */
};

enum answered {
    ANSWERED,
    SILENCE,  /* no whole head came in time */
    HUNG_UP,  /* the connection ended before it */
    TOO_LONG, /* its head has more than 8 KiB */
    NOT_HTTP, /* what came is no answer of HTTP/1.1 */
    IS_TLS    /* it is an alert of TLS */
};

struct answer {
    int status;
    char head[8192]; /* with a NUL; names and values as they came */
    char body[8192]; /* with a NUL: the beginning. Of a 101: all that came with it, frames */
    size_t body_len;
    char accept[29]; /* the Sec-WebSocket-Accept that the request calls for */
};

/* Asks once. */
enum answered ask(struct transport *t, const struct target *target, const struct question *question,
                  struct answer *answer, uint64_t until);

/* Room for the value of a header: what is longer is cut. */
#define VALUE_ROOM 256

/* Writes the value of a header, those of several headers with commas between them. Returns `value`,
 * or NULL: there is none. */
const char *answer_header(const struct answer *answer, const char *name, char value[VALUE_ROOM]);
/* Returns 1 if the list that a header is has this word, in whatever case. */
int answer_lists(const struct answer *answer, const char *name, const char *word);
/* Writes the reason of a refusal by libwspool, {"error":"REASON"}; "" if there is none. */
void answer_reason(const struct answer *answer, char reason[32]);

/* Writes the name of the proxy that the answer has passed. Returns 0 if no proxy is seen. */
int answer_proxy(const struct answer *answer, char name[32]);
/* Returns 1 if a proxy made the answer itself: proxies sign their error pages, and let the answers
 * of servers pass as they are. */
int answer_is_the_proxys(const struct answer *answer);

#endif
