/* SPDX-License-Identifier: MIT */
/*
 * sim/test_codec.c - a whole pool with a codec (that of unit/toy.h).
 *
 * Every kind of handshake negotiates the codec. Readers of each encoding get every message once and
 * in order, whatever their transports do. Compressed messages of clients are decoded, and invalid
 * ones end with the right reason. A model with random steps compares what each reader must get.
 */
#include "accept.h"

#include "../unit/toy.h"

#define OFFER "Sec-WebSocket-Extensions: "

static sim *sim_negotiated(uint64_t seed, struct toy *toy)
{
    sim *s = sim_new(seed);
    *toy = (struct toy){.mem = &s->config.mem};
    s->config.codec = toy_hook(toy);
    s->test = toy;
    return s;
}

/* A pool of the same kind without a codec. */
static sim *sim_without(uint64_t seed, struct toy *toy)
{
    sim *s = sim_negotiated(seed, toy);
    s->config.codec = (wspool_codec_hook){.user = NULL};
    return s;
}

static void encoded_free(sim *s)
{
    struct toy *toy = s->test;
    toy_forget_frame(toy);
    sim_free(s);
    assert_int_equal(toy->live, 0);
}

/* Joins a peer that negotiates this encoding, or offers nothing (form 0). */
static sim_peer *join_encoding(sim *s, const char *target, unsigned encoding, unsigned decoder)
{
    char extra[128];
    client_request request = {.target = target, .extra = extra};
    snprintf(extra, sizeof extra, OFFER "none, x-toy;form=%u;reading=%u\r\n", encoding, decoder);
    if (encoding == 0)
        request.extra = NULL;
    sim_peer *p = sim_connect(s, &request);
    if (p != NULL && encoding > 0)
        p->reader.unfold = toy_read;
    sim_pump(s);
    return p;
}

/* The client sends a compressed message in that many fragments, with a ping between them. */
static void say_encoded(sim_peer *p, unsigned op, const void *text, size_t len, size_t frames)
{
    uint8_t *encoded = sim_malloc(2 * len + 32);
    size_t n = toy_write(encoded, 1, text, len), from = 0;
    for (size_t i = 0; i < frames; i++) {
        size_t to = i + 1 == frames ? n : n * (i + 1) / frames;
        sim_frame(p, (i == 0 ? 0x40 | op : 0) | (i + 1 == frames ? FIN : 0), encoded + from,
                  to - from);
        if (i + 1 < frames && i % 3 == 1)
            sim_ping(p, "between");
        from = to;
    }
    free(encoded);
}

static void expect_heard(const sim_peer *p, size_t n, const char *text)
{
    assert_true(p->heards > n);
    assert_true(got_is(&p->heard[n], text, strlen(text)));
}

static const char long_text[] =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* Sends in both directions, in the negotiated encoding. */
static void talk(sim *s, sim_peer *p, const char *room)
{
    size_t heards = p->heards, messages = p->reader.messages, encoded = p->reader.encoded;
    say_encoded(p, OP_TEXT, long_text, strlen(long_text), 3);
    sim_text(p, "plain");
    assert_int_equal(sim_broadcast(s, wspool_item(room), long_text), 1);
    assert_int_equal(sim_send(p, long_text), 0);
    assert_int_equal(sim_send(p, "short"), 0);
    sim_pump(s);
    sim_expect_open(p);
    expect_heard(p, heards, long_text);
    expect_heard(p, heards + 1, "plain");
    sim_expect_message(p, messages, long_text);
    sim_expect_message(p, messages + 1, long_text);
    sim_expect_message(p, messages + 2, "short");
    assert_int_equal(p->reader.encoded - encoded, 2);
}

