/* SPDX-License-Identifier: MIT */
/*
 * hostile/test_worst_heap.c - the most memory that one peer can hold, measured over all that a peer
 * can do: the worst known sequences, and random ones.
 *
 * Two heaps are counted together: the pool's and wslay's part of the C library's. `live` is what is
 * held between two calls. `peak` is what was held inside a call, including the copy that realloc
 * makes of a growing buffer. The memory that the pool has anyway (tables, its open block) is there
 * before the peer comes and does not count. Free lists count, because a new pool has none.
 */
#include "../sim/sim.h"
#include "../sim/accept.h"

/* wspool/wspool.h, Caveats; without the share of the tables */
#define UNAUTHENTICATED (24576 - RECORD)
#define BESIDE_ITS_LIMITS 16384

/* ------------------------------------------------------------------- meter */

typedef struct meter {
    sim *s;
    size_t before; /* bytes of the pool's heap */
    long libc_before;
    size_t live; /* the highest value so far */
    size_t peak;
} meter;

static void meter_begin(meter *m, sim *s)
{
    memset(m, 0, sizeof *m);
    m->s = s;
    m->before = s->heap.live_bytes;
    m->libc_before = sim_c.live_bytes;
    s->heap.peak_bytes = m->before;
}

/* After each call. */
static void meter_look(meter *m)
{
    size_t libc = (size_t)(sim_c.live_bytes - m->libc_before);
    size_t live = m->s->heap.live_bytes - m->before + libc;
    size_t peak = m->s->heap.peak_bytes - m->before + libc;
    m->live = live > m->live ? live : m->live;
    m->peak = peak > m->peak ? peak : m->peak;
}

static void feed(meter *m, sim_peer *p, const void *bytes, size_t len)
{
    sim_write(p, bytes, len);
    while (sim_turn(m->s))
        meter_look(m);
    meter_look(m);
}

/* Returns the length of the next piece. Lengths lie at the limits of the buffers' sizes. */
static size_t piece(sim *s, size_t left)
{
    static const size_t sizes[] = {1,    2,    255,  256,  257,  1000,  2047, 2048,
                                   4095, 4096, 4097, 8191, 8193, 16383, 40000};
    size_t n = sim_below(s, 3) == 0 ? 1 + sim_below(s, left)
                                    : sizes[sim_below(s, sizeof sizes / sizeof *sizes)];
    return n < left ? n : left;
}

static void feed_in_pieces(meter *m, sim_peer *p, const blob *bytes)
{
    for (size_t at = 0, n; at < bytes->len && !p->listed; at += n) {
        n = piece(m->s, bytes->len - at);
        feed(m, p, bytes->data + at, n);
    }
}

static size_t worst_live, worst_peak;

static void note(const meter *m, size_t live_bound, size_t peak_bound, const char *what, size_t n)
{
    if (m->live > live_bound || m->peak > peak_bound)
        fail_msg("%s %zu: %zu bytes live, %zu at their peak; at most %zu and %zu", what, n, m->live,
                 m->peak, live_bound, peak_bound);
    worst_live = m->live > worst_live ? m->live : worst_live;
    worst_peak = m->peak > worst_peak ? m->peak : worst_peak;
}

/* --------------------------------------------------------- unauthenticated */

/* Makes a pool that has its tables, asks for tokens, and has empty free lists. */
static sim *asking(uint64_t seed)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    s->rng = seed * 2 + 1;
    s->keep_journal = 0;
    sim_start(s);
    for (int i = 0; i < 20; i++)
        sim_cut(sim_open(s, NULL), WSPOOL_GONE_EOF);
    sim_pump(s);
    return s;
}

/* Returns a request of `len` bytes: with a long query or a long header. */
static blob long_request(size_t len, size_t query)
{
    blob bytes = {0};
    size_t frame;
    blob_text(&bytes, "GET /echo?");
    for (size_t i = 0; i < query; i++)
        blob_add(&bytes, "q", 1);
    blob_text(&bytes, " HTTP/1.1\r\nHost: pool.example\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: " CLIENT_KEY "\r\n"
                      "Authorization: Bearer secret.1\r\nX: ");
    for (frame = bytes.len + 4; frame < len; frame++)
        blob_add(&bytes, "x", 1);
    blob_text(&bytes, "\r\n\r\n");
    return bytes;
}

