/* SPDX-License-Identifier: MIT */
/*
 * sim/test_hosted.c - the handshake through the host's own HTTP server: wspool_upgrade,
 * wspool_adopt, and the slot that is reserved between them.
 *
 * Proves law 9 (a request that is refused over the wire is refused here) and a part of law 5 (a
 * slot that the host does not adopt in time becomes free).
 */
#include "accept.h"

static const char *answer_header(const wspool_answer *answer, const char *name)
{
    assert_true(answer->header_count <= WSPOOL_ANSWER_HEADERS);
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return NULL;
}

TEST(hosted_when_good_is_answered_and_adopted)
{
    sim *s = sim_default(1);
    client_request request = {.target = "/room/h?x=1"};
    client_frame frame = {.first = FIN | OP_TEXT, .payload = "early", .len = 5, .key = 7};
    blob early = {0};
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(answer.status, 101);
    assert_string_equal(answer_header(&answer, "Sec-WebSocket-Accept"), CLIENT_ACCEPT);
    assert_non_null(answer_header(&answer, "Upgrade"));
    assert_non_null(answer_header(&answer, "Connection"));
    assert_int_equal(answer.body_len, 0);
    assert_string_equal(answer.body, "");
    assert_int_equal(p->opened, 0);
    sim_books(s);
    assert_int_equal(wspool_feed(s->pool, p->id, "x", 1, s->now), WSPOOL_ERR_STATE);
    assert_int_equal(sim_send(p, "x"), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("t")), WSPOOL_ERR_STATE);
    client_put_frame(&early, &frame);
    assert_int_equal(sim_adopt(p, early.data, early.len), 0);
    assert_int_equal(p->opened, 1);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STATE);
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    assert_int_equal(sim_broadcast(s, wspool_item("h"), "hi"), 1);
    sim_pump(s);
    assert_int_equal(p->reader.head.len, 0); /* the host sends the 101 */
    sim_expect_message(p, 0, "hi");
    blob_free(&early);
    sim_free(s);
}

TEST(hosted_when_not_good_gets_the_same_answers_as_raw)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal_case *c = &refusals[i];
        sim *s;
        char body[64];
        wspool_answer answer;
        sim_peer *p;
        if (c->word == NULL || strcmp(c->word, "malformed") == 0)
            continue; /* see hosted_and_raw_judge_every_head_alike */
        s = sim_default(i);
        assert_int_equal(sim_upgrade(s, &c->request, &answer, &p), WSPOOL_UPGRADE_REFUSED);
        assert_null(p);
        assert_int_equal(answer.status, c->status);
        assert_int_equal(answer.body_len, strlen(answer.body));
        snprintf(body, sizeof body, "{\"error\":\"%s\"}", c->word);
        assert_string_equal(answer.body, body);
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/json");
        if (c->status == 426) {
            assert_string_equal(answer_header(&answer, "Sec-WebSocket-Version"), "13");
            assert_string_equal(answer_header(&answer, "Connection"), "Upgrade");
        }
        assert_string_equal(wspool_refusal_reason(answer.refusal), c->word);
        sim_books(s);
        sim_free(s);
    }
}

TEST(hosted_when_not_adopted_in_time_loses_its_place)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p;
    sim_peer *none;
    s->config.max_handshakes = 1;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &none), WSPOOL_ERR_FULL);
    sim_pass(s, 10 * SEC - 200 * MS);
    assert_int_equal(sim_stats(s).handshakes, 1);
    sim_pass(s, 400 * MS);
    assert_int_equal(sim_stats(s).handshakes, 0);
    assert_int_equal(REFUSED(s, NOT_ADOPTED), 1);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(s->counts[SIM_VERDICT], 0);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    sim_free(s);
}

TEST(hosted_when_given_back_frees_the_place_at_once)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p;
    s->config.max_handshakes = 1;
    sim_start(s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
        assert_int_equal(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now), 0);
        sim_pump(s);
        assert_int_equal(sim_stats(s).handshakes, 0);
        if (!p->released)
            assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STALE);
        p->released = 1;
    }
    assert_int_equal(REFUSED(s, GONE) + REFUSED(s, NOT_ADOPTED), 3);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    sim_free(s);
}

static void adopt_in_the_hook(sim *s, const sim_event *event)
{
    if (event->what == SIM_VERDICT && event->number == 101)
        assert_int_equal(wspool_adopt(s->pool, event->id, NULL, 0, s->now), WSPOOL_ERR_REENTRANT);
}

