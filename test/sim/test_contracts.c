/* SPDX-License-Identifier: MIT */
/*
 * sim/test_contracts.c - contracts, which render publications.
 *
 * Proves that peers of several contracts share a channel: each gets every publication in its own
 * contract, live and from a history, and it is rendered once for each contract.
 */
#include "sim.h"

#include "../unit/toy.h"

#define QUEUE 16 /* messages */

/* A contract that writes lines: NAME OFFSET TYPE [-]KEY DATA. */
typedef struct lines {
    const char *name; /* and its subprotocol; "": it has none */
    int binary;
    int result; /* negative: it fails */
    int calls;
    int heard[5]; /* events of peers: open, message, close, missed, pressure */
    char text[2000];
    size_t more; /* it writes so many bytes more */
} lines;

static int render(const wspool_publication *p, wspool_text *message, void *user)
{
    lines *c = user;
    c->calls++;
    if (c->result < 0)
        return c->result;
    assert_true(p->epoch > 0 && p->time >= SIM_EPOCH);
    int n = snprintf(c->text, sizeof c->text, "%s %d %.*s %s%.*s %.*s", c->name, (int)p->offset,
                     (int)p->type.len, p->type.data, p->removed ? "-" : "", (int)p->key.len,
                     p->key.len > 0 ? p->key.data : "", (int)p->data.len,
                     p->data.len > 0 ? p->data.data : "");
    memset(c->text + n, '.', c->more);
    *message = (wspool_text){c->text, (size_t)n + c->more};
    return c->binary ? WSPOOL_BINARY : 0;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    lines *c = user;
    assert_ptr_equal(wspool_contract(pool, id), c);
    (void)opened;
    c->heard[0]++;
}

static int on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    lines *c = user;
    assert_ptr_equal(wspool_contract(pool, id), c);
    (void)message;
    c->heard[1]++;
    return 0;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    lines *c = user;
    assert_ptr_equal(wspool_contract(pool, id), c);
    (void)closed;
    c->heard[2]++;
}

static void on_missed(wspool *pool, wspool_id id, const wspool_missed *missed, void *user)
{
    lines *c = user;
    assert_ptr_equal(wspool_contract(pool, id), c);
    (void)missed;
    c->heard[3]++;
}

static void on_pressure(wspool *pool, wspool_id id, int above, void *user)
{
    lines *c = user;
    assert_ptr_equal(wspool_contract(pool, id), c);
    (void)above;
    c->heard[4]++;
}

static int attach(sim *s, lines *c)
{
    wspool_handlers handlers = {.size = sizeof handlers,
                                .user = c,
                                .subprotocol = c->name[0] != '\0' ? c->name : NULL,
                                .open = on_open,
                                .message = on_message,
                                .close = on_close,
                                .missed = on_missed,
                                .pressure = on_pressure,
                                .render = render};
    return SIM_IN(wspool_attach(s->pool, &handlers));
}

/* A pool with a channel of each kind: item without a history, topic with one of `messages`, session
 * with a keyed one. Behind a handler that is no contract, `count` contracts are attached. */
static sim *begin_with(sim *s, lines *list, size_t count, uint32_t messages)
{
    static const char *const own[] = {"own", NULL};
    wspool_handlers handlers = {.size = sizeof handlers};
    wspool_route_options options;
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.queue_messages = QUEUE;
    s->config.subprotocols = own;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(wspool_route(s->pool, "/i/{name}", WSPOOL_ITEM, &options), 0);
    options.history.messages = messages;
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    options.history = (wspool_history){.messages = 4, .max_keys = 20};
    assert_int_equal(wspool_route(s->pool, "/s/{name}", WSPOOL_SESSION, &options), 0);
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &handlers)), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(attach(s, &list[i]), 0);
    return s;
}

static sim *begin(lines *list, size_t count)
{
    return begin_with(sim_new(1), list, count, 100);
}

/* A peer with a subprotocol; NULL: it offers none. */
static sim_peer *join(sim *s, const char *target, const char *subprotocol)
{
    client_request request = {.target = target, .protocol = subprotocol};
    sim_peer *p = sim_connect(s, &request);
    sim_pump(s);
    sim_expect_open(p);
    return p;
}

