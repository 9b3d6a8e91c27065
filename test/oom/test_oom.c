/* SPDX-License-Identifier: MIT */
/*
 * oom/test_oom.c - every scenario with failing allocations.
 *
 * Each scenario runs with its first, second, third ... allocation failing, and again with all
 * behind that one failing, too: first the allocations of the pool (config.mem), then those of wslay
 * in the C library. The latter need a replaced malloc: not under a sanitizer and not under
 * valgrind.
 *
 * After each run: no crash, no leak, the counters balance, the end of every open peer was reported,
 * and a pool that was made serves a new peer as usual.
 */
#include "../sim/sim.h"

#include "../unit/toy.h"

/* ------------------------------------------------------------- scenarios
 *
 * Every step may fail, so a scenario expects nothing of its peers. sim.c checks the pool, and the
 * loop below checks the rest. */

static void life_of_a_pool(sim *s)
{
    static const char *const origins[] = {"https://a.example", "https://b.example:8443", NULL};
    static const char *const protocols[] = {"one", "two", NULL};
    s->config.origins = origins;
    s->config.subprotocols = protocols;
    sim_start(s);
}

static void raw_handshake(sim *s)
{
    sim_peer *p;
    s->config.max_per_key = 10;
    sim_start(s);
    if (s->pool == NULL)
        return;
    sim_join(s, "/all");
    s->address = "192.0.2.1:4711";
    s->key = "192.0.2.1";
    s->chop = SIM_BYTES; /* the head is gathered from pieces */
    sim_join(s, "/room/x");
    s->chop = SIM_WHOLE;
    sim_connect(s, &(client_request){.method = "POST"});
    sim_pump(s);
    sim_connect(s, &(client_request){.protocol = "none", .origin = "https://evil.example"});
    sim_pump(s);
    p = sim_open(s, NULL);
    sim_write(p, "GET", 3);
    sim_pass(s, 11 * SEC);
}

/* The token is copied, and the request is kept without it. */
static void token_in_the_query(sim *s)
{
    client_request request = {.target = "/room/x?token=t&more=1"};
    wspool_answer answer;
    sim_peer *p;
    s->ask_token = 1;
    s->grant = 1;
    sim_start(s);
    if (s->pool == NULL)
        return;
    (void)sim_upgrade(s, &request, &answer, &p);
    if (p != NULL) {
        sim_pass(s, 11 * SEC); /* never adopted */
        p->released = 1;
    }
    sim_connect(s, &request);
    sim_pump(s);
}

static void decide(sim *s, sim_peer *p, enum wspool_verdict_kind kind)
{
    wspool_verdict verdict;
    int rc;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    verdict.kind = kind;
    if (p == NULL || p->released)
        return;
    if (kind == WSPOOL_ACCEPT)
        verdict.identity = sim_identity_new(s);
    rc = SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict));
    assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
    if (rc != 0 && verdict.identity != NULL)
        ((sim_identity *)verdict.identity)->freed++; /* not taken: the test owns it */
    sim_pump(s);
}

/* New tokens of open peers, judged at once and later. */
static void new_tokens(sim *s)
{
    client_request request = {.target = "/room/x", .extra = "Authorization: Bearer t\r\n"};
    s->ask_token = 1;
    s->grant = 1;
    s->verdict = (wspool_verdict){.kind = WSPOOL_ACCEPT, .subject = {"ann", 3}};
    sim_start(s);
    if (s->pool == NULL)
        return;
    s->verdict.expires = (SIM_EPOCH + s->now / MS) / 1000 + 60;
    for (int i = 0; i < 4; i++) {
        sim_peer *p;
        int rc;
        s->verdict.expires *= i > 0; /* the others have no grant before */
        p = sim_connect(s, &request);
        sim_pump(s);
        if (p == NULL || p->released)
            continue;
        s->verdict.kind = i < 2 ? WSPOOL_ACCEPT : WSPOOL_PENDING;
        rc = SIM_IN(wspool_reauth(s->pool, p->id, wspool_text_of("t2"), s->now));
        assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_STATE);
        if (i == 2)
            decide(s, p, WSPOOL_ACCEPT);
        s->verdict.kind = WSPOOL_ACCEPT;
    }
    sim_pass(s, 100 * SEC);
}