static size_t ordinary_len(void)
{
    blob bytes = long_request(0, 0);
    size_t len = bytes.len;
    blob_free(&bytes);
    return len;
}

static void end_unauthenticated(meter *m, const char *what, size_t n)
{
    meter_look(m);
    note(m, UNAUTHENTICATED - 1, UNAUTHENTICATED - 1, what, n);
    sim_free(m->s);
}

/* An HTTP head of the largest size, cut once; then its last byte is held back. */
TEST(head_when_cut_anywhere_holds_less_than_24_kib)
{
    static const size_t cuts[] = {1,    100,  255,  256,   257,   4000,  4095,  4096,  4097, 5000,
                                  8191, 8192, 8193, 10000, 12288, 16000, 16381, 16382, 16383};
    worst_live = worst_peak = 0;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        for (size_t first = 0; first < 3; first++) {
            sim *s = asking(i);
            blob bytes = long_request(16384, 0);
            sim_peer *p;
            meter m;
            meter_begin(&m, s);
            p = sim_open(s, NULL);
            if (first > 0)
                feed(&m, p, bytes.data, first == 1 ? 1 : cuts[i] / 2);
            if (cuts[i] > p->in.len)
                feed(&m, p,
                     bytes.data + (first == 0   ? 0
                                   : first == 1 ? 1
                                                : cuts[i] / 2),
                     cuts[i] - (first == 0   ? 0
                                : first == 1 ? 1
                                             : cuts[i] / 2));
            if (cuts[i] < 16383)
                feed(&m, p, bytes.data + cuts[i], 1);
            if (cuts[i] < 16382)
                feed(&m, p, bytes.data + cuts[i] + 1, 16383 - cuts[i] - 1);
            assert_false(p->listed);
            assert_true(m.live >= 16384);
            feed(&m, p, bytes.data + 16383, 1); /* and then it is pending */
            assert_int_equal(s->counts[SIM_TOKEN], 1);
            blob_free(&bytes);
            end_unauthenticated(&m, "cut at", cuts[i]);
        }
    }
    print_message("%zu bytes live, %zu at their peak\n", worst_live, worst_peak);
}

/* The query is kept while a verdict is pending, and so are early bytes: in the same buffer. */
TEST(pending_with_query_and_early_data_holds_less_than_24_kib)
{
    static const size_t queries[] = {0, 1, 255, 2000, 4095, 4096, 4097, 8000, 12000, 16100};
    worst_live = worst_peak = 0;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        for (int way = 0; way < 3; way++) { /* the head whole, in two parts, byte by byte */
            sim *s = asking(i);
            blob bytes = long_request(0, queries[i]);
            uint8_t early[16384] = {0};
            size_t cut = way == 1 ? bytes.len - 1 : way == 2 ? 4097 : 0;
            sim_peer *p;
            meter m;
            meter_begin(&m, s);
            p = sim_open(s, NULL);
            cut = cut < bytes.len ? cut : bytes.len - 1;
            if (cut > 0)
                feed(&m, p, bytes.data, cut);
            sim_turn(s);
            /* The pool does not want to read now. A host that reads all the same stays within
             * the bound. */
            SIM_DO(wspool_feed(s->pool, p->id, bytes.data + cut, bytes.len - cut, s->now));
            s->fed += bytes.len - cut;
            meter_look(&m);
            assert_int_equal(s->counts[SIM_TOKEN], 1);
            for (size_t left = 16384 - queries[i], n; left > 0; left -= n) {
                n = piece(s, left);
                SIM_DO(wspool_feed(s->pool, p->id, early, n, s->now));
                s->fed += n;
                meter_look(&m);
            }
            sim_stall(p);
            sim_pump(s);
            assert_int_equal(REFUSED(s, EARLY_DATA), 0);
            SIM_DO(wspool_feed(s->pool, p->id, early, 1, s->now));
            s->fed += 1;
            meter_look(&m);
            assert_int_equal(REFUSED(s, EARLY_DATA), 1);
            blob_free(&bytes);
            sim_flow(p);
            end_unauthenticated(&m, "query of", queries[i]);
        }
    }
    print_message("%zu bytes live, %zu at their peak\n", worst_live, worst_peak);
}