static int publish_to(sim *s, wspool_channel channel, const char *type, const char *data)
{
    return SIM_IN(
        wspool_publish(s->pool, channel, wspool_text_of(type), wspool_text_of(data), NULL, NULL));
}

static int publish_key(sim *s, wspool_channel channel, const char *key, const char *data,
                       unsigned flags)
{
    wspool_send_options options = {
        .size = sizeof options, .flags = flags, .key = wspool_text_of(key)};
    return SIM_IN(wspool_publish(s->pool, channel, wspool_text_of("put"), wspool_text_of(data),
                                 &options, NULL));
}

static wspool_resumed resume(sim_peer *p, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position since;
    wspool_resumed resumed = {.size = sizeof resumed};
    assert_int_equal(wspool_position(p->sim->pool, channel, &since), 0);
    since.offset = offset;
    assert_int_equal(SIM_IN(wspool_resume(p->sim->pool, p->id, channel, &since, &resumed)), 0);
    sim_pump(p->sim);
    return resumed;
}

/* ------------------------------------------------------------------ attaching */

TEST(contracts_behind_the_first_have_subprotocols)
{
    lines list[] = {{.name = ""},  {.name = ""},  {.name = "a"},
                    {.name = "b"}, {.name = "c"}, {.name = "d"}};
    sim *s = begin(list, 1);
    assert_int_equal(attach(s, &list[1]), WSPOOL_ERR_INVAL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(attach(s, &list[2 + i]), 0);
    assert_int_equal(attach(s, &list[5]), WSPOOL_ERR_FULL);
    sim_free(s);
}

TEST(contracts_are_attached_before_anything_is_published)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 1);
    wspool_handlers others = {.size = sizeof others, .subprotocol = "others"};
    assert_int_equal(sim_broadcast(s, wspool_topic("x"), "kept"), 0);
    assert_int_equal(attach(s, &list[1]), WSPOOL_ERR_STATE);
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &others)), 0);
    sim_free(s);
}

TEST(publication_has_a_type_and_a_contract)
{
    lines c = {.name = "a"};
    sim *s = begin(&c, 0);
    wspool_text type = wspool_text_of("t"), none = {0};
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_BINARY};
    wspool_channel channel = wspool_topic("x");
    assert_int_equal(wspool_publish(s->pool, channel, type, none, NULL, NULL), WSPOOL_ERR_STATE);
    assert_int_equal(attach(s, &c), 0);
    assert_int_equal(wspool_publish(s->pool, channel, none, none, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(
        wspool_publish(s->pool, channel, (wspool_text){"", 0}, none, NULL, NULL),
        WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_publish(s->pool, channel, type, (wspool_text){NULL, 1}, NULL, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_publish(s->pool, channel, type, none, &options, NULL),
                     WSPOOL_ERR_INVAL);
    options = (wspool_send_options){.size = 0};
    assert_int_equal(wspool_publish(s->pool, channel, type, none, &options, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(
        wspool_publish(s->pool, wspool_channel_of(WSPOOL_NONE, "x", 1), type, none, NULL, NULL),
        WSPOOL_ERR_INVAL);
    assert_int_equal(c.calls, 0);
    assert_int_equal(wspool_publish(s->pool, channel, type, none, NULL, NULL), 0);
    assert_int_equal(c.calls, 1);
    sim_free(s);
}

/* ----------------------------------------------------------------------- live */

/* A peer has the contract of its subprotocol, else the first one. */
TEST(publication_reaches_each_member_in_its_own_contract)
{
    lines list[] = {{.name = "a"}, {.name = "b", .binary = 1}, {.name = "c"}};
    static const char *const offers[] = {NULL, "own", "a", "b", "c", "b"};
    static const char said[] = "aaabcb";
    sim *s = begin(list, 3);
    sim_peer *p[6];
    for (int i = 0; i < 6; i++) {
        p[i] = join(s, "/i/x", offers[i]);
        assert_ptr_equal(wspool_contract(s->pool, p[i]->id), &list[said[i] - 'a']);
    }
    for (int n = 1; n <= 5; n++) {
        assert_int_equal(publish_to(s, wspool_item("x"), "news", "hello"), 6);
        for (int i = 0; i < 3; i++)
            assert_int_equal(list[i].calls, n);
    }
    sim_pump(s);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(p[i]->reader.messages, 5);
        for (size_t n = 0; n < 5; n++) {
            char text[40];
            snprintf(text, sizeof text, "%c %d news  hello", said[i], (int)n + 1);
            sim_expect_message(p[i], n, text);
            assert_int_equal(p[i]->reader.list[n].op, said[i] == 'b' ? OP_BINARY : OP_TEXT);
        }
    }
    sim_free(s);
}

TEST(message_that_is_not_a_publication_is_the_same_for_all)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    sim_peer *p[] = {join(s, "/t/x", "a"), join(s, "/t/x", "b")};
    assert_int_equal(sim_broadcast(s, wspool_topic("x"), "as it is"), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sim_send(p[i], "to one"), 0);
        sim_pump(s);
        sim_expect_message(p[i], 0, "as it is");
        sim_expect_message(p[i], 1, "to one");
        assert_int_equal(list[i].calls, 0);
    }
    sim_free(s);
}

TEST(publication_is_not_rendered_for_nobody)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    wspool_channel_position before, after;
    sim_peer *p = join(s, "/i/x", "a");
    assert_int_equal(wspool_position(s->pool, wspool_item("no"), &before), 0);
    assert_int_equal(publish_to(s, wspool_item("no"), "news", ""), 0);
    assert_int_equal(wspool_position(s->pool, wspool_item("no"), &after), 0);
    assert_true(before.epoch != after.epoch);
    assert_int_equal(list[0].calls, 0);
    assert_int_equal(publish_to(s, wspool_item("x"), "news", ""), 1);
    assert_int_equal(list[0].calls, 1);
    assert_int_equal(list[1].calls, 0); /* it has had no peer */
    assert_int_equal(publish_to(s, wspool_topic("x"), "news", ""), 0);
    assert_int_equal(list[1].calls, 1); /* one may come */
    sim_pump(s);
    sim_expect_message(p, 0, "a 1 news  ");
    sim_free(s);
}