/* Revocations with and without room. Those that are not kept close the peers all the same. */
static void revocations(sim *s)
{
    client_request request = {.target = "/room/x", .extra = "Authorization: Bearer t\r\n"};
    s->ask_token = 1;
    s->verdict = (wspool_verdict){.kind = WSPOOL_ACCEPT, .subject = {"ann", 3}};
    s->config.token_time = 3600 * SEC;
    s->config.max_revocations = 2;
    sim_start(s);
    if (s->pool == NULL)
        return;
    s->verdict.issued = (SIM_EPOCH + s->now / MS) / 1000;
    sim_connect(s, &request);
    sim_pump(s);
    for (int i = 0; i < 4; i++) {
        char subject[] = "ann";
        subject[2] = (char)('n' + i);
        int rc =
            SIM_IN(wspool_revoke(s->pool, wspool_text_of(subject), s->verdict.issued + 1, s->now));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_FULL);
        sim_pump(s);
    }
    sim_pass(s, 10 * SEC);
    assert_int_equal(sim_stats(s).peers, 0);
    sim_connect(s, &request);
    sim_pass(s, 100 * SEC);
    s->verdict.issued++; /* who comes afterwards has a newer token */
}

static void pending(sim *s)
{
    static const char large[6000]; /* more than a quarter of a head: kept in one step */
    client_request request = {.target = "/room/x", .extra = "Authorization: Bearer t\r\n"};
    sim_peer *p;
    s->ask_token = 1;
    s->ask_capacity = 1;
    s->grant = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 4; i++) {
        p = sim_connect(s, &request);
        sim_text(p, "early");
        if (i == 3 && p != NULL)
            sim_frame(p, FIN | OP_BINARY, large, sizeof large);
        sim_pump(s);
        if (i == 2 && p != NULL && !p->released)
            sim_cut(p, WSPOOL_GONE_EOF);
        decide(s, p, i == 1 ? WSPOOL_REFUSE : WSPOOL_ACCEPT);
    }
    s->verdict.kind = WSPOOL_ACCEPT;
    sim_connect(s, &request);
    sim_pump(s);
    s->verdict.kind = WSPOOL_PENDING;
    sim_connect(s, &request);
    sim_pass(s, 31 * SEC);
}

static void add_header(sim *s, const sim_event *event)
{
    if (event->what == SIM_CAPACITY)
        (void)wspool_add_header(s->pool, event->id, "Server", "x");
}

static void page(wspool *pool, wspool_id id, const wspool_request *request, wspool_page *page,
                 void *user)
{
    (void)request, (void)user;
    (void)wspool_add_header(pool, id, "Cache-Control", "no-store");
    page->status = 200;
    page->body = (wspool_text){"ok", 2};
}

static void answers(sim *s)
{
    s->ask_capacity = 1;
    s->react = add_header;
    s->config.plain.call = page;
    sim_start(s);
    if (s->pool == NULL)
        return;
    sim_join(s, "/all");
    sim_connect(s, &(client_request){.target = "/health", .upgrade = CLIENT_LEFT_OUT});
    sim_pump(s);
}