TEST(message_to_a_subject_is_encoded_once_for_each_encoding)
{
    struct toy toy;
    sim *s = sim_negotiated(1, &toy);
    sim_start(s);
    s->subject = "me";
    sim_peer *p[6];
    for (unsigned i = 0; i < 6; i++)
        p[i] = join_encoding(s, "/echo", i % 3, 0);
    assert_int_equal(SIM_IN(wspool_send_to(s->pool, wspool_text_of("me"), long_text,
                                           strlen(long_text), NULL, NULL)),
                     6);
    sim_pump(s);
    for (unsigned i = 0; i < 6; i++) {
        sim_expect_message(p[i], 0, long_text);
        assert_int_equal(p[i]->reader.encoded, i % 3 > 0);
    }
    assert_int_equal(sim_stats(s).encoded, 1);
    assert_int_equal(sim_stats(s).codec_encoded, 2);
    encoded_free(s);
}

/* ----------------------------------------------------------- negotiation */

TEST(negotiation_when_raw_is_answered_and_told)
{
    for (int chop = SIM_WHOLE; chop <= SIM_BYTES; chop++) {
        struct toy toy;
        sim *s = sim_negotiated(1, &toy);
        char room[64];
        sim_start(s);
        s->chop = (enum sim_chop)chop;
        sim_peer *p = join_encoding(s, "/room/x", 7, 1);
        sim_expect_open(p);
        assert_string_equal(
            reader_header(&p->reader, "Sec-WebSocket-Extensions", room, sizeof room),
            "x-toy; form=7; reading=1");
        assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->negotiated, "x-toy; form=7; reading=1");
        talk(s, p, "x");
        wspool_statistics st = sim_stats(s);
        assert_int_equal(st.codec_encoded, 2);
        assert_int_equal(st.encoded, 2); /* of the broadcast and of the short one */
        assert_int_equal(st.received, 2);
        assert_int_equal(st.codec_decoded, 1);
        assert_int_equal(st.codec_encoded_bytes, 2 * (2 + 4 + 12));
        encoded_free(s);
    }
}

TEST(message_to_one_when_nothing_waits_is_in_the_encoding_negotiated)
{
    struct toy toy;
    sim *s = sim_negotiated(1, &toy);
    sim_start(s);
    sim_peer *p = join_encoding(s, "/room/x", 7, 1);
    sim_peer *plain = sim_join(s, "/room/x");
    for (size_t i = 0; i < 5; i++) { /* from the second round on both have a current block */
        assert_int_equal(sim_send(plain, long_text), 0);
        sim_pump(s);
        assert_int_equal(sim_send(p, long_text), 0);
        sim_pump(s);
        sim_expect_message(plain, i, long_text);
        sim_expect_message(p, i, long_text);
        assert_int_equal(p->reader.encoded, i + 1);
    }
    encoded_free(s);
}

TEST(negotiation_when_the_verdict_is_late_is_answered_and_told)
{
    struct toy toy;
    sim *s = sim_negotiated(1, &toy);
    char room[64];
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    client_request request = {.target = "/room/x",
                              .extra = "Authorization: Bearer t\r\n" OFFER
                                       "x-toy;form=3;reading=15\r\n"};
    sim_peer *p = sim_connect(s, &request);
    p->reader.unfold = toy_read;
    say_encoded(p, OP_TEXT, long_text, strlen(long_text),
                2); /* before the verdict, and compressed */
    sim_pump(s);
    assert_int_equal(p->opened, 0);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, NULL), 0);
    sim_pump(s);
    sim_expect_open(p);
    expect_heard(p, 0, long_text);
    assert_string_equal(reader_header(&p->reader, "Sec-WebSocket-Extensions", room, sizeof room),
                        "x-toy; form=3; reading=15");
    assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->negotiated, "x-toy; form=3; reading=15");
    talk(s, p, "x");
    encoded_free(s);
}

static const char *extension_of(const wspool_answer *answer)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, "Sec-WebSocket-Extensions") == 0)
            return answer->headers[i].value;
    return NULL;
}