TEST(hosted_with_a_long_query_holds_less_than_24_kib)
{
    worst_live = worst_peak = 0;
    for (int pending = 0; pending < 2; pending++) {
        /* A head has 300 bytes more than its target. */
        static char target[16384 + 2] = "/echo?";
        static const size_t lens[] = {100, 4102, 4103, 16000, 16385};
        for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
            sim *s = asking(1);
            client_request request = {.target = target,
                                      .extra = "Authorization: Bearer secret.1\r\n"};
            wspool_answer answer;
            sim_peer *p = NULL;
            meter m;
            int rc;
            s->verdict.kind = pending ? WSPOOL_PENDING : WSPOOL_ACCEPT;
            memset(target + 6, 'q', lens[i] - 6);
            target[lens[i]] = '\0';
            meter_begin(&m, s);
            rc = sim_upgrade(s, &request, &answer, &p);
            meter_look(&m);
            if (lens[i] > 16384) {
                assert_int_equal(rc, WSPOOL_UPGRADE_REFUSED);
                assert_int_equal(answer.status, 431);
            } else {
                assert_int_equal(rc, pending ? WSPOOL_UPGRADE_PENDING : WSPOOL_UPGRADE_ACCEPTED);
                assert_true(m.live >= lens[i] - 6);
            }
            sim_pump(s);
            sim_pass(s, 60 * SEC); /* the slot is freed */
            end_unauthenticated(&m, "target of", lens[i]);
        }
    }
    print_message("%zu bytes live, %zu at their peak\n", worst_live, worst_peak);
}

/* Random sequences of a peer that is not accepted: any head, any cuts, early bytes, any end; it
 * reads nothing. */
TEST(life_at_random_holds_less_than_24_kib)
{
    size_t lives = sim_slow() ? 40 : 400;
    worst_live = worst_peak = 0;
    for (size_t seed = 1; seed <= lives; seed++) {
        sim *s = asking(seed);
        size_t query = sim_below(s, 2) ? sim_below(s, 15000) : 0;
        size_t len = ordinary_len() + query;
        blob bytes;
        sim_peer *p;
        meter m;
        if (sim_below(s, 2))
            len += sim_below(s, 16384 + 2 - (len < 16000 ? len : 16000));
        s->verdict.kind = sim_below(s, 3) == 0 ? WSPOOL_REFUSE : WSPOOL_PENDING;
        bytes = long_request(len, query);
        if (sim_below(s, 4) == 0)
            bytes.data[sim_below(s, bytes.len)] = (uint8_t)sim_random(s);
        for (size_t i = sim_below(s, 3) * sim_below(s, 9000); i > 0; i--)
            blob_add(&bytes, "e", 1);
        meter_begin(&m, s);
        p = sim_open(s, NULL);
        sim_stall(p);
        feed_in_pieces(&m, p, &bytes);
        /* READ is not set: the host reads all the same */
        while (!p->listed && p->in.len > p->fed) {
            size_t n = piece(s, p->in.len - p->fed);
            SIM_DO(wspool_feed(s->pool, p->id, p->in.data + p->fed, n, s->now));
            p->fed += n;
            s->fed += n;
            meter_look(&m);
        }
        if (sim_below(s, 2) && wspool_auth_complete(s->pool, p->id, &s->verdict) == 0)
            sim_pump(s);
        meter_look(&m);
        sim_pass(s, 60 * SEC);
        blob_free(&bytes);
        end_unauthenticated(&m, "life", seed);
    }
    print_message("%zu bytes live, %zu at their peak\n", worst_live, worst_peak);
    assert_true(worst_live >= 16384);
}

/* ------------------------------------------------------------ authenticated */

/* Sends the message back. Without space in the queue it is lost. */
static void echo(sim *s, const sim_event *event)
{
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_BINARY};
    if (event->what == SIM_MESSAGE)
        SIM_IN(wspool_send(s->pool, event->id, event->data, event->len, &options));
}

/* Makes a pool that has served another peer, so that its open block exists. */
static sim *serving(uint64_t seed, uint32_t message, uint32_t queue)
{
    sim *s = sim_new(seed);
    s->rng = seed * 2 + 1;
    s->config.message_bytes = message;
    s->config.queue_bytes = queue;
    s->keep_heard = 0;
    s->keep_journal = 0;
    s->react = echo;
    sim_start(s);
    for (int i = 0; i < 20; i++)
        sim_cut(sim_open(s, NULL), WSPOOL_GONE_EOF);
    sim_join(s, "/echo");
    sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "x");
    sim_pump(s);
    return s;
}