static void hosted(sim *s)
{
    client_request request = {.target = "/room/x", .extra = "Authorization: Bearer t\r\n"};
    wspool_answer answer;
    sim_peer *p;
    s->ask_token = 1;
    s->grant = 1;
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 4; i++) {
        int rc;
        s->verdict.kind = i < 2 ? WSPOOL_ACCEPT : WSPOOL_PENDING;
        rc = sim_upgrade(s, &request, &answer, &p);
        assert_true(rc == WSPOOL_ERR_NOMEM || rc >= 0);
        if (rc == WSPOOL_UPGRADE_REFUSED)
            /* Out of memory, reported to the client; or there was no memory for the route. */
            assert_true(answer.status == 503 || answer.status == 404);
        if (p == NULL)
            continue;
        if (rc == WSPOOL_UPGRADE_PENDING)
            decide(s, p, WSPOOL_ACCEPT);
        if (i % 2 == 0) {
            rc = sim_adopt(p, "\x81\x82\0\0\0\0hi", 8);
            assert_true(rc == 0 || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_STATE);
            p->waiting = p->released = rc != 0; /* refused meanwhile: the slot is free */
        } else {
            sim_pass(s, 11 * SEC); /* never adopted */
            p->released = 1;
        }
        sim_pump(s);
    }
}

static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        int rc = SIM_IN(wspool_send(s->pool, event->id, event->data, event->len, NULL));
        assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_STATE);
    }
}

static void echoes(sim *s)
{
    char text[5000];
    sim_peer *p;
    memset(text, 'e', sizeof text);
    sim_start(s);
    if (s->pool == NULL)
        return;
    s->react = echo;
    p = sim_join(s, "/echo");
    for (size_t n = 0; n < sizeof text; n = n * 3 + 1) {
        sim_frame(p, FIN | OP_TEXT, text, n);
        sim_ping(p, "ping");
        s->chop = n % 2 ? SIM_WHOLE : SIM_RANDOM;
        sim_pump(s);
    }
    s->react = NULL;
}

/* The turn is over in the middle of the input: the rest is kept, and more of it comes. */
static void budget(sim *s)
{
    s->config.turn_deliveries = 2;
    sim_start(s);
    if (s->pool == NULL)
        return;
    s->react = echo;
    sim_peer *p = sim_join(s, "/echo"), *q = sim_join(s, "/echo");
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 8; n++) {
            sim_text(p, "one");
            sim_text(q, "another");
        }
        sim_turn(s);
    }
    sim_pump(s);
    s->react = NULL;
}

static void fragments(sim *s)
{
    char text[3000];
    sim_peer *p;
    memset(text, 'f', sizeof text);
    sim_start(s);
    if (s->pool == NULL)
        return;
    s->chop = SIM_RANDOM;
    p = sim_join(s, "/echo");
    sim_join(s, "/echo");
    for (int i = 0; i < 3; i++) {
        sim_frame(p, OP_TEXT, text, sizeof text);
        sim_ping(p, "between");
        sim_frame(p, OP_CONT, text, 0);
        sim_frame(p, OP_CONT, text, sizeof text);
        sim_frame(p, FIN | OP_CONT, text, 1);
        sim_pump(s);
    }
    sim_frame(p, OP_TEXT, text, 1000); /* cut off in the middle */
    sim_write(p, "\x80\xfe\x10\x00", 4);
    sim_pump(s);
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
}

static void broadcasts(sim *s, enum wspool_slow policy)
{
    char text[600];
    memset(text, 'b', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    s->config.slow = policy;
    s->config.queue_messages = 12;
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 6; i++)
        sim_join(s, "/room/x");
    for (size_t i = 0; i < s->peer_count; i += 2)
        sim_stall(s->peers[i]);
    for (int i = 0; i < 40; i++) {
        int rc = sim_broadcast(s, wspool_item("x"), text);
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM);
        for (size_t k = 0; k < s->peer_count; k += 3) { /* runs that do not lie side by side */
            sim_peer *p = s->peers[k];
            if (p->opened && !p->ended) {
                rc = sim_send(p, "his own");
                assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_FULL ||
                            rc == WSPOOL_ERR_STATE);
            }
        }
        if (i % 4 == 0)
            for (size_t k = 0; k < s->peer_count; k += 4)
                s->peers[k]->room = 700;
        sim_pump(s);
    }
    sim_flow_all(s);
    sim_pump(s);
}