TEST(negotiation_when_hosted_is_in_the_answer_and_told)
{
    for (int offers = 0; offers < 2; offers++) {
        struct toy toy;
        sim *s = sim_negotiated(1, &toy);
        client_request request = {.target = "/room/x",
                                  .extra = offers ? OFFER "x-toy;form=2;reading=1\r\n" : NULL};
        wspool_answer answer;
        sim_peer *p;
        sim_start(s);
        assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
        if (!offers) {
            assert_null(extension_of(&answer));
            assert_int_equal(sim_adopt(p, NULL, 0), 0);
            assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->negotiated, "");
            assert_int_equal(sim_broadcast(s, wspool_item("x"), long_text), 1);
            sim_pump(s);
            sim_expect_message(p, 0, long_text);
            encoded_free(s);
            continue;
        }
        assert_string_equal(extension_of(&answer), "x-toy; form=2; reading=1");
        p->reader.unfold = toy_read;
        assert_int_equal(sim_adopt(p, NULL, 0), 0);
        assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->negotiated, "x-toy; form=2; reading=1");
        talk(s, p, "x");
        encoded_free(s);
    }
}

static char late_extension[64];

static void keep_answer(wspool *pool, wspool_id id, const wspool_answer *answer, void *user)
{
    const char *extension = extension_of(answer);
    (void)pool, (void)id, (void)user;
    snprintf(late_extension, sizeof late_extension, "%s", extension == NULL ? "" : extension);
}

TEST(negotiation_when_hosted_and_the_verdict_is_late_is_in_the_answer)
{
    struct toy toy;
    sim *s = sim_negotiated(1, &toy);
    client_request request = {.target = "/room/x",
                              .extra =
                                  "Authorization: Bearer t\r\n" OFFER "x-toy;form=5;reading=2\r\n"};
    wspool_answer answer;
    sim_peer *p;
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    s->config.verdict = (wspool_verdict_hook){keep_answer, s};
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_PENDING);
    late_extension[0] = '\0';
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, NULL), 0);
    sim_pump(s);
    assert_string_equal(late_extension, "x-toy; form=5; reading=2");
    p->reader.unfold = toy_read;
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    talk(s, p, "x");
    encoded_free(s);
}

TEST(list_when_malformed_is_refused_on_the_wire)
{
    for (int with = 0; with < 2; with++) {
        struct toy toy;
        sim *s = with ? sim_negotiated(1, &toy) : sim_without(1, &toy);
        sim_start(s);
        sim_refused(s, &(client_request){.extra = OFFER "x-toy;\r\n"}, 400, "malformed");
        assert_int_equal(sim_stats(s).stages[WSPOOL_STAGE_KEY].refused, 1);
        encoded_free(s);
    }
}

TEST(peer_when_it_has_not_negotiated_is_sent_and_may_send_plain_only)
{
    for (int with = 0; with < 2; with++) {
        struct toy toy;
        sim *s = with ? sim_negotiated(1, &toy) : sim_without(1, &toy);
        sim_start(s);
        client_request request = {.target = "/room/x", .extra = OFFER "other, x-toy;a=b\r\n"};
        sim_peer *p = sim_connect(s, &request);
        sim_pump(s);
        sim_expect_open(p); /* and checks that there is no such header */
        assert_int_equal(sim_broadcast(s, wspool_item("x"), long_text), 1);
        sim_pump(s);
        sim_expect_message(p, 0, long_text);
        say_encoded(p, OP_TEXT, long_text, strlen(long_text), 1);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_PROTOCOL, 1002);
        assert_int_equal(toy.encodes + toy.decodes, 0);
        encoded_free(s);
    }
}

/* ------------------------------------------------------------------- ends */

TEST(message_when_it_can_t_be_decoded_ends_the_peer_with_its_reason)
{
    static const struct {
        const char *encoded;
        size_t len;
        enum wspool_end why;
        int code;
    } cases[] = {
        {"\3a\0B", 4, WSPOOL_END_BAD_ENCODING, 1007}, {"\3a\1", 3, WSPOOL_END_BAD_ENCODING, 1007},
        {"\0M", 2, WSPOOL_END_NOMEM, 1011},           {"\0X", 2, WSPOOL_END_TOO_BIG, 1009},
        {"\1\xff", 2, WSPOOL_END_BAD_UTF8, 1007},     {"\1\xc3", 2, WSPOOL_END_BAD_UTF8, 1007},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned decoder = 0; decoder < 2; decoder++) {
            for (int says_close = 0; says_close < 2; says_close++) {
                struct toy toy;
                sim *s = sim_negotiated(i, &toy);
                sim_start(s);
                s->chop = says_close ? SIM_BYTES : SIM_WHOLE;
                sim_peer *p = join_encoding(s, "/room/x", 1, decoder);
                say_encoded(p, OP_TEXT, "first", 5, 1);
                sim_frame(p, FIN | 0x40 | OP_TEXT, cases[i].encoded, cases[i].len);
                say_encoded(p, OP_TEXT, "never heard", 11, 2);
                if (says_close)
                    sim_say_close(p, 1000, "bye");
                sim_pump(s);
                sim_pass(s, 10 * SEC);
                sim_expect_close(p, cases[i].why, cases[i].code);
                assert_int_equal(p->heards, 1);
                assert_int_equal(toy.live, 0);
                encoded_free(s);
            }
        }
    }
}

