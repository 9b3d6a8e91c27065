/* SPDX-License-Identifier: MIT */
/*
 * json/test_malformed.c - messages that are not of the contract: each gets an error, charges the
 * abuse budget, and has no other effect. Binary messages.
 */
#include "talk.h"

#include <stdlib.h>

static uint64_t abuse_cost(const talk *t)
{
    return sim_stats(t->s).abuse_cost;
}

static void say_raw(sim_peer *p, const void *text, size_t len)
{
    sim_frame(p, FIN | OP_TEXT, text, len);
    sim_pump(p->sim);
}

static void expect_well(sim_peer *p)
{
    sim_expect_open(p);
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    talk_expect_silence(p);
}

/* ---------------------------------------------------------------- malformed */

#define TEXT(literal) \
    { \
        literal, sizeof(literal) - 1 \
    }

static const struct {
    const char *text;
    size_t len;
} malformed[] = {
    /* no JSON */
    TEXT(""),
    TEXT(" "),
    TEXT("\n"),
    TEXT("\0"),
    TEXT("ping"),
    TEXT("{"),
    TEXT("}"),
    TEXT("["),
    TEXT("]"),
    TEXT("[}"),
    TEXT("{]"),
    TEXT("{\"type\":\"ping\"]"),
    TEXT("\""),
    TEXT("\"\\"),
    TEXT("\"\\\""),
    TEXT("\\"),
    TEXT("{\"type\""),
    TEXT("{\"type\":"),
    TEXT("{\"type\":\"ping"),
    TEXT("{\"type\":\"ping\\"),
    TEXT("{\"type\":\"ping\""),
    TEXT("{\"type\":\"ping\",}"),
    TEXT("{,\"type\":\"ping\"}"),
    TEXT("{\"type\":\"ping\"}}"),
    TEXT("{\"type\":\"ping\"}{\"type\":\"ping\"}"),
    TEXT("{\"type\":\"ping\"} x"),
    TEXT("{\"type\":\"ping\"}\0"),
    TEXT("{\"type\":\"pi\0ng\"}"),
    TEXT("{\"type\":\"ping\"\0}"),
    TEXT("{\"type\" \"ping\"}"),
    TEXT("{\"type\":\"ping\" \"data\":{}}"),
    TEXT("{type:\"ping\"}"),
    TEXT("{'type':'ping'}"),
    TEXT("{\"type\":ping}"),
    TEXT("{7:\"ping\",\"type\":\"ping\"}"),
    TEXT("\xef\xbb\xbf{\"type\":\"ping\"}"), /* a byte order mark */
    TEXT("/* */{\"type\":\"ping\"}"),
    TEXT("{\"type\":\"ping\"} // so"),
    TEXT("{\"type\":\"pi\nng\"}"), /* control characters are to be escaped */
    TEXT("{\"type\":\"pi\tng\"}"),
    TEXT("{\"type\":\"ping\",\"x\":\"\\x41\"}"),
    TEXT("{\"type\":\"ping\",\"x\":\"\\u00g0\"}"),
    TEXT("{\"type\":\"ping\",\"x\":\"\\u00\"}"),
    TEXT("{\"type\":\"ping\",\"x\":\"\\ud800\"}"), /* half a pair, either half */
    TEXT("{\"type\":\"ping\",\"x\":\"\\udc00\"}"),
    TEXT("{\"type\":\"ping\",\"x\":\"\\ud800\\u0041\"}"),
    TEXT("{\"type\":\"ping\",\"x\":01}"),
    TEXT("{\"type\":\"ping\",\"x\":+1}"),
    TEXT("{\"type\":\"ping\",\"x\":.5}"),
    TEXT("{\"type\":\"ping\",\"x\":1.}"),
    TEXT("{\"type\":\"ping\",\"x\":0x1}"),
    TEXT("{\"type\":\"ping\",\"x\":-}"),
    TEXT("{\"type\":\"ping\",\"x\":1e}"),
    TEXT("{\"type\":\"ping\",\"x\":NaN}"),
    TEXT("{\"type\":\"ping\",\"x\":Infinity}"),
    TEXT("{\"type\":\"ping\",\"x\":True}"),
    TEXT("{\"type\":\"ping\",\"x\":nul}"),
    TEXT("{\"type\":\"ping\",\"x\":1e999}"),                /* beyond a double */
    TEXT("{\"type\":\"ping\",\"x\":99999999999999999999}"), /* beyond 64 bits */
    /* members named twice, at any depth, however they are written */
    TEXT("{\"type\":\"ping\",\"type\":\"ping\"}"),
    TEXT("{\"type\":\"ping\",\"t\\u0079pe\":\"ping\"}"),
    TEXT("{\"type\":\"ping\",\"data\":{},\"data\":{}}"),
    TEXT("{\"type\":\"ping\",\"data\":{\"x\":[{\"a\":1,\"b\":2,\"a\":1}]}}"),
    TEXT("{\"type\":\"ping\",\"\":1,\"\":1}"),
    /* NUL in a string, and in a name */
    TEXT("{\"type\":\"ping\\u0000\"}"),
    TEXT("{\"type\":\"ping\",\"data\":{\"x\":\"\\u0000\"}}"),
    TEXT("{\"type\":\"ping\",\"x\\u0000\":1}"),
    TEXT("{\"type\":\"subscribe\",\"data\":{\"channel\":\"item:a\\u0000b\"}}"),
    /* JSON, but no envelope */
    TEXT("null"),
    TEXT("true"),
    TEXT("7"),
    TEXT("\"ping\""),
    TEXT("[]"),
    TEXT("[\"type\",\"ping\"]"),
    TEXT("[{\"type\":\"ping\"}]"),
    TEXT("{}"),
    TEXT("{\"Type\":\"ping\"}"),
    TEXT("{\"data\":{\"type\":\"ping\"}}"),
    TEXT("{\"type\":null}"),
    TEXT("{\"type\":7}"),
    TEXT("{\"type\":true}"),
    TEXT("{\"type\":[\"ping\"]}"),
    TEXT("{\"type\":{\"ping\":\"ping\"}}"),
    TEXT("{\"type\":\"ping\",\"data\":null}"),
    TEXT("{\"type\":\"ping\",\"data\":false}"),
    TEXT("{\"type\":\"ping\",\"data\":7}"),
    TEXT("{\"type\":\"ping\",\"data\":\"x\"}"),
    TEXT("{\"type\":\"ping\",\"data\":[]}"),
    TEXT("{\"type\":\"own\",\"data\":[{}]}"),
};