TEST(hosted_when_pending_is_told_by_the_verdict_hook)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_peer *p;
    s->react = adopt_in_the_hook;
    sim_start(s);
    /* The verdict accepts. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STATE);
    p->waiting = 1;
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 0)->number, 101);
    assert_true(sim_event_of(s, SIM_VERDICT, 0)->id == p->id);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    assert_int_equal(p->opened, 1);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    /* The verdict refuses. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(complete(s, p->id, WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_EXPIRED, NULL), 0);
    sim_pump(s);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 1)->number, 401);
    assert_string_equal(sim_event_of(s, SIM_VERDICT, 1)->text, "{\"error\":\"expired\"}");
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    /* The verdict never comes: the hook reports a 503. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    sim_pass(s, 41 * SEC);
    assert_int_equal(s->counts[SIM_VERDICT], 3);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 2)->number, 503);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(sim_stats(s).handshakes, 0);
    /* The verdict accepts, but the host does not adopt. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    sim_pass(s, 11 * SEC);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(s->identities[1]->freed, 1);
    assert_int_equal(REFUSED(s, NOT_ADOPTED), 1);
    sim_free(s);
}

/* The header says "The id holds the place": a reserved slot counts as used. */
TEST(hosted_when_places_are_held_nobody_else_gets_them)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p[3];
    s->config.max_peers = 2;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[0]), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[1]), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[2]), WSPOOL_UPGRADE_REFUSED);
    assert_int_equal(answer.status, 503);
    sim_refused(s, &request, 503, "full");
    assert_int_equal(sim_adopt(p[0], NULL, 0), 0);
    sim_refused(s, &request, 503, "full");
    assert_int_equal(wspool_gone(s->pool, p[1]->id, WSPOOL_GONE_FAILED, s->now), 0);
    p[1]->released = 1;
    sim_join(s, "/echo");
    sim_refused(s, &request, 503, "full");
    assert_int_equal(sim_stats(s).peers, 2);
    sim_free(s);
}