TEST(message_when_decoded_keeps_to_the_limit_of_its_route)
{
    for (int over = 0; over < 2; over++) {
        struct toy toy;
        sim *s = sim_negotiated(1, &toy);
        wspool_route_options options;
        static char text[301];
        memset(text, 't', sizeof text);
        sim_start(s);
        wspool_route_options_init(&options, &s->config);
        options.message_bytes = 300;
        options.codec = 99;
        assert_int_equal(wspool_route(s->pool, "/small", WSPOOL_NONE, &options), 0);
        sim_peer *p = join_encoding(s, "/small", 1, 0);
        assert_int_equal(toy.route_flags, 99);
        say_encoded(p, OP_BINARY, text, 300 + (size_t)over, 2);
        sim_pump(s);
        if (over) {
            sim_expect_close(p, WSPOOL_END_TOO_BIG, 1009);
        } else {
            sim_expect_open(p);
            assert_true(got_is(&p->heard[0], text, 300));
        }
        encoded_free(s);
    }
}

/* The state that a codec keeps is no unfinished message: silence of the peer is allowed. */
TEST(peer_when_idle_with_a_state_is_left_alone)
{
    struct toy toy;
    sim *s = sim_negotiated(1, &toy);
    s->config.message_time = 5 * SEC;
    sim_start(s);
    sim_peer *p = join_encoding(s, "/room/x", 1, TOY_TAKEOVER);
    talk(s, p, "x");
    assert_int_equal(toy.live, 1);
    sim_pass(s, 300 * SEC);
    talk(s, p, "x");
    /* An unfinished message must be completed in time. */
    sim_frame(p, 0x40 | OP_TEXT, "\3a", 2);
    sim_pass(s, 4 * SEC);
    sim_expect_open(p);
    sim_pass(s, 20 * SEC);
    assert_int_equal(p->ended, 1);
    assert_int_equal(toy.live, 0);
    encoded_free(s);
}

TEST(state_when_the_pool_or_the_peer_ends_is_given_back)
{
    for (int how = 0; how < 5; how++) {
        for (unsigned decoder = 0; decoder < 2; decoder++) {
            struct toy toy;
            sim *s = sim_negotiated(1, &toy);
            sim_start(s);
            sim_peer *p = join_encoding(s, "/room/x", 1, decoder);
            say_encoded(p, OP_TEXT, "aaaa", 4, 1);
            if (how < 4) /* and another message is unfinished */
                sim_frame(p, 0x40 | OP_TEXT, "\3a", 2);
            sim_pump(s);
            assert_int_equal(toy.live, how < 4 || decoder == TOY_TAKEOVER);
            if (how == 1)
                sim_cut(p, WSPOOL_GONE_FAILED);
            else if (how == 2)
                SIM_IN(wspool_close(s->pool, p->id, 1000, "bye", 0));
            else if (how == 3)
                assert_int_equal(SIM_IN(wspool_drain(s->pool, SEC, 0, s->now)), 0);
            if (how > 0)
                sim_pass(s, how < 4 ? 30 * SEC : 0);
            assert_int_equal(toy.live, how == 0 || (how == 4 && decoder == TOY_TAKEOVER));
            encoded_free(s); /* 0, 4: ended by freeing the pool */
        }
    }
}