#define MALFORMED (sizeof malformed / sizeof *malformed)

static const char *never(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    (void)json, (void)pool, (void)id, (void)data, (void)user;
    fail_msg("a malformed message came to a handler");
    return NULL;
}

TEST(message_that_is_malformed_gets_an_error_and_does_no_harm)
{
    for (int way = SIM_WHOLE; way <= SIM_BYTES; way++) {
        talk *t = talk_new();
        sim_peer *p;
        t->s->chop = (enum sim_chop)way;
        talk_start(t);
        assert_int_equal(SIM_IN(wspool_json_on(t->json, "own", never, NULL)), 0);
        p = talk_join(t, "/all");
        for (size_t i = 0; i < MALFORMED; i++) {
            say_raw(p, malformed[i].text, malformed[i].len);
            if (abuse_cost(t) != i + 1)
                fail_msg("drew %d on the budget: %s", (int)(abuse_cost(t) - i), malformed[i].text);
            talk_expect_error(p, "malformed", 0, NULL);
            talk_expect_silence(p);
        }
        expect_well(p);
        assert_int_equal(abuse_cost(t), MALFORMED);
        assert_int_equal(wspool_channels_of(t->s->pool, p->id, NULL, 0), 1);
        talk_free(t);
    }
}

/* A valid message that is cut off anywhere is malformed, and has no other effect. */
TEST(message_that_is_cut_off_anywhere_is_malformed)
{
    static const char text[] =
        "{\"type\":\"subscribe\",\"data\":{\"channel\":\"item:\\u00e4\\\\\",\"since\":{\"epoch\":"
        "\"1a2b\",\"offset\":7},\"more\":[true,null,-1.5e3]}}";
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    for (size_t len = 0; len < sizeof text - 1; len++) {
        say_raw(p, text, len);
        talk_expect_error(p, "malformed", 0, NULL);
    }
    assert_int_equal(t->asked, 0);
    say_raw(p, text, sizeof text - 1);
    talk_expect_subscribed(p, "item:\xc3\xa4\\", talk_at(t, wspool_item("\xc3\xa4\\")),
                           "epoch_changed");
    talk_free(t);
}