/* Whatever goes wrong in one contract, nobody gets the message, and it has no offset. */
TEST(publication_that_one_contract_refuses_is_not_published)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    static const char *const targets[] = {"/i/x", "/t/x", "/s/x"};
    for (int kind = 0; kind < 3; kind++) {
        for (int bad = 0; bad < 2; bad++) {
            sim *s = sim_new(1);
            s->config.queue_bytes = 1024;
            begin_with(s, list, 2, 100);
            wspool_channel channel = wspool_channel_of(
                (enum wspool_kind[]){WSPOOL_ITEM, WSPOOL_TOPIC, WSPOOL_SESSION}[kind], "x", 1);
            wspool_channel_position at;
            sim_peer *p[] = {join(s, targets[kind], "a"), join(s, targets[kind], "b")};
            list[bad].result = WSPOOL_ERR_NOMEM;
            assert_int_equal(publish_key(s, channel, "k", "1", 0), WSPOOL_ERR_NOMEM);
            list[bad].result = 0;
            list[bad].more = 1020;
            assert_int_equal(publish_key(s, channel, "k", "2", 0), WSPOOL_ERR_TOO_BIG);
            list[bad].more = 0;
            assert_int_equal(wspool_position(s->pool, channel, &at), 0);
            assert_int_equal(at.offset, 0);
            assert_int_equal(publish_key(s, channel, "k", "3", 0), 2);
            sim_pump(s);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(p[i]->reader.messages, 1);
                sim_expect_message(p[i], 0, i == 0 ? "a 1 put k 3" : "b 1 put k 3");
            }
            sim_free(s);
        }
    }
}

/* The handlers of a contract hear of its own peers only; those of others hear of all. */
TEST(handlers_of_a_contract_hear_of_its_peers)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin_with(sim_new(1), list, 2, 2);
    sim_peer *p = join(s, "/t/x", NULL), *q = join(s, "/t/x", "b");
    assert_int_equal(list[0].heard[0], 1);
    assert_int_equal(list[1].heard[0], 1);
    sim_text(q, "hi");
    sim_text(q, "hi");
    sim_text(p, "hi");
    sim_pump(s);
    assert_int_equal(list[0].heard[1], 1);
    assert_int_equal(list[1].heard[1], 2);
    sim_stall(q);
    for (int i = 0; i < QUEUE + 5; i++) {
        publish_to(s, wspool_topic("x"), "news", "");
        sim_pump(s);
    }
    assert_int_equal(list[1].heard[4], 1);
    sim_flow(q);
    sim_pump(s);
    assert_int_equal(list[0].heard[3] + list[0].heard[4], 0);
    assert_int_equal(list[1].heard[3], 1);
    assert_int_equal(list[1].heard[4], 2);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(list[0].heard[2], 1);
    assert_int_equal(list[1].heard[2], 0);
    sim_free(s);
}