static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        wspool_send_options options = {.size = sizeof options,
                                       .flags = event->number ? WSPOOL_BINARY : 0};
        SIM_IN(wspool_send(s->pool, event->id, event->data, event->len, &options));
        SIM_IN(wspool_broadcast(s->pool, wspool_item("x"), event->data, event->len, NULL, NULL));
        if (event->len == 3)
            SIM_IN(wspool_close(s->pool, event->id, 4000, "three", 0));
    }
}

/* The hook sends from inside the message hook. The bytes lie in the buffer that was decoded
 * into. */
TEST(hook_when_it_sends_what_was_decoded_does_no_harm)
{
    for (unsigned decoder = 0; decoder < 2; decoder++) {
        struct toy toy;
        sim *s = sim_negotiated(3, &toy);
        sim_start(s);
        s->react = echo;
        s->chop = SIM_RANDOM;
        sim_peer *p = join_encoding(s, "/echo", 2, decoder);
        sim_peer *q = join_encoding(s, "/room/x", 1, decoder);
        for (int i = 0; i < 30; i++) {
            say_encoded(p, OP_TEXT, long_text, strlen(long_text) - (size_t)i, 1 + (size_t)i % 4);
            sim_text(p, long_text);
        }
        say_encoded(p, OP_TEXT, "", 0, 1);
        say_encoded(p, OP_TEXT, "end", 3, 2);
        say_encoded(p, OP_TEXT, "never heard", 11, 2);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4000);
        assert_int_equal(p->reader.messages, 62);
        assert_int_equal(q->reader.messages, 62);
        assert_int_equal(p->reader.encoded, 60);
        for (size_t i = 0; i < 60; i += 2) {
            const got *g = reader_message(&p->reader, i);
            assert_true(got_is(g, long_text, strlen(long_text) - i / 2));
            sim_expect_message(p, i + 1, long_text);
        }
        s->react = NULL;
        encoded_free(s);
    }
}

/* ------------------------------------------------------------------ model
 *
 * A message begins with its number. Each peer knows the numbers that were published to it. It must
 * receive all of them: in order while its queue never fills; otherwise the channels have histories,
 * and it receives those of each channel in order, and those that were sent to it alone. */

enum { LIVE = 24, SAID = 400, TOPICS = 3, LANES = TOPICS + 1, NUMBERS = 20000 };

typedef struct lane {
    uint32_t *due; /* numbers of the messages that it must receive in this order */
    size_t count, cap;
    size_t at; /* how many of these were received */
} lane;

typedef struct known {
    sim_peer *p;
    lane lanes[LANES];
    size_t due, got; /* in all lanes */
    size_t seen;     /* messages of the reader that were compared */
    int leaves;
    unsigned rooms; /* its topics, as bits */
    uint32_t said[SAID];
    size_t said_count;
    size_t heard;
} known;

typedef struct model {
    sim *s;
    known peers[LIVE];
    uint32_t number;
    uint8_t lane_of[NUMBERS];
    int exact; /* one lane only */
    size_t compared;
} model;

static char body[5000];

static size_t contents(uint32_t number)
{
    size_t len = number % 11 == 0 ? number * 37 % 4900 : number * 13 % 300;
    len = len < 7 ? 7 : len;
    snprintf(body, 8, "%07u", number);
    for (size_t i = 7; i < len; i++)
        body[i] = (char)('a' + (number % 5 == 0 ? i * 7 % 26 : i / 100 % 26));
    return len;
}

static void compare(model *m, known *k)
{
    sim_peer *p = k->p;
    const reader *r = &p->reader;
    for (; k->seen < r->count; k->seen++) {
        const got *g = &r->list[k->seen];
        if (g->op != OP_TEXT && g->op != OP_BINARY)
            continue;
        char digits[8] = {0};
        assert_true(g->len >= 7);
        memcpy(digits, g->data, 7);
        uint32_t number = (uint32_t)strtoul(digits, NULL, 10);
        assert_true(number <= m->number);
        lane *l = &k->lanes[m->lane_of[number]];
        assert_true(l->at < l->count);
        assert_int_equal(l->due[l->at], number); /* in order, and not another reader's */
        l->at++;
        k->got++;
        m->compared++;
        assert_true(got_is(g, body, contents(number)));
        assert_int_equal(g->op, number % 3 == 0 ? OP_BINARY : OP_TEXT);
    }
    for (; k->heard < p->heards; k->heard++) {
        assert_true(k->heard < k->said_count);
        uint32_t number = k->said[k->heard];
        assert_true(got_is(&p->heard[k->heard], body, contents(number)));
    }
}