TEST(message_whose_bytes_are_damaged_never_does_harm)
{
    static const char *const texts[] = {
        "{\"type\":\"subscribe\",\"data\":{\"channel\":\"item:x\",\"since\":{\"offset\":7}}}",
        "{\"type\":\"action\",\"data\":{\"id\":\"c0-1\",\"name\":\"chat\",\"text\":[[\"\\\\\"]]}}",
        "{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"item:x\"}}"};
    talk *t = talk_new();
    sim_peer *p;
    t->s->config.abuse_burst = 0; /* no end of it */
    t->loose = 1;
    talk_start(t);
    p = talk_join(t, "/echo");
    for (int i = 0; i < 3000; i++) {
        const char *from = texts[sim_below(t->s, 3)];
        char text[200];
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (uint64_t n = 1 + sim_below(t->s, 3); n > 0; n--) {
            static const char bytes[] = "{}[]\"\\:,0 u\x01\0";
            text[sim_below(t->s, len)] = bytes[sim_below(t->s, sizeof bytes)];
        }
        say_raw(p, text, len);
        (void)talk_next(p); /* one answer each, judged */
        talk_expect_silence(p);
    }
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    talk_free(t);
}

/* -------------------------------------------------------------------- depth */

/* Sends a ping that nests `depth` deep; the envelope is the first level. */
static char *nested(unsigned depth, const char *open, const char *close)
{
    blob text = {0};
    if (depth == 1)
        blob_text(&text, "{\"type\":\"ping\"");
    else
        blob_text(&text, "{\"type\":\"ping\",\"data\":{\"x\":0");
    if (depth > 2)
        blob_text(&text, ",\"y\":");
    for (unsigned i = 2; i < depth; i++)
        blob_text(&text, open);
    blob_text(&text, depth > 2 && *open == '{' ? "0" : "");
    for (unsigned i = 2; i < depth; i++)
        blob_text(&text, close);
    blob_text(&text, depth == 1 ? "}" : "}}");
    blob_add(&text, "", 1);
    return (char *)text.data;
}

TEST(depth_is_allowed_exactly_and_one_more_is_malformed)
{
    static const unsigned depths[] = {1, 2, 3, 15, 16, 511, 512};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (int objects = 0; objects < 2; objects++) {
            talk *t = talk_new();
            sim_peer *p;
            t->config.depth = depths[i];
            talk_start(t);
            p = talk_join(t, "/echo");
            for (unsigned more = 0; more < 3; more++) {
                char *text =
                    nested(depths[i] + more, objects ? "{\"z\":" : "[", objects ? "}" : "]");
                say_raw(p, text, strlen(text));
                if (more == 0)
                    talk_expect(p, "pong", "{}");
                else
                    talk_expect_error(p, "malformed", 0, NULL);
                free(text);
            }
            talk_free(t);
        }
}

TEST(depth_is_16_when_nothing_is_said_of_it)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    for (unsigned more = 0; more < 2; more++) {
        char *text = nested(16 + more, "[", "]");
        say_raw(p, text, strlen(text));
        free(text);
    }
    talk_expect(p, "pong", "{}");
    talk_expect_error(p, "malformed", 0, NULL);
    talk_free(t);
}

TEST(depth_does_not_count_what_stands_side_by_side)
{
    talk *t = talk_new();
    sim_peer *p;
    blob text = {0};
    t->config.depth = 4;
    talk_start(t);
    p = talk_join(t, "/echo");
    blob_text(&text, "{\"type\":\"ping\",\"data\":{\"x\":[[]");
    for (int i = 0; i < 1000; i++)
        blob_text(&text, ",[],{}");
    blob_text(&text, "]}}");
    say_raw(p, text.data, text.len);
    talk_expect(p, "pong", "{}");
    blob_free(&text);
    talk_free(t);
}