TEST(hosted_when_closed_before_it_is_open_is_refused)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_identity *identity;
    wspool_id id;
    sim_peer *p;
    sim_start(s);
    /* Pending: the response is still to come. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    id = p->id;
    p->released = 1;
    assert_int_equal(SIM_IN(wspool_close(s->pool, id, 1000, NULL, 0)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 0)->number, 403);
    identity = sim_identity_new(s);
    if (complete(s, id, WSPOOL_ACCEPT, 0, identity) != 0)
        identity->freed++;
    sim_pump(s);
    assert_int_equal(identity->freed, 1);
    /* Accepted: the response was returned, so no hook is called. */
    s->verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    id = p->id;
    p->released = 1;
    assert_int_equal(SIM_IN(wspool_close(s->pool, id, 1000, NULL, 0)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(wspool_adopt(s->pool, id, NULL, 0, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(REFUSED(s, NOT_ALLOWED), 2);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    sim_free(s);
}

TEST(hosted_when_gone_while_pending_needs_no_answer)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_peer *p;
    wspool_id id;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    id = p->id;
    assert_int_equal(complete(s, id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    assert_int_equal(SIM_IN(wspool_gone(s->pool, id, WSPOOL_GONE_EOF, s->now)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 0);
    assert_int_equal(s->identities[0]->freed, 1);
    assert_int_equal(REFUSED(s, GONE), 1);
    p->released = 1;
    sim_free(s);
}

TEST(hosted_answer_to_head_has_no_body)
{
    sim *s = sim_default(1);
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(s, &(client_request){.method = "HEAD"}, &answer, &p),
                     WSPOOL_UPGRADE_REFUSED);
    assert_int_equal(answer.status, 405);
    assert_int_equal(answer.body_len, 0);
    assert_string_equal(answer.body, "");
    sim_free(s);
}

/* ---------------------------------------------------------------- one judge */

#define MOST_HEADERS 400

/* A host's server that lets everything through: lines end in CR LF, the first has three words, the
 * others a colon. It does not judge names and values. Returns 0 if it cannot read the head. */
static int host_reads(const char *head, size_t len, wspool_request *request, wspool_header *headers)
{
    const char *line = head, *end = head + len;
    size_t first = 1;
    *request = (wspool_request){.size = sizeof *request, .headers = headers};
    for (size_t empty = 0; end - line >= 2 && memcmp(line, "\r\n", 2) == 0; empty++) {
        if (empty == 4)
            return 0;
        line += 2;
    }
    for (;;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL || stop == line || stop[-1] != '\r' ||
            memchr(line, '\r', (size_t)(stop - line)) != stop - 1)
            return 0;
        size_t n = (size_t)(stop - line) - 1;
        if (n == 0)
            return !first;
        if (first) {
            const char *target = memchr(line, ' ', n), *version;
            if (target == NULL)
                return 0;
            target++;
            version = memchr(target, ' ', n - (size_t)(target - line));
            if (version == NULL || line + n - version != 9 || memcmp(version, " HTTP/", 6) != 0 ||
                version[7] != '.' || version[6] < '0' || version[6] > '9' || version[8] < '0' ||
                version[8] > '9')
                return 0;
            request->method = (wspool_text){line, (size_t)(target - 1 - line)};
            request->target = (wspool_text){target, (size_t)(version - target)};
            request->http_major = version[6] - '0';
            request->http_minor = version[8] - '0';
            first = 0;
        } else {
            const char *colon = memchr(line, ':', n), *value;
            if (colon == NULL || request->header_count == MOST_HEADERS)
                return 0;
            size_t value_len = (size_t)(line + n - colon) - 1;
            for (value = colon + 1; value_len > 0 && (*value == ' ' || *value == '\t'); value++)
                value_len--;
            while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
                value_len--;
            headers[request->header_count++] =
                (wspool_header){{line, (size_t)(colon - line)}, {value, value_len}};
        }
        line = stop + 1;
    }
}

/* The head goes both ways in. Returns the status, or 0 when only the raw way could read it. */
static int judge_both(const char *head, size_t len)
{
    wspool_header headers[MOST_HEADERS];
    wspool_request request;
    wspool_answer answer;
    wspool_id id;
    if (!host_reads(head, len, &request, headers))
        return 0;
    sim *s = sim_default(1);
    sim_peer *p = sim_open(s, NULL);
    sim_write(p, head, len);
    sim_pump(s);
    wspool_statistics raw = sim_stats(s);
    int status = p->reader.status;
    sim_free(s);
    s = sim_default(1);
    int rc = wspool_upgrade(s->pool, &request, s->now, &id, &answer);
    wspool_statistics hosted = sim_stats(s);
    assert_int_equal(rc, status == 101 ? WSPOOL_UPGRADE_ACCEPTED : WSPOOL_UPGRADE_REFUSED);
    if (answer.status != status)
        fail_msg("raw %d, hosted %d:\n%.*s", status, answer.status, (int)len, head);
    assert_memory_equal(raw.refused, hosted.refused, sizeof raw.refused);
    for (int stage = 0; stage < WSPOOL_STAGE_COUNT; stage++)
        if (raw.stages[stage].refused != hosted.stages[stage].refused)
            fail_msg("stage %d: raw %d, hosted %d:\n%.*s", stage, (int)raw.stages[stage].refused,
                     (int)hosted.stages[stage].refused, (int)len, head);
    if (rc == WSPOOL_UPGRADE_ACCEPTED)
        wspool_gone(s->pool, id, WSPOOL_GONE_FAILED, s->now);
    sim_free(s);
    return status;
}

#define ASKS \
    "Host: pool.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " CLIENT_KEY "\r\n"
#define HEAD(line, more, status) \
    { \
        line "\r\n" ASKS more "\r\n", sizeof(line "\r\n" ASKS more "\r\n") - 1, status \
    }
#define MORE(more, status) HEAD("GET /echo HTTP/1.1", more, status)

/* What servers let through, libmicrohttpd among them. */
static const struct {
    const char *bytes;
    size_t len;
    int status;
} heads[] = {
    MORE("", 101),
    MORE("X: \t\r\n", 101),
    MORE("X: \xff\r\n", 101),
    MORE("Content-Length: 0\r\n", 101),
    MORE("Transfer-Encoding : chunked\r\n", 400),
    MORE("Transfer-Encoding\t: chunked\r\n", 400),
    MORE("Transfer-Encoding: chunked\r\n", 400),
    MORE("Content-Length : 15\r\n", 400),
    MORE("Content-Length: 15\r\n", 400),
    MORE("Content-Length: 0\r\nContent-Length: 0\r\n", 400),
    MORE("Content-Length: +0\r\n", 400),
    MORE("Host : other\r\n", 400),
    MORE("Host: other\r\n", 400),
    MORE("Origin : http://evil.example\r\n", 400),
    MORE(" Origin: http://evil.example\r\n", 400),
    MORE("Cookie : a=b\r\n", 400),
    MORE("Cookie: a=b\r\n", 403),
    MORE(": no name\r\n", 400),
    MORE("Orig\0in: http://evil.example\r\n", 400),
    MORE("N\xc3\xa4me: a\r\n", 400),
    MORE("X: b\0c\r\n", 400),
    MORE("X: b\x01\r\n", 400),
    MORE("X: b\x7f\r\n", 400),
    MORE("Origin: http://pool.example\0.evil.example\r\n", 400),
    MORE("Sec-WebSocket-Key: " CLIENT_KEY "\r\n", 400),
    MORE("Sec-WebSocket-Version: 13\r\n", 400),
    MORE("Origin: http://pool.example\r\nOrigin: http://pool.example\r\n", 400),
    HEAD("\r\nGET /echo HTTP/1.1", "", 101),
    HEAD("GET http://pool.example/echo HTTP/1.1", "", 101),
    HEAD("GET http://u@pool.example/echo HTTP/1.1", "", 400),
    HEAD("GET http://other.example/echo HTTP/1.1", "Origin: http://pool.example\r\n", 403),
    HEAD("GET /echo HTTP/1.9", "", 101),
    HEAD("GET /echo HTTP/1.0", "", 505),
    HEAD("GET /echo HTTP/2.0", "", 505),
    HEAD("GET /echo HTTP/9.9", "", 505),
    HEAD("GET /e\0ho HTTP/1.1", "", 400),
    HEAD("GET /echo#a HTTP/1.1", "", 400),
    HEAD("GET /\xc3\xa4 HTTP/1.1", "", 400),
    HEAD("GET echo HTTP/1.1", "", 400),
    HEAD("GET * HTTP/1.1", "", 400),
    HEAD("GET /nowhere HTTP/1.1", "", 404),
    HEAD("GET /nowhere HTTP/1.1", "X : a\r\n", 400),
    HEAD("HEAD /echo HTTP/1.1", "X : a\r\n", 405),
    HEAD("POST * HTTP/1.0", "", 405),
    HEAD("G(T /echo HTTP/1.1", "", 400),
};

TEST(hosted_and_raw_judge_every_head_alike)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int status = judge_both(heads[i].bytes, heads[i].len);
        if (status != heads[i].status)
            fail_msg("head %zu: %d, not %d", i, status, heads[i].status);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        blob bytes = {0};
        client_put_request(&bytes, &refusals[i].request);
        int status = judge_both((const char *)bytes.data, bytes.len);
        assert_true(status == 0 || status == refusals[i].status);
        blob_free(&bytes);
    }
}

TEST(hosted_and_raw_have_the_same_bounds)
{
    for (int count = 55; count < 65; count++) { /* and five of ASKS: 64 are allowed */
        blob bytes = {0};
        blob_text(&bytes, "GET /echo HTTP/1.1\r\n" ASKS);
        for (int i = 0; i < count; i++)
            blob_text(&bytes, "X: y\r\n");
        blob_text(&bytes, "\r\n");
        assert_int_equal(judge_both((const char *)bytes.data, bytes.len), count <= 59 ? 101 : 431);
        blob_free(&bytes);
    }
    for (int more = -3; more < 4; more++) { /* bytes beyond head_bytes */
        blob bytes = {0};
        blob_text(&bytes, "GET /echo HTTP/1.1\r\n" ASKS "X: ");
        while (bytes.len + 4 < (size_t)(16384 + more))
            blob_text(&bytes, "x");
        blob_text(&bytes, "\r\n\r\n");
        assert_int_equal(judge_both((const char *)bytes.data, bytes.len), more <= 0 ? 101 : 431);
        blob_free(&bytes);
    }
}

/* The seeds of fuzz_http: `= title`, then lines with \\n \\r \\t \\\\ and \\xHH. */
TEST(hosted_and_raw_judge_the_seeds_of_the_fuzzer_alike)
{
    FILE *file = fopen("test/fuzz/seeds/http.txt", "r");
    char line[8192];
    blob head = {0};
    int judged = 0;
    if (file == NULL)
        skip();
    for (int more = 1; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        if (!more || line[0] == '=') {
            judged += head.len > 0 && judge_both((const char *)head.data, head.len) != 0;
            blob_free(&head);
            head = (blob){0};
            continue;
        }
        for (const char *at = line; line[0] != '#' && *at != '\0' && *at != '\n'; at++) {
            char c = *at;
            if (c == '\\') {
                unsigned value = 0;
                c = *++at;
                c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
                if (*at == 'x' && sscanf(at + 1, "%2x", &value) == 1) {
                    c = (char)value;
                    at += 2;
                }
            }
            blob_add(&head, &c, 1);
        }
    }
    fclose(file);
    assert_true(judged >= 3);
}

TEST(hosted_when_the_request_is_unlawful_is_inval)
{
    sim *s = sim_default(1);
    wspool_request request;
    wspool_answer answer;
    wspool_id id;
    memset(&request, 0, sizeof request);
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    request.size = sizeof(size_t) - 1;
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    sim_books(s);
    sim_free(s);
}