static void pump_and_compare(model *m)
{
    sim_pump(m->s);
    assert_int_equal(wspool_check(m->s->pool), 0);
    for (int i = 0; i < LIVE; i++)
        if (m->peers[i].p != NULL) {
            compare(m, &m->peers[i]);
            if (m->peers[i].leaves)
                continue;
            sim_expect_open(m->peers[i].p);
        }
}

static void due(model *m, known *k, unsigned in, uint32_t number)
{
    lane *l = &k->lanes[m->exact ? 0 : in];
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        l->due = sim_realloc(l->due, l->cap * sizeof *l->due);
    }
    l->due[l->count++] = number;
    k->due++;
}

static uint32_t next_number(model *m, unsigned in)
{
    assert_true(m->number + 1 < NUMBERS);
    m->lane_of[++m->number] = (uint8_t)(m->exact ? 0 : in);
    return m->number;
}

static const char *const topics[TOPICS] = {"red", "green", "blue"};

static void comes(model *m, known *k)
{
    unsigned encoding = (unsigned)sim_below(m->s, 5);
    encoding = encoding == 4 ? WSPOOL_ENCODINGS : encoding;
    k->p = join_encoding(m->s, "/echo", encoding, (unsigned)sim_below(m->s, WSPOOL_DECODERS));
    sim_expect_open(k->p);
    for (unsigned i = 0; i < 3; i++)
        if (sim_below(m->s, 2)) {
            assert_int_equal(
                SIM_IN(wspool_subscribe(m->s->pool, k->p->id, wspool_topic(topics[i]))), 0);
            k->rooms |= 1u << i;
        }
}

/* Every message that was due was received, unless the transport failed. */
static void goes(model *m, known *k, int flows)
{
    if (flows) {
        sim_flow(k->p);
        for (int turn = 0; turn == 0 || (turn < 100 && k->got < k->due); turn++)
            pump_and_compare(m);
        k->leaves = 1;
        assert_int_equal(k->got, k->due);
        assert_int_equal(k->heard, k->said_count);
        sim_say_close(k->p, 1000, "bye");
    } else {
        k->leaves = 1;
        sim_cut(k->p, WSPOOL_GONE_FAILED);
    }
    for (int turn = 0; turn < 100 && !k->p->ended; turn++)
        pump_and_compare(m); /* a pump may end before the host reads the socket again */
    assert_int_equal(k->p->ended, 1);
    uint64_t accounted = k->got + k->p->closed.messages_lost;
    assert_true(accounted == k->due || (accounted < k->due && !m->exact)); /* it was behind */
    for (int i = 0; i < LANES; i++)
        free(k->lanes[i].due);
    memset(k, 0, sizeof *k);
}

static void publishes(model *m)
{
    unsigned topic = (unsigned)sim_below(m->s, 3);
    for (int burst = 1 + (int)sim_below(m->s, 5); burst > 0; burst--) {
        const known *except =
            sim_below(m->s, 3) == 0 ? &m->peers[sim_below(m->s, LIVE)] : &(known){.p = NULL};
        uint32_t number = next_number(m, topic);
        size_t len = contents(number);
        wspool_send_options options = {.size = sizeof options,
                                       .flags = number % 3 == 0 ? WSPOOL_BINARY : 0,
                                       .except = except->p ? except->p->id : 0};
        wspool_tally tally = {.size = sizeof tally};
        unsigned members = 0;
        for (int i = 0; i < LIVE; i++) {
            known *k = &m->peers[i];
            if (k->p != NULL && k != except && (k->rooms >> topic & 1)) {
                members++;
                due(m, k, topic, number);
            }
        }
        int n = SIM_IN(
            wspool_broadcast(m->s->pool, wspool_topic(topics[topic]), body, len, &options, &tally));
        assert_int_equal(n, (int)tally.queued);
        assert_in_range(tally.queued + tally.behind, members, members + 1); /* or `except` is */
        assert_int_equal(tally.closed, 0);
    }
}