TEST(depth_does_not_count_what_stands_in_strings)
{
    static const char *const good[] = {
        "[[[[[[[[[[",         "{{{{[[[[{{{{", "\\\"[[[[[[",    "\\\\\\\"[[[[[[",
        "\\\\\\\\\\\"{{{{{{", "]]]]]]}}}}}}", "\\u005b[[[[[[", "[\\\\"};
    talk *t = talk_new();
    sim_peer *p;
    t->config.depth = 2;
    talk_start(t);
    p = talk_join(t, "/echo");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        talk_print(p, "{\"type\":\"ping\",\"data\":{\"x\":\"%s\"}}", good[i]);
        talk_expect(p, "pong", "{}");
        talk_print(p, "{\"type\":\"ping\",\"data\":{\"%s\":0}}", good[i]); /* a name is one, too */
        talk_expect(p, "pong", "{}");
        /* and behind the string it counts again */
        talk_print(p, "{\"type\":\"ping\",\"data\":{\"x\":\"%s\",\"y\":[]}}", good[i]);
        talk_expect_error(p, "malformed", 0, NULL);
    }
    talk_free(t);
}

TEST(depth_beyond_all_bounds_does_no_harm)
{
    static const char *const openers[] = {"[", "{", "[{", "{\"\":", "[[],", "[\"\","};
    talk *t = talk_new();
    sim_peer *p;
    t->config.depth = 512;
    t->s->config.message_bytes = 1 << 20;
    talk_start(t);
    p = talk_join(t, "/echo");
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
        blob text = {0};
        while (text.len < (1 << 20) - 8)
            blob_text(&text, openers[i]);
        say_raw(p, text.data, text.len);
        talk_expect_error(p, "malformed", 0, NULL);
        blob_free(&text);
    }
    expect_well(p);
    talk_free(t);
}

/* ----------------------------------------------------------------- abuse */

TEST(abuse_when_its_budget_is_spent_closes_with_4103)
{
    static const char *const bad[] = {"{", "{'type':'nonsense'}",
                                      "{'type':'subscribe','data':{'channel':'x'}}",
                                      "{'type':'unsubscribe','data':{'channel':'item:x'}}",
                                      "{'type':'action','data':{'id':'c0-1','name':'nothing'}}"};
    static const char *const codes[] = {"malformed", "unknown_type", "bad_channel",
                                        "not_subscribed", "unknown_action"};
    talk *t = talk_new();
    sim_peer *p;
    t->s->config.abuse_burst = 5;
    t->s->config.abuse_rate = 1;
    talk_start(t);
    p = talk_join(t, "/all");
    for (size_t i = 0; i < 5; i++) {
        talk_say(p, bad[i]);
        talk_expect_error(p, codes[i], 0, i == 4 ? "c0-1" : NULL);
        for (int n = 0; n < 20; n++) { /* what makes sense costs nothing */
            talk_say(p, "{'type':'ping'}");
            talk_expect(p, "pong", "{}");
        }
    }
    sim_pass(t->s, SEC + SEC / 2); /* one is forgiven a second */
    talk_say(p, bad[0]);
    talk_expect_error(p, codes[0], 0, NULL);
    talk_say(p, bad[0]);
    sim_expect_close(p, WSPOOL_END_ABUSE, WSPOOL_CLOSE_ABUSE);
    talk_expect_silence(p);
    talk_free(t);
}

TEST(abuse_is_each_peers_own)
{
    talk *t = talk_new();
    sim_peer *a;
    sim_peer *b;
    t->s->config.abuse_burst = 2;
    talk_start(t);
    a = talk_join(t, "/all");
    b = talk_join(t, "/all");
    for (int i = 0; i < 3; i++)
        talk_say(a, "{");
    sim_expect_close(a, WSPOOL_END_ABUSE, WSPOOL_CLOSE_ABUSE);
    expect_well(b);
    talk_free(t);
}

TEST(abuse_without_a_budget_goes_on_and_on)
{
    talk *t = talk_new();
    sim_peer *p;
    t->s->config.abuse_burst = 0;
    talk_start(t);
    p = talk_join(t, "/all");
    for (int i = 0; i < 300; i++) {
        talk_say(p, "{");
        talk_expect_error(p, "malformed", 0, NULL);
    }
    expect_well(p);
    talk_free(t);
}

/* -------------------------------------------------------- whole, and binary */