static void put_message(blob *to, size_t len, size_t fragment, int ends)
{
    static uint8_t zero[1 << 20];
    client_frame frame = {.first = OP_BINARY, .payload = zero, .key = 1};
    for (size_t at = 0; at < len || at == 0; at += frame.len) {
        frame.len = len - at < fragment ? len - at : fragment;
        frame.first = (frame.first & 15u) | (ends && at + frame.len == len ? FIN : 0);
        client_put_frame(to, &frame);
        frame.first = OP_CONT;
        if (len == 0)
            break;
    }
}

/* Joins, reads nothing, sends all these bytes in one piece or in many, and a message that never
 * ends: the peer holds its maximum then. */
static void live_and_fill(meter *m, sim *s, blob *bytes, int whole, size_t limit)
{
    client_frame half = {.first = OP_CONT, .announced = 4096, .key = 2};
    sim_peer *p;
    put_message(bytes, limit - 4096, 4096, 0);
    client_put_head(bytes, &half);
    for (int i = 0; i < 4095; i++)
        blob_add(bytes, "h", 1);
    meter_begin(m, s);
    p = sim_connect_to(s, "/echo");
    while (sim_turn(s))
        meter_look(m);
    sim_expect_open(p);
    sim_stall(p);
    if (whole)
        feed(m, p, bytes->data, bytes->len);
    else
        for (size_t at = 0, n; at < bytes->len; at += n) {
            n = piece(s, bytes->len - at);
            SIM_DO(wspool_feed(s->pool, p->id, bytes->data + at, n, s->now));
            s->fed += n;
            meter_look(m);
        }
    meter_look(m);
    assert_true(!p->ended);
    blob_free(bytes);
}

static void authenticated_holds_its_limits_and_16_kib(uint32_t message, uint32_t queue)
{
    static const size_t sizes[] = {0,     1,     10,    125,   126,   500,   1000,  1900, 2700,
                                   4000,  4078,  5437,  8000,  8156,  8157,  8158,  8159, 10000,
                                   12000, 16316, 16317, 20000, 30000, 40000, 65000, 65532};
    const size_t bound =
        (size_t)message + queue + BESIDE_ITS_LIMITS + (queue > 262144 ? queue / 32 : 0);
    const size_t peak = bound + message / 4 * 3 + 16384; /* once for the pool: one call at a time */
    worst_live = worst_peak = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int whole = 0; whole < 2; whole++) {
            sim *s;
            blob bytes = {0};
            meter m;
            if (sizes[i] > message)
                continue;
            s = serving(i, message, queue);
            for (size_t n = 0; n < 1100 && bytes.len < 2 * (size_t)queue; n++)
                put_message(&bytes, sizes[i], sizes[i] + 1, 1);
            live_and_fill(&m, s, &bytes, whole, message);
            note(&m, bound, peak, "messages of", sizes[i]);
            sim_free(s);
        }
    }
    for (size_t seed = 1; seed <= (sim_slow() ? 5u : 60u); seed++) {
        sim *s = serving(seed, message, queue);
        blob bytes = {0};
        meter m;
        for (size_t n = 0; n < 2000 && bytes.len < 2 * (size_t)queue; n++) {
            size_t len = sizes[sim_below(s, sizeof sizes / sizeof *sizes)];
            if (sim_below(s, 2))
                len = sim_below(s, len + 1);
            if (sim_below(s, 5) == 0)
                client_put_frame(&bytes, &(client_frame){.first = FIN | OP_PING, .key = 3});
            if (len <= message)
                put_message(&bytes, len, sim_below(s, 3) ? len + 1 : 16 + sim_below(s, len + 1), 1);
        }
        live_and_fill(&m, s, &bytes, (int)sim_below(s, 2), message);
        note(&m, bound, peak, "life", seed);
        sim_free(s);
    }
    print_message("%u + %u: %zu bytes live, %zu at their peak\n", message, queue, worst_live,
                  worst_peak);
    assert_true(worst_live >= message + queue / 2);
}

TEST(peer_with_the_default_limits_holds_them_and_16_kib)
{
    authenticated_holds_its_limits_and_16_kib(65536, 262144);
}

TEST(peer_with_other_limits_holds_them_and_16_kib)
{
    authenticated_holds_its_limits_and_16_kib(8192, 65536);
    authenticated_holds_its_limits_and_16_kib(300000, 131072);
    if (!sim_slow())
        authenticated_holds_its_limits_and_16_kib(1000000, 2000000);
}