/* Each contract has its own compressed encodings. */
TEST(publication_is_compressed_once_for_each_contract_and_encoding)
{
    static char data[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    lines list[] = {{.name = "a"}, {.name = "b"}};
    struct toy toy;
    sim *s = sim_new(1);
    sim_peer *p[8];
    toy = (struct toy){.mem = &s->config.mem};
    s->config.codec = toy_hook(&toy);
    begin_with(s, list, 2, 100);
    for (unsigned i = 0; i < 8; i++) { /* contract i / 4, encoding 0, 1 or 2 */
        char extra[200];
        snprintf(extra, sizeof extra, "Sec-WebSocket-Extensions: none, x-toy;form=%u;reading=1\r\n",
                 i % 4 == 2 ? 2u : 1u);
        client_request request = {
            .target = "/i/x", .protocol = i < 4 ? "a" : "b", .extra = i % 4 == 0 ? NULL : extra};
        p[i] = sim_connect(s, &request);
        p[i]->reader.unfold = i % 4 == 0 ? NULL : toy_read;
        sim_pump(s);
        sim_expect_open(p[i]);
    }
    assert_int_equal(publish_to(s, wspool_item("x"), "t", data), 8);
    assert_int_equal(toy.encodes, 4);
    assert_int_equal(sim_broadcast(s, wspool_item("x"), data), 8);
    assert_int_equal(toy.encodes, 6);
    sim_pump(s);
    for (unsigned i = 0; i < 8; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s 1 t  %s", i < 4 ? "a" : "b", data);
        sim_expect_message(p[i], 0, text);
        sim_expect_message(p[i], 1, data);
    }
    toy_forget_frame(&toy);
    sim_free(s);
    assert_int_equal(toy.live, 0);
}

/* -------------------------------------------------------------------- history */

/* Publications, and messages as they are, in turn. */
static void publish_mixed(sim *s, wspool_channel channel, int count)
{
    for (int i = 1; i <= count; i++) {
        char text[20];
        snprintf(text, sizeof text, "%d", i);
        if (i % 3 == 0)
            sim_broadcast(s, channel, text);
        else
            publish_to(s, channel, "n", text);
    }
}

static void expect_mixed(sim_peer *p, char name, size_t from, size_t to)
{
    assert_int_equal(p->reader.messages, to - from + 1);
    for (size_t i = from; i <= to; i++) {
        char text[40];
        if (i % 3 == 0)
            snprintf(text, sizeof text, "%d", (int)i);
        else
            snprintf(text, sizeof text, "%c %d n  %d", name, (int)i, (int)i);
        sim_expect_message(p, i - from, text);
    }
}

TEST(history_serves_each_contract_without_rendering_again)
{
    lines list[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    sim *s = begin(list, 3);
    wspool_channel channel = wspool_topic("x");
    publish_mixed(s, channel, 60); /* nobody is there */
    for (uint64_t since = 0; since < 60; since += 17) {
        for (int i = 0; i < 3; i++) {
            sim_peer *p = join(s, "/none", list[i].name);
            assert_int_equal(resume(p, channel, since).recovered, 1);
            expect_mixed(p, list[i].name[0], since + 1, 60);
        }
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(list[i].calls, 40);
    sim_free(s);
}

/* A slow member gets what it could not take from the history. */
TEST(member_that_falls_behind_gets_the_rest_in_its_contract)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    wspool_channel channel = wspool_topic("x");
    sim_peer *p = join(s, "/t/x", "b"), *q = join(s, "/t/x", "a");
    sim_stall(p);
    publish_mixed(s, channel, 70);
    sim_flow(p);
    sim_pump(s);
    expect_mixed(p, 'b', 1, 70);
    expect_mixed(q, 'a', 1, 70);
    assert_int_equal(sim_stats(s).missed, 0);
    sim_free(s);
}

/* A state that lies partly beyond the window, with a removal. */
TEST(keyed_history_serves_each_contract)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    wspool_channel channel = wspool_session("x");
    for (int i = 1; i <= 12; i++) {
        char key[2] = {(char)('a' + i % 3), '\0'};
        publish_key(s, channel, key, "old", 0);
    }
    publish_key(s, channel, "b", "", WSPOOL_REMOVE); /* 13 */
    for (int i = 14; i <= 18; i++)
        publish_key(s, channel, "z", "new", 0);
    for (int i = 0; i < 2; i++) {
        static const char *const rest[] = {"11 put c old", "12 put a old", "13 put -b ",
                                           "15 put z new", "16 put z new", "17 put z new",
                                           "18 put z new"};
        sim_peer *p = join(s, "/none", list[i].name);
        wspool_resumed resumed = resume(p, channel, 0);
        assert_int_equal(resumed.recovered, 1);
        assert_int_equal(p->reader.messages, 7);
        for (size_t n = 0; n < 7; n++) {
            char text[40];
            snprintf(text, sizeof text, "%s %s", list[i].name, rest[n]);
            sim_expect_message(p, n, text);
        }
        assert_int_equal(list[i].calls, 18);
    }
    sim_free(s);
}

TEST(reader_gets_the_first_contract)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    wspool_channel channel = wspool_topic("x");
    wspool_channel_position since;
    wspool_read_message read[3];
    publish_mixed(s, channel, 3);
    assert_int_equal(wspool_position(s->pool, channel, &since), 0);
    since.offset = 0;
    assert_int_equal(wspool_read(s->pool, channel, &since, read, 3, NULL), 3);
    assert_int_equal(read[1].len, 8);
    assert_memory_equal(read[1].data, "a 2 n  2", 8);
    assert_int_equal(read[2].len, 1);
    assert_memory_equal(read[2].data, "3", 1);
    sim_free(s);
}