static void broadcasts_close(sim *s)
{
    broadcasts(s, WSPOOL_SLOW_CLOSE);
}

static void broadcasts_behind(sim *s)
{
    broadcasts(s, WSPOOL_SLOW_BEHIND);
}

/* Members resume and fall behind. What cannot be kept for lack of memory is missed, and said to be.
 *  */
static void histories(sim *s)
{
    char text[600];
    wspool_route_options options;
    memset(text, 'b', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    s->config.queue_messages = 12;
    sim_start(s);
    if (s->pool == NULL)
        return;
    wspool_route_options_init(&options, &s->config);
    options.history.messages = 20;
    options.slow = WSPOOL_SLOW_BEHIND;
    int rc = SIM_IN(wspool_route(s->pool, "/kept/{name}", WSPOOL_TOPIC, &options));
    assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
    for (int i = 0; i < 3; i++)
        sim_join(s, i == 0 && rc == 0 ? "/kept/x" : "/all");
    for (int i = 0; i < 60; i++) {
        sim_peer *p = s->peers[i % 3];
        wspool_send_options with_id = {.size = sizeof with_id, .id = {&text[i], i % 3 == 0}};
        text[i] = (char)i;
        rc = SIM_IN(wspool_broadcast(s->pool, wspool_topic(i % 7 == 6 ? "y" : "x"), text,
                                     sizeof text - 1, &with_id, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM);
        if (i % 10 == 3)
            sim_stall(p);
        if (i % 10 == 8)
            sim_flow(p);
        if (p->opened && !p->ended && i % 5 == 0) {
            wspool_channel_position since;
            assert_int_equal(wspool_position(s->pool, wspool_topic("x"), &since), 0);
            since.offset -= since.offset < 9 ? since.offset : 9;
            rc = SIM_IN(wspool_resume(s->pool, p->id, wspool_topic("x"), &since, NULL));
            assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_EXISTS);
            if (rc != WSPOOL_ERR_NOMEM && i % 2)
                assert_int_equal(SIM_IN(wspool_unsubscribe(s->pool, p->id, wspool_topic("x"))), 0);
        }
        sim_pump(s);
    }
    sim_flow_all(s);
    sim_pump(s);
}

static void channels(sim *s)
{
    char name[16];
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 5; i++)
        sim_join(s, "/all");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++)
            for (size_t k = 0; k < s->peer_count; k++) {
                sim_peer *p = s->peers[k];
                int rc;
                snprintf(name, sizeof name, "%d", i);
                if (!p->opened || p->ended)
                    continue;
                rc = SIM_IN(wspool_subscribe(s->pool, p->id, wspool_topic(name)));
                assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_EXISTS);
                if ((i + (int)k) % 3 == 0) {
                    int in = rc != WSPOOL_ERR_NOMEM;
                    rc = SIM_IN(wspool_unsubscribe(s->pool, p->id, wspool_topic(name)));
                    assert_int_equal(rc, in ? 0 : WSPOOL_ERR_ABSENT); /* an error changes nothing */
                }
            }
        sim_pump(s);
        sim_cut(s->peers[round], WSPOOL_GONE_EOF);
        sim_pump(s);
    }
}

/* Compressed messages in both directions. A message that can't be compressed without memory is
 * sent plain. */