static void one_step(model *m, known *k)
{
    sim *s = m->s;
    switch (sim_below(s, 12)) {
    case 0:
        sim_stall(k->p);
        break;
    case 1:
        k->p->room = (size_t)sim_below(s, 700);
        break;
    case 2:
    case 3:
        sim_flow(k->p);
        break;
    case 4: { /* to one peer */
        uint32_t number = next_number(m, TOPICS);
        size_t len = contents(number);
        wspool_send_options options = {.size = sizeof options,
                                       .flags = number % 3 == 0 ? WSPOOL_BINARY : 0};
        int rc = SIM_IN(wspool_send(s->pool, k->p->id, body, len, &options));
        assert_true(rc == 0 || (rc == WSPOOL_ERR_FULL && !m->exact));
        if (rc == 0)
            due(m, k, TOPICS, number);
        break;
    }
    case 5:
    case 6: /* the client sends a message */
        for (int i = 0; i < 3 && k->said_count < SAID; i++) {
            uint32_t number = (uint32_t)sim_below(s, 9999);
            size_t len = contents(number);
            k->said[k->said_count++] = number;
            if (k->p->reader.unfold != NULL && sim_below(s, 3))
                say_encoded(k->p, OP_TEXT, body, len, 1 + (size_t)sim_below(s, 5));
            else
                sim_frame(k->p, FIN | OP_TEXT, body, len);
        }
        break;
    case 7:
        goes(m, k, sim_below(s, 2) == 0);
        break;
    default:
        publishes(m);
        break;
    }
}

static void play(uint64_t seed, enum wspool_slow slow, int exact)
{
    struct toy toy;
    sim *s = sim_negotiated(seed, &toy);
    model *m = sim_malloc(sizeof *m);
    memset(m, 0, sizeof *m);
    m->s = s;
    m->exact = exact;
    s->config.slow = slow;
    s->config.abuse_burst = 0;
    /* in the worst case an encoded message is twice as long as the text */
    s->config.message_bytes = 9000;
    s->config.queue_messages = exact ? 4000 : 12;
    s->config.queue_bytes = exact ? 4u << 20 : 5100;
    s->keep_journal = 0;
    sim_start(s);
    if (slow == WSPOOL_SLOW_BEHIND) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.history = (wspool_history){.messages = NUMBERS};
        assert_int_equal(wspool_route(s->pool, "/topic/{name}", WSPOOL_TOPIC, &options), 0);
    }
    s->chop = SIM_RANDOM;
    s->async = seed % 2 ? 30 : 0;
    toy.unsure = seed % 3 == 0;
    for (int step = 0; step < (sim_slow() ? 150 : 900); step++) {
        known *k = &m->peers[sim_below(s, LIVE)];
        if (k->p == NULL)
            comes(m, k);
        else
            one_step(m, k);
        pump_and_compare(m);
    }
    for (int i = 0; i < LIVE; i++)
        if (m->peers[i].p != NULL)
            goes(m, &m->peers[i], 1);
    assert_true(m->compared > (sim_slow() ? 20 : 200));
    const uint64_t enough = sim_slow() ? 5 : 50;
    assert_true(toy.encodes > 2 * enough && toy.decodes > 2 * enough);
    wspool_statistics st = sim_stats(s);
    assert_true(st.codec_encoded > enough && st.codec_decoded > enough / 2);
    if (!exact)
        assert_true(st.left_behind > enough && st.recovered > enough);
    free(m);
    encoded_free(s);
}

TEST(readers_of_any_encoding_get_each_message_once_in_order)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        play(seed, WSPOOL_SLOW_CLOSE, 1);
}

TEST(readers_of_any_encoding_get_each_message_once_when_they_fall_behind)
{
    for (uint64_t seed = 11; seed <= 18; seed++)
        play(seed, WSPOOL_SLOW_BEHIND, 0);
}