/* ----------------------------------------------------------------------- seed */

TEST(seeded_publication_is_rendered_with_its_position_and_time)
{
    lines list[] = {{.name = "a"}, {.name = "b"}};
    sim *s = begin(list, 2);
    static const char *const names[] = {"t", "s"};
    for (int keyed = 0; keyed < 2; keyed++) {
        wspool_channel channel = keyed ? wspool_session(names[1]) : wspool_topic(names[0]);
        wspool_channel_position at = {7, 41};
        wspool_seed_message message = {.size = sizeof message,
                                       .data = "old",
                                       .len = 3,
                                       .key = {"k", 1},
                                       .type = {"put", 3},
                                       .time = SIM_EPOCH + 5};
        assert_int_equal(wspool_seed(s->pool, channel, &at, &message), 0);
        at.offset++;
        message.flags = WSPOOL_REMOVE;
        assert_int_equal(wspool_seed(s->pool, channel, &at, &message), 0);
        at.offset++;
        message.flags = WSPOOL_BINARY; /* the contract decides */
        assert_int_equal(wspool_seed(s->pool, channel, &at, &message), WSPOOL_ERR_INVAL);
        message = (wspool_seed_message){.size = sizeof message, .data = "as it is", .len = 8};
        assert_int_equal(wspool_seed(s->pool, channel, &at, &message), 0);
        for (int i = 0; i < 2; i++) {
            sim_peer *p = join(s, "/none", list[i].name);
            resume(p, channel, 40);
            assert_int_equal(p->reader.messages, 3);
            sim_expect_message(p, 0, i == 0 ? "a 41 put k old" : "b 41 put k old");
            sim_expect_message(p, 1, i == 0 ? "a 42 put -k old" : "b 42 put -k old");
            sim_expect_message(p, 2, "as it is");
        }
    }
    list[1].result = WSPOOL_ERR_NOMEM;
    wspool_seed_message message = {.size = sizeof message, .type = {"t", 1}};
    assert_int_equal(
        wspool_seed(s->pool, wspool_topic("y"), &(wspool_channel_position){7, 1}, &message),
        WSPOOL_ERR_NOMEM);
    sim_free(s);
}
