/* SPDX-License-Identifier: MIT */
/*
 * sim/accept.h - shared by the tests of the handshake: valid requests, a table with each fault that
 * a request can have, and a pool that asks for tokens.
 */
#ifndef WSPOOL_TEST_SIM_ACCEPT_H
#define WSPOOL_TEST_SIM_ACCEPT_H

#include "sim.h"

#define REFUSED(s, name) (sim_stats(s).refused[WSPOOL_REFUSED_##name])

/* Memory of a peer in its handshake: its record, its HTTP head with 2 KiB, and a share of the
 * tables. */
#define RECORD (192 + 40)

/* Returns a request with a frame behind it, in one piece. */
static inline blob whole_request(const char *target, const char *text)
{
    blob bytes = {0};
    client_request request = {0};
    client_frame frame = {0};
    request.target = target;
    client_put_request(&bytes, &request);
    frame.first = FIN | OP_TEXT;
    frame.payload = text;
    frame.len = strlen(text);
    frame.key = 0x01020304;
    client_put_frame(&bytes, &frame);
    return bytes;
}

typedef struct refusal_case {
    client_request request;
    int status;
    const char *word;
} refusal_case;

static const refusal_case refusals[] = {
    {{.method = "POST"}, 405, "method_not_allowed"},
    {{.method = "get"}, 405, "method_not_allowed"},
    {{.version = "HTTP/1.0"}, 505, "http_version"},
    {{.target = "/nowhere"}, 404, "no_route"},
    {{.target = "/echo/"}, 404, "no_route"},
    {{.target = "/echoes"}, 404, "no_route"},
    {{.target = "/room/"}, 404, "no_route"},
    {{.target = "/room/a/b"}, 404, "no_route"},
    {{.upgrade = CLIENT_LEFT_OUT}, 426, "upgrade_required"},
    {{.upgrade = "h2c"}, 426, "upgrade_required"},
    {{.connection = CLIENT_LEFT_OUT}, 426, "upgrade_required"},
    {{.connection = "keep-alive"}, 426, "upgrade_required"},
    {{.ws_version = CLIENT_LEFT_OUT}, 426, "websocket_version"},
    {{.ws_version = "7"}, 426, "websocket_version"},
    {{.ws_version = "12"}, 426, "websocket_version"},
    {{.ws_version = "013"}, 426, "websocket_version"},
    {{.ws_version = "+13"}, 426, "websocket_version"},
    {{.ws_version = "130"}, 426, "websocket_version"},
    {{.key = CLIENT_LEFT_OUT}, 400, "bad_key"},
    {{.key = "test"}, 400, "bad_key"},
    {{.key = "dGhlIHNhbXBsZSBub25jZQ"}, 400, "bad_key"},
    {{.key = "dGhlIHNhbXBsZSBub25jZQ=="
             "dGhlIHNhbXBsZSBub25jZQ=="},
     400,
     "bad_key"},
    /* the unused bits at its end are not zero */
    {{.key = "dGhlIHNhbXBsZSBub25jZR=="}, 400, "bad_key"},
    {{.key = "dGhlIHNhbXBsZS!ub25jZQ=="}, 400, "bad_key"},
    {{.extra = "Sec-WebSocket-Key: " CLIENT_KEY "\r\n"}, 400, NULL}, /* the header twice */
    {{.host = CLIENT_LEFT_OUT}, 400, "bad_host"},
    {{.extra = "Host: other.example\r\n"}, 400, NULL},
    {{.extra = "Content-Length: 5\r\n"}, 400, "unexpected_body"},
    {{.extra = "Transfer-Encoding: chunked\r\n"}, 400, "unexpected_body"},
    {{.extra = "no colon here\r\n"}, 400, "malformed"},
    {{.extra = "Space : before the colon\r\n"}, 400, "malformed"},
    {{.extra = "X-A: 1\r\n folded\r\n"}, 400, "malformed"},
    {{.extra = "X-A: \x01\r\n"}, 400, "malformed"},
    {{.extra = ": no name\r\n"}, 400, "malformed"},
    {{.version = "HTTQ/1.1"}, 400, "malformed"},
    {{.origin = "https://evil.example"}, 403, "origin"},
    {{.origin = "null"}, 403, "origin"},
    {{.origin = "https://pool.example.evil.example"}, 403, "origin"},
    {{.origin = "https://evilpool.example"}, 403, "origin"},
    {{.origin = "https://pool.example:444"}, 403, "origin"},
    {{.origin = "pool.example"}, 403, "origin"},
    {{.origin = "https://pool.example/path"}, 403, "origin"},
    {{.origin = "https://user@pool.example"}, 403, "origin"},
    {{.extra = "Cookie: a=b\r\n"}, 403, "origin"}, /* a browser's request without an Origin */
};

static inline sim *sim_with_token(enum wspool_verdict_kind kind)
{
    sim *s = sim_new(9);
    s->ask_token = 1;
    s->grant = 1;
    s->verdict.kind = kind;
    return s;
}

static const client_request with_token = {.extra = "Authorization: Bearer secret.1\r\n"};

static inline int complete(sim *s, wspool_id id, enum wspool_verdict_kind kind,
                           enum wspool_refusal refusal, void *identity)
{
    wspool_verdict verdict;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    verdict.kind = kind;
    verdict.refusal = refusal;
    verdict.identity = identity;
    return SIM_IN(wspool_auth_complete(s->pool, id, &verdict));
}

#endif