TEST(message_in_fragments_is_one_message)
{
    static const char text[] = "{\"type\":\"ping\",\"data\":{\"text\":\"\xf0\x9f\x8e\xa8\"}}";
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    size_t len = sizeof text - 1;
    for (size_t cut = 1; cut < len; cut += 3) {
        sim_frame(p, OP_TEXT, text, cut);
        sim_ping(p, "between");
        sim_frame(p, FIN | OP_CONT, text + cut, len - cut);
        sim_pump(t->s);
        talk_expect(p, "pong", "{}");
        talk_expect_silence(p);
    }
    talk_free(t);
}

TEST(message_of_message_bytes_comes_through_and_one_more_closes)
{
    for (size_t more = 0; more < 2; more++) {
        talk *t = talk_new();
        sim_peer *p;
        char text[2001];
        t->s->config.message_bytes = 2000;
        talk_start(t);
        p = talk_join(t, "/echo");
        memset(text, ' ', sizeof text);
        memcpy(text, "{\"type\":\"ping\"", 14);
        text[1999 + more] = '}';
        say_raw(p, text, 2000 + more);
        if (more == 0) {
            talk_expect(p, "pong", "{}");
            expect_well(p);
        } else {
            sim_expect_close(p, WSPOOL_END_TOO_BIG, 1009);
        }
        talk_free(t);
    }
}

TEST(text_that_is_no_utf8_never_comes_here)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    say_raw(p, "{\"type\":\"\xff\"}", 12);
    sim_expect_close(p, WSPOOL_END_BAD_UTF8, 1007);
    talk_expect_silence(p);
    talk_free(t);
}

struct heard {
    size_t calls;
    char text[40];
};

static void hear(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct heard *h = user;
    assert_true(message->binary);
    snprintf(h->text, sizeof h->text, "%.*s", (int)message->len, (const char *)message->data);
    h->calls++;
    assert_int_equal(wspool_send(pool, id, message->data, message->len,
                                 &(wspool_send_options){.size = sizeof(wspool_send_options),
                                                        .flags = WSPOOL_BINARY}),
                     0);
}

TEST(binary_closes_with_1003_whatever_the_application_has)
{
    for (int hook = 0; hook < 2; hook++) {
        struct heard h = {0};
        talk *t = talk_new();
        sim_peer *p;
        t->hear = (wspool_message_hook){hook ? hear : NULL, &h};
        talk_start(t);
        p = talk_join(t, "/all");
        sim_frame(p, FIN | OP_BINARY, "{\"type\":\"ping\"}", 15);
        sim_pump(t->s);
        sim_expect_close(p, WSPOOL_END_HOST_CLOSED, WSPOOL_CLOSE_UNSUPPORTED);
        talk_expect_silence(p);
        assert_int_equal(h.calls, 0);
        talk_free(t);
    }
}

TEST(binary_that_is_permitted_and_has_no_hook_does_nothing)
{
    talk *t = talk_new();
    sim_peer *p;
    t->config.binary = 1;
    talk_start(t);
    p = talk_join(t, "/all");
    sim_frame(p, FIN | OP_BINARY, "{\"type\":\"ping\"}", 15);
    sim_pump(t->s);
    expect_well(p);
    assert_int_equal(abuse_cost(t), 0);
    talk_free(t);
}

TEST(binary_that_is_permitted_goes_to_the_hook_and_nothing_else_does)
{
    struct heard h = {0};
    talk *t = talk_new();
    sim_peer *p;
    t->config.binary = 1;
    t->hear = (wspool_message_hook){hear, &h};
    talk_start(t);
    p = talk_join(t, "/all");
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    talk_say(p, "{");
    talk_expect_error(p, "malformed", 0, NULL);
    talk_say(p, "{'type':'hear'}");
    talk_expect_error(p, "unknown_type", 0, NULL);
    assert_int_equal(h.calls, 0);
    sim_frame(p, FIN | OP_BINARY, "{\"type\":\"ping\"}", 15);
    sim_pump(t->s);
    assert_int_equal(h.calls, 1);
    assert_string_equal(h.text, "{\"type\":\"ping\"}");
    assert_int_equal(reader_message(&p->reader, p->reader.messages - 1)->op, OP_BINARY);
    sim_frame(p, FIN | OP_BINARY, "", 0);
    sim_pump(t->s);
    assert_int_equal(h.calls, 2);
    assert_int_equal(abuse_cost(t), 2);
    sim_expect_open(p);
    talk_free(t);
}