static void negotiated(sim *s)
{
    static struct toy toy;
    client_request request = {.target = "/room/x"};
    char extra[80], text[4000];
    uint8_t encoded[256];
    memset(text, 'c', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    toy = (struct toy){.mem = &s->config.mem};
    s->test = &toy;
    s->config.codec = toy_hook(&toy);
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 5; i++) {
        snprintf(extra, sizeof extra, "Sec-WebSocket-Extensions: x-toy;form=%d;reading=%d\r\n",
                 1 + i % 2, i);
        request.extra = i < 4 ? extra : NULL;
        sim_peer *p = sim_connect(s, &request);
        if (p != NULL && i < 4)
            p->reader.unfold = toy_read;
        sim_pump(s);
    }
    for (int round = 0; round < 4; round++) {
        size_t len = toy_write(encoded, 1, text, sizeof text - 1);
        for (size_t k = 0; k < s->peer_count; k++) {
            sim_peer *p = s->peers[k];
            if (!p->opened || p->ended)
                continue;
            if (p->reader.unfold != NULL) {
                sim_frame(p, 0x40 | OP_TEXT, encoded, len / 2);
                sim_ping(p, "between");
                sim_frame(p, FIN | OP_CONT, encoded + len / 2, len - len / 2);
            }
            sim_text(p, "plain");
            if (round == 1 && k % 2)
                sim_stall(p); /* messages that wait in other encodings are held */
            int rc = sim_send(p, text);
            assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_STATE);
        }
        int rc = sim_broadcast(s, wspool_item("x"), text);
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM);
        sim_pump(s);
    }
    sim_flow_all(s);
    sim_pump(s);
}

static void closing(sim *s)
{
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 6; i++) {
        sim_peer *p = sim_join(s, "/all");
        if (p == NULL)
            continue;
        sim_send(p, "before");
        switch (i) {
        case 0:
            sim_say_close(p, 1000, "bye");
            break;
        case 1:
            SIM_IN(wspool_close(s->pool, p->id, 1000, "bye", 0));
            break;
        case 2:
            SIM_IN(wspool_close(s->pool, p->id, 1000, "bye", WSPOOL_CLOSE_NOW));
            p->mute_close = 1;
            break;
        case 3:
            sim_frame(p, FIN | 3, "x", 1);
            break;
        case 4:
            sim_stall(p);
            sim_send(p, "more");
            break;
        default:
            p->mute_pings = 1;
            break;
        }
        sim_pump(s);
    }
    sim_pass(s, 100 * SEC);
}

static void drain(sim *s)
{
    int rc;
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 8; i++)
        sim_join(s, "/room/x");
    rc = SIM_IN(wspool_drain(s->pool, 10 * SEC, 0, s->now));
    assert_int_equal(rc, 0);
    sim_pass(s, 5 * SEC);
    sim_connect_to(s, "/all");
    sim_pass(s, 20 * SEC);
    assert_int_equal(sim_stats(s).peers, 0);
}

static void assert_done(int rc)
{
    assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_ABSENT ||
                rc == WSPOOL_ERR_EXISTS);
}

static void keyed(sim *s)
{
    wspool_route_options options;
    char text[200], key[8];
    memset(text, 'k', sizeof text);
    sim_start(s);
    if (s->pool == NULL)
        return;
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = 4, .max_keys = 8};
    options.slow = WSPOOL_SLOW_BEHIND;
    int rc = SIM_IN(wspool_route(s->pool, "/keyed/{name}", WSPOOL_TOPIC, &options));
    assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
    if (rc)
        return;
    wspool_channel channel = wspool_topic("x");
    for (uint64_t i = 1; i <= 6; i++) {
        wspool_channel_position position = {7, i * 2};
        wspool_seed_message message = {
            .size = sizeof message, .data = text, .len = 100, .key = {text, (size_t)i}};
        assert_done(SIM_IN(wspool_seed(s->pool, channel, &position, &message)));
    }
    sim_peer *p = sim_join(s, "/all");
    for (int i = 0; i < 40; i++) {
        wspool_send_options with_key = {
            .size = sizeof with_key, .flags = i % 5 == 4 ? WSPOOL_REMOVE : 0, .key = {key, 2}};
        snprintf(key, sizeof key, "k%d", i % 7);
        rc = SIM_IN(wspool_broadcast(s->pool, channel, text, sizeof text, &with_key, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_FULL);
        if (i == 20)
            assert_done(SIM_IN(wspool_erase(s->pool, channel, (wspool_text){key, 2})));
        if (i == 30)
            assert_done(SIM_IN(wspool_clear(s->pool, channel)));
        if (i % 8 == 3 && p && p->opened && !p->ended) {
            wspool_channel_position since = {0, 0};
            rc = SIM_IN(wspool_resume(s->pool, p->id, channel, &since, NULL));
            assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_EXISTS);
            sim_pump(s);
            SIM_IN(wspool_unsubscribe(s->pool, p->id, channel));
        }
    }
}

/* A channel with a send interval. */
static void paced(sim *s)
{
    wspool_route_options options;
    wspool_send_options with_key = {.size = sizeof with_key, .key = {"k", 1}};
    sim_start(s);
    if (s->pool == NULL)
        return;
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = 2, .max_keys = 2};
    options.send_interval = 100 * MS;
    int rc = SIM_IN(wspool_route(s->pool, "/paced/{name}", WSPOOL_TOPIC, &options));
    assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
    if (rc)
        return;
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0)
            sim_join(s, "/paced/x");
        rc = SIM_IN(
            wspool_broadcast(s->pool, wspool_topic(i < 3 ? "x" : "y"), "text", 4, &with_key, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_FULL);
        sim_pass(s, 60 * MS);
    }
}

/* Subjects and client instances of every origin, and a route that has one peer for each. */
static void subjects(sim *s)
{
    client_request request = {.target = "/room/x?client=page",
                              .extra = "Authorization: Bearer t\r\n"};
    wspool_answer answer;
    sim_peer *p;
    s->ask_token = 1;
    s->grant = 1;
    s->verdict.subject = wspool_text_of("somebody");
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.duplicates = i == 0 ? WSPOOL_DUPLICATES_NEWEST : WSPOOL_DUPLICATES_OLDEST;
        int rc = SIM_IN(wspool_route(s->pool, i == 0 ? "/new" : "/old", WSPOOL_NONE, &options));
        assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
    }
    for (int i = 0; i < 6; i++) {
        request.target = i < 2   ? "/room/x?client=page"
                         : i < 4 ? "/new?client=page"
                                 : "/old?client=page";
        s->verdict.kind = i == 3 ? WSPOOL_PENDING : WSPOOL_ACCEPT;
        s->verdict.client = wspool_text_of(i % 2 ? "instance" : "");
        s->subject = i == 2 ? "known before" : NULL;
        if (i == 4) {
            (void)sim_upgrade(s, &request, &answer, &p);
            if (p != NULL) {
                int rc = sim_adopt(p, NULL, 0);
                p->waiting = p->released = rc != 0;
            }
        } else if ((p = sim_connect(s, &request)) != NULL && i == 3) {
            sim_pump(s);
            decide(s, p, WSPOOL_ACCEPT);
        }
        sim_pump(s);
    }
    s->subject = NULL;
    for (int i = 0; i < 3; i++) {
        int rc =
            SIM_IN(wspool_send_to(s->pool, wspool_text_of("somebody"), "hello", 5, NULL, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM);
        if (i == 0)
            sim_pump(s);
    }
    assert_true(SIM_IN(wspool_close_all(s->pool, wspool_text_of("somebody"), 4002, NULL, 0)) >= 0);
    sim_pump(s);
    assert_true(wspool_peers_of(s->pool, wspool_text_of("somebody"), NULL, 0) <= 5);
}

/* Messages that leave out a client instance without a subject. */
static void instances(sim *s)
{
    wspool_send_options options = {.size = sizeof options};
    sim_start(s);
    if (s->pool == NULL)
        return;
    for (int i = 0; i < 4; i++) {
        sim_peer *p = sim_join(s, i < 2 ? "/all?client=a" : i < 3 ? "/all?client=b" : "/all");
        options.except = p ? p->id : 0;
        int rc =
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), "hello", 5, &options, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_NOMEM);
        sim_pump(s);
    }
}

/* Two contracts, channels of each priority with histories, one of them with keys and a send
 * interval; publications with ids, that an application commits, to readers that are slow. */
static int render_as(const wspool_publication *p, wspool_text *message, void *user)
{
    (void)p;
    *message = wspool_text_of(user);
    return 0;
}

static int commit_all(const wspool_channel_position *at, const wspool_seed_message *message,
                      void *user)
{
    int *committed = user;
    (void)message;
    assert_true(at->offset > 0);
    *committed = 1;
    return 0;
}

static void publish_each(sim *s, int i)
{
    static const char *const keys[] = {"a", "b", "c"};
    for (int kind = WSPOOL_GLOBAL; kind <= WSPOOL_SESSION; kind++) {
        char id[8];
        int committed = 0;
        wspool_send_options options = {.size = sizeof options,
                                       .key = wspool_text_of(keys[i % 3]),
                                       .commit = {commit_all, &committed}};
        wspool_send_options alone = {.size = sizeof alone, .kind = (enum wspool_kind)kind};
        snprintf(id, sizeof id, "%d", i);
        options.id = i % 2 ? (wspool_text){id, strlen(id)} : (wspool_text){NULL, 0};
        options.flags = i % 5 == 4 ? WSPOOL_REMOVE : 0;
        int rc = SIM_IN(wspool_publish(s->pool, wspool_channel_of((enum wspool_kind)kind, "all", 3),
                                       wspool_text_of("t"), wspool_text_of("d"), &options, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_STATE || rc == WSPOOL_ERR_NOMEM);
        assert_true(rc >= 0 || !committed); /* then nothing can fail */
        for (size_t k = s->first_live; k < s->peer_count; k++) {
            rc = SIM_IN(wspool_send(s->pool, s->peers[k]->id, "x", 1, &alone));
            assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_STATE ||
                        rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_FULL);
        }
    }
}

static void publications(sim *s)
{
    static char one[] = "as the first contract renders it", two[] = "and the second";
    wspool_handlers first = {.size = sizeof first, .user = one, .render = render_as};
    wspool_handlers second = {
        .size = sizeof second, .user = two, .render = render_as, .subprotocol = "two"};
    static const char *const paths[] = {"/g/all", "/i/all", "/s/all"};
    static const char *const routes[] = {"/g/{x}", "/i/{x}", "/s/{x}"};
    if (sim_start_bare(s) != 0 || wspool_route(s->pool, "/echo", WSPOOL_NONE, NULL) != 0)
        return;
    (void)wspool_attach(s->pool, &first);
    (void)wspool_attach(s->pool, &second);
    for (int i = 0; i < 3; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.slow = WSPOOL_SLOW_BEHIND;
        options.queue_messages = 8;
        options.priority = (enum wspool_priority)(i - 1);
        options.history.messages = 4;
        options.history.max_keys = i > 0 ? 3 : 0;
        options.history.tombstone_time = i > 0 ? SEC : 0;
        options.send_interval = i == 2 ? 100 * MS : 0;
        if (wspool_route(s->pool, routes[i], (enum wspool_kind)(WSPOOL_GLOBAL + i), &options) != 0)
            return;
    }
    for (int i = 0; i < 6; i++) {
        client_request request = {.target = paths[i % 3], .protocol = i < 3 ? "two" : NULL};
        sim_peer *p = sim_connect(s, &request);
        sim_pump(s);
        for (int k = 0; k < 2 && p != NULL && !p->released; k++)
            (void)SIM_IN(wspool_subscribe(
                s->pool, p->id,
                wspool_channel_of((enum wspool_kind)(WSPOOL_GLOBAL + (i + 1 + k) % 3), "all", 3)));
        if (p != NULL && i % 2)
            sim_stall(p);
    }
    for (int i = 0; i < 12; i++) {
        publish_each(s, i);
        if (i % 4 == 3)
            sim_pass(s, 60 * MS);
    }
    sim_flow_all(s);
    sim_pass(s, SEC);
}

static const struct {
    const char *name;
    void (*play)(sim *s);
    int drains; /* no peer is accepted afterwards */
} scenarios[] = {
    {"life of a pool", life_of_a_pool, 0},
    {"raw handshake", raw_handshake, 0},
    {"token in the query", token_in_the_query, 0},
    {"new tokens", new_tokens, 0},
    {"revocations", revocations, 0},
    {"pending", pending, 0},
    {"answers", answers, 0},
    {"hosted", hosted, 0},
    {"subjects", subjects, 0},
    {"client instances", instances, 0},
    {"echo", echoes, 0},
    {"budget", budget, 0},
    {"fragments", fragments, 0},
    {"broadcast, slow peers closed", broadcasts_close, 0},
    {"broadcast, falls behind", broadcasts_behind, 0},
    {"histories", histories, 0},
    {"keyed histories", keyed, 0},
    {"publications", publications, 0},
    {"send interval", paced, 0},
    {"many channels", channels, 0},
    {"coding", negotiated, 0},
    {"closing", closing, 0},
    {"drain", drain, 1},
};

/* ------------------------------------------------------------------- loop */

static void serves_afterwards(sim *s)
{
    client_request request = {.target = "/echo", .extra = "Authorization: Bearer t\r\n"};
    sim_peer *p;
    s->no_memory = 0;
    s->verdict.kind = WSPOOL_ACCEPT;
    s->chop = SIM_WHOLE;
    s->react = echo;
    p = sim_connect(s, &request);
    sim_pump(s);
    if (p->reader.status == 404)
        return; /* adding the route failed */
    sim_expect_open(p);
    sim_text(p, "still there?");
    sim_pump(s);
    sim_expect_message(p, p->reader.messages - 1, "still there?");
    s->react = NULL;
}

/* One run. Returns how many allocations were made to fail. */
static size_t one_run(size_t i, size_t fail_at, int fail_on, int in_libc)
{
    sim *s = sim_new(7);
    size_t failed;
    s->no_memory = 1;
    s->keep_journal = 0;
    if (in_libc) {
        sim_c.fail_at = fail_at;
        sim_c.fail_on = fail_on;
    } else {
        s->heap.fail_at = fail_at;
        s->heap.fail_on = fail_on;
    }
    scenarios[i].play(s);
    failed = in_libc ? sim_c.failed : s->heap.failed;
    sim_c.fail_at = s->heap.fail_at = 0;
    if (s->pool != NULL) {
        sim_pump(s);
        if (!scenarios[i].drains)
            serves_afterwards(s);
    }
    struct toy *toy = s->test;
    if (toy != NULL)
        toy_forget_frame(toy);
    sim_free(s); /* checks for leaks */
    if (toy != NULL)
        assert_int_equal(toy->live, 0);
    return failed;
}

static void fail_each(int in_libc, int fail_on)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        size_t n = 1;
        /* When a run makes fewer than n allocations, all were tried. */
        while (one_run(i, n, fail_on, in_libc) > 0)
            n += sim_slow() ? 7 : 1;
        print_message("%s: %zu allocations\n", scenarios[i].name, n - 1);
        if (!in_libc)
            assert_true(n > 1);
    }
}

TEST(pool_when_one_allocation_fails_goes_on)
{
    fail_each(0, 0);
}

TEST(pool_when_all_allocations_fail_from_one_on_recovers)
{
    fail_each(0, 1);
}

TEST(pool_when_one_allocation_of_wslay_fails_goes_on)
{
    if (!sim_libc_fails())
        skip();
    fail_each(1, 0);
}

TEST(pool_when_all_allocations_of_wslay_fail_from_one_on_recovers)
{
    if (!sim_libc_fails())
        skip();
    fail_each(1, 1);
}
