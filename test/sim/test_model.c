/* SPDX-License-Identifier: MIT */
/*
 * sim/test_model.c - a pool under random scripts is compared with a model of what each reader must
 * receive or be told.
 *
 * The model knows the messages in each peer's queue and their order. That is possible while queues
 * are limited in messages only and no write is under way during the script: then every tally, every
 * result, every message and every range that is missed is predicted. With limits in bytes and
 * asynchronous writes the model compares afterwards: what was published to a peer is what it
 * received, in order, plus what the missed hook and the close hook reported. No channel has a
 * history here: see sim/test_resume.c.
 *
 * Proves laws 5, 6 and 7 together: a full queue is no end, an end is reported once with its reason,
 * and nothing is lost without being counted.
 */
#include "sim.h"

enum { ROUTES = 5, TOPICS = 4, LIVE_MAX = 24 };

static const struct {
    const char *target;
    const char *name;
    enum wspool_kind kind;
    enum wspool_slow slow;
} places[ROUTES] = {
    {"/close", "close", WSPOOL_SESSION, WSPOOL_SLOW_CLOSE},
    {"/behind", "behind", WSPOOL_GLOBAL, WSPOOL_SLOW_BEHIND},
    {"/room/a", "a", WSPOOL_ITEM, WSPOOL_SLOW_BEHIND}, /* the policy of the pool */
    {"/room/b", "b", WSPOOL_ITEM, WSPOOL_SLOW_BEHIND},
    {"/echo", "", WSPOOL_NONE, WSPOOL_SLOW_CLOSE},
};

typedef struct published {
    uint32_t number; /* its bytes follow from the number */
    uint32_t size;
    int place;                 /* TOPICS: it was sent to one peer alone */
    uint64_t offset;           /* in that channel */
    uint8_t got, missed, left; /* received; reported; its receiver has left the channel since */
} published;

typedef struct reader_model {
    sim_peer *p;
    int open;        /* as far as the pool can know */
    int leaving;     /* its client did something that ends it; the pool may not have read it yet */
    int late;        /* its deadline may have passed while it was stalled */
    unsigned why;    /* the allowed ends, as bits; 0: none */
    unsigned member; /* its channels, as bits */
    uint64_t due[TOPICS];     /* exact: the first offset that it did not get; 0: it is live */
    uint64_t told_to[TOPICS]; /* the last offset that was reported */
    unsigned told;   /* channels of which the missed hook was called in this pump, as bits */
    published *list; /* queued for it (exact), or published to it (counting) */
    size_t n;
    size_t cap;
    size_t at;    /* how many of these were received (or skipped, when counting) */
    size_t read;  /* entries of the reader's list that were compared */
    size_t heard; /* messages of the client that the message hook got */
    published *said;
    size_t saids;
    size_t said_cap;
    uint32_t pings;
    uint32_t pong; /* number of the last Pong */
} reader_model;

typedef struct world {
    sim *s;
    int exact;
    uint32_t limit; /* messages per queue */
    reader_model *m;
    size_t count;
    size_t cap;
    uint32_t number;
    uint64_t offset[TOPICS]; /* of the newest message */
    uint8_t bytes[140000];
} world;

static const uint8_t *contents(world *w, uint32_t number, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        w->bytes[i] = (uint8_t)('a' + (number * 7 + i * (1 + number % 5)) % 26);
    return w->bytes;
}

static int is_binary(uint32_t number)
{
    return number % 3 == 0;
}

static uint32_t draw_size(world *w)
{
    static const uint32_t edges[] = {0, 1, 125, 126, 65535, 65536};
    switch (sim_below(w->s, 16)) {
    case 0:
        return edges[sim_below(w->s, 4)];
    case 1:
        return edges[4 + sim_below(w->s, 2)];
    case 2:
        return (uint32_t)sim_below(w->s, sizeof w->bytes);
    default:
        return (uint32_t)sim_below(w->s, 600);
    }
}

static void note(published **list, size_t *n, size_t *cap, published one)
{
    if (*n == *cap) {
        *cap = *cap == 0 ? 32 : *cap * 2;
        *list = sim_realloc(*list, *cap * sizeof **list);
    }
    (*list)[(*n)++] = one;
}

static wspool_channel channel(int place)
{
    return wspool_channel_of(places[place].kind, places[place].name, strlen(places[place].name));
}

/* --------------------------------------------------------------- compare */

static int same(world *w, const published *one, const got *g)
{
    return g->len == one->size && (g->op == OP_BINARY) == is_binary(one->number) &&
           memcmp(g->data, contents(w, one->number, one->size), g->len) == 0;
}

static void compare_message(world *w, reader_model *m, const got *g)
{
    if (w->exact) {
        if (m->at == m->n || !same(w, &m->list[m->at], g))
            fail_msg("seed %u: peer %zu got another message than the model's number %zu",
                     (unsigned)w->s->seed, m->p->number, m->at);
    } else {
        while (m->at < m->n && !same(w, &m->list[m->at], g))
            m->at++;
        if (m->at == m->n)
            fail_msg("seed %u: peer %zu got a message that was not for it, twice, or out of order",
                     (unsigned)w->s->seed, m->p->number);
    }
    m->list[m->at++].got = 1;
}

static void compare(world *w, reader_model *m)
{
    reader *r = &m->p->reader;
    for (; m->read < r->count; m->read++) {
        got *g = &r->list[m->read];
        if (g->op == OP_TEXT || g->op == OP_BINARY) {
            compare_message(w, m, g);
        } else if (g->op == OP_PONG) {
            uint32_t number = 0;
            assert_int_equal(g->len, 4);
            memcpy(&number, g->data, 4);
            assert_true(number > m->pong && number <= m->pings);
            m->pong = number;
        }
        free(g->data);
        g->data = NULL;
    }
    for (; m->heard < m->p->heards; m->heard++) {
        got *g = &m->p->heard[m->heard];
        assert_true(m->heard < m->saids);
        if (!same(w, &m->said[m->heard], g))
            fail_msg("seed %u: the hook got another message than peer %zu sent",
                     (unsigned)w->s->seed, m->p->number);
        free(g->data);
        g->data = NULL;
    }
}

/* Returns how many messages were neither received nor reported. With `sure`: those that the missed
 * hook would not report. */
static size_t still_there(const world *w, const reader_model *m, int sure)
{
    size_t n = 0;
    for (size_t i = m->at * (size_t)w->exact; i < m->n; i++) {
        const published *one = &m->list[i];
        n += !one->got && !one->missed &&
             !(sure && one->place != TOPICS && places[one->place].slow == WSPOOL_SLOW_BEHIND);
    }
    return n;
}

/* The missed hook was called. */
static void on_event(sim *s, const sim_event *event)
{
    world *w = s->test;
    int place = 0;
    size_t i = 0;
    if (event->what != SIM_MISSED)
        return;
    while (places[place].kind != (enum wspool_kind)event->number ||
           strcmp(places[place].name, event->text) != 0)
        place++;
    while (w->m[i].p != event->peer)
        i++;
    reader_model *m = &w->m[i];
    /* Nothing is kept. A message that does not fit into what is left of a queue may be reported
     * before the publishing call has returned. */
    assert_in_range(event->last - w->offset[place], 0, !w->exact);
    m->told_to[place] = event->last;
    if (w->exact && m->member & 1u << place) {
        assert_int_equal(m->due[place], event->count);
        m->due[place] = 0;
    }
    m->told |= 1u << place;
    for (i = 0; i < m->n; i++) {
        published *one = &m->list[i];
        if (one->place == place && one->offset >= event->count && one->offset <= event->last) {
            assert_true(!one->got && !one->missed);
            one->missed = 1;
        }
    }
}

static void ended(world *w, reader_model *m)
{
    m->open = 0;
    m->member = 0;
    if (!(m->why & 1u << m->p->closed.why))
        fail_msg("seed %u: peer %zu ended with \"%s\", which nothing gave reason for (%x)",
                 (unsigned)w->s->seed, m->p->number, wspool_end_text(m->p->closed.why), m->why);
    size_t lost = (size_t)m->p->closed.messages_lost, most = still_there(w, m, 0);
    if (lost > most || lost < (w->exact ? most : still_there(w, m, 1)))
        fail_msg("seed %u: peer %zu, \"%s\": %zu messages are missing, %zu were called lost",
                 (unsigned)w->s->seed, m->p->number, wspool_end_text(m->p->closed.why), most, lost);
    m->n = m->at = 0;
}

/* Returns 1 if the pool has read what ends the client. That depends on cuts and pauses. */
static int knows_already(world *w, reader_model *m)
{
    wspool_channel probe = wspool_topic("probe");
    int rc = SIM_IN(wspool_subscribe(w->s->pool, m->p->id, probe));
    if (rc == 0)
        rc = SIM_IN(wspool_unsubscribe(w->s->pool, m->p->id, probe));
    else
        assert_int_equal(rc, WSPOOL_ERR_STATE);
    return rc != 0;
}

/* A member that is behind is live again once its queue is a quarter full, and not before. */
static void compare_behind(const world *w, reader_model *m)
{
    for (int place = 0; place < TOPICS && w->exact; place++)
        assert_true((m->due[place] > 0) <= (m->n - m->at > w->limit / 4));
    if (w->exact && m->told)
        assert_true(m->n - m->at <= w->limit / 4);
    m->told = 0;
}

/* After each pump: updates the model with what the pool has read since. */
static void pump_and_compare(world *w)
{
    sim_pump(w->s);
    for (size_t i = 0; i < w->count; i++) {
        reader_model *m = &w->m[i];
        sim_peer *p = m->p;
        int was = m->n != 0 || m->why != 0 || m->open;
        if (!was)
            continue;
        compare(w, m);
        if (m->leaving && m->open && (p->released || knows_already(w, m))) {
            m->open = 0;
            m->member = 0;
        }
        if (p->ended && m->why != 0) {
            ended(w, m);
            m->why = 0;
        }
        if (m->open && !m->leaving)
            compare_behind(w, m);
    }
}

/* ----------------------------------------------------------------- steps */

static reader_model *draw(world *w)
{
    for (int i = 0; i < 40 && w->count > 0; i++) {
        reader_model *m = &w->m[sim_below(w->s, w->count)];
        if (m->open)
            return m;
    }
    return NULL;
}

static size_t live(const world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += w->m[i].open != 0;
    return n;
}

static void step_connect(world *w)
{
    int place = (int)sim_below(w->s, ROUTES);
    reader_model *m;
    sim_peer *p;
    if (live(w) >= LIVE_MAX)
        return;
    if (sim_below(w->s, 4) == 0) {
        client_request request = {.target = places[place].target};
        wspool_answer answer;
        assert_int_equal(sim_upgrade(w->s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
        assert_int_equal(sim_adopt(p, NULL, 0), 0);
    } else {
        p = sim_connect_to(w->s, places[place].target);
    }
    pump_and_compare(w);
    sim_expect_open(p);
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 32 : w->cap * 2;
        w->m = sim_realloc(w->m, w->cap * sizeof *w->m);
    }
    m = &w->m[w->count++];
    memset(m, 0, sizeof *m);
    m->p = p;
    m->open = 1;
    m->member = places[place].kind == WSPOOL_NONE ? 0 : 1u << place;
    m->why = 1u << WSPOOL_END_POOL_FREED;
}

static void step_subscribe(world *w)
{
    int place = (int)sim_below(w->s, TOPICS);
    reader_model *m = draw(w);
    int in;
    if (m == NULL)
        return;
    in = (m->member & 1u << place) != 0;
    if (sim_below(w->s, 3) > 0) {
        assert_int_equal(SIM_IN(wspool_subscribe(w->s->pool, m->p->id, channel(place))),
                         in ? WSPOOL_ERR_EXISTS : 0);
        m->member |= 1u << place;
    } else {
        assert_int_equal(SIM_IN(wspool_unsubscribe(w->s->pool, m->p->id, channel(place))),
                         in ? 0 : WSPOOL_ERR_ABSENT);
        m->member &= ~(1u << place);
        m->due[place] = m->told_to[place] = 0;
        for (size_t i = 0; i < m->n; i++)
            m->list[i].left |= m->list[i].place == place;
    }
}

static void foresee(world *w, reader_model *m, int place, published one, wspool_tally *tally)
{
    if (m->due[place] > 0) {
        tally->behind++;
    } else if (m->n - m->at < w->limit) {
        note(&m->list, &m->n, &m->cap, one);
        tally->queued++;
        tally->slow += (uint32_t)m->p->blocked;
    } else if (places[place].slow == WSPOOL_SLOW_BEHIND) {
        m->due[place] = one.offset;
        tally->behind++;
    } else {
        tally->closed++;
        m->open = 0;
        m->member = 0;
        m->why = 1u << WSPOOL_END_SLOW;
    }
}

static void step_broadcast(world *w)
{
    int place = (int)sim_below(w->s, TOPICS);
    published one = {.number = ++w->number, .size = draw_size(w), .place = place};
    wspool_tally tally = {.size = sizeof tally};
    wspool_tally want = {.size = sizeof want};
    reader_model *except = sim_below(w->s, 4) == 0 ? draw(w) : NULL;
    wspool_send_options options = {.size = sizeof options,
                                   .flags = is_binary(one.number) ? WSPOOL_BINARY : 0,
                                   .except = except == NULL ? 0 : except->p->id};
    size_t members = 0;
    uint32_t closed = 0;
    int rc = SIM_IN(wspool_broadcast(w->s->pool, channel(place), contents(w, one.number, one.size),
                                     one.size, &options, &tally));
    if (!w->exact && rc == WSPOOL_ERR_TOO_BIG)
        return;
    assert_int_equal(rc, (int)tally.queued);
    one.offset = w->offset[place] = tally.position.offset;
    for (size_t i = 0; i < w->count; i++) {
        reader_model *m = &w->m[i];
        if (!m->open || !(m->member & 1u << place) || m == except)
            continue;
        members++;
        if (w->exact) {
            foresee(w, m, place, one, &want);
        } else if (wspool_channels_of(w->s->pool, m->p->id, NULL, 0) == 0) {
            assert_int_equal(places[place].slow, WSPOOL_SLOW_CLOSE);
            closed++;
            m->open = 0;
            m->member = 0;
            m->why = 1u << WSPOOL_END_SLOW;
        } else {
            one.missed = m->told_to[place] == one.offset;
            note(&m->list, &m->n, &m->cap, one);
        }
    }
    if (w->exact) {
        if (want.queued != tally.queued || want.slow != tally.slow || want.closed != tally.closed ||
            want.behind != tally.behind)
            fail_msg("seed %u: tally queued %u slow %u closed %u behind %u; the model says "
                     "%u %u %u %u",
                     (unsigned)w->s->seed, tally.queued, tally.slow, tally.closed, tally.behind,
                     want.queued, want.slow, want.closed, want.behind);
    } else {
        assert_int_equal(tally.closed, closed);
        assert_int_equal(tally.queued + tally.closed + tally.behind, members);
    }
}

static void step_send(world *w)
{
    reader_model *m = draw(w);
    published one = {.number = ++w->number, .size = draw_size(w), .place = TOPICS};
    wspool_send_options options = {.size = sizeof options,
                                   .flags = is_binary(one.number) ? WSPOOL_BINARY : 0};
    int rc;
    if (m == NULL)
        return;
    uint32_t limit = w->limit;
    for (int place = 0; place < TOPICS; place++) {
        if (m->due[place] > 0) { /* it is behind */
            limit = w->limit + w->limit / 8 + 1;
        }
    }
    rc = SIM_IN(
        wspool_send(w->s->pool, m->p->id, contents(w, one.number, one.size), one.size, &options));
    if (w->exact)
        assert_int_equal(rc, m->n - m->at >= limit ? WSPOOL_ERR_FULL : 0);
    else
        assert_true(rc == 0 || rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_TOO_BIG);
    if (rc == 0)
        note(&m->list, &m->n, &m->cap, one);
}

static void client_ping(world *w, reader_model *m)
{
    m->pings++;
    sim_frame(m->p, FIN | OP_PING, &m->pings, 4);
    (void)w;
}

static void step_peer_says(world *w)
{
    reader_model *m = draw(w);
    published one = {.number = ++w->number,
                     .size = (uint32_t)sim_below(w->s, sim_below(w->s, 8) == 0 ? 65536 : 900)};
    unsigned op = is_binary(one.number) ? OP_BINARY : OP_TEXT;
    const uint8_t *bytes;
    uint32_t at = 0;
    if (m == NULL || m->leaving)
        return;
    bytes = contents(w, one.number, one.size);
    while (sim_below(w->s, 3) == 0 && at < one.size) {
        uint32_t part = (uint32_t)sim_below(w->s, one.size - at + 1);
        sim_frame(m->p, op, bytes + at, part);
        op = OP_CONT;
        at += part;
        if (sim_below(w->s, 2) == 0)
            client_ping(w, m);
    }
    sim_frame(m->p, FIN | op, bytes + at, one.size - at);
    note(&m->said, &m->saids, &m->said_cap, one);
}

static void step_transport(world *w)
{
    reader_model *m = draw(w);
    if (m == NULL)
        return;
    switch (sim_below(w->s, 4)) {
    case 0:
        sim_stall(m->p);
        break;
    case 1:
        m->p->room = (size_t)sim_below(w->s, 3000);
        break;
    default:
        sim_flow(m->p);
        break;
    }
}

static void step_host_closes(world *w)
{
    reader_model *m = draw(w);
    if (m == NULL)
        return;
    assert_int_equal(SIM_IN(wspool_close(w->s->pool, m->p->id, 4000, "the script",
                                         sim_below(w->s, 2) ? WSPOOL_CLOSE_NOW : 0)),
                     0);
    m->open = 0;
    m->member = 0;
    m->why = 1u << WSPOOL_END_HOST_CLOSED;
    assert_int_equal(SIM_IN(wspool_send(w->s->pool, m->p->id, "x", 1, NULL)), WSPOOL_ERR_STATE);
}

static void step_client_leaves(world *w)
{
    reader_model *m = draw(w);
    if (m == NULL || m->leaving)
        return;
    m->leaving = 1;
    switch (sim_below(w->s, 5)) {
    case 0:
        sim_say_close(m->p, 1000, "bye");
        m->why = 1u << WSPOOL_END_PEER_CLOSED;
        break;
    case 1:
        sim_cut(m->p, WSPOOL_GONE_EOF);
        m->why = 1u << WSPOOL_END_EOF;
        break;
    case 2:
        sim_cut(m->p, WSPOOL_GONE_FAILED);
        m->why = 1u << WSPOOL_END_FAILED;
        break;
    case 3:
        sim_frame(m->p, FIN | 3, "garbage", 7);
        m->why = 1u << WSPOOL_END_PROTOCOL;
        break;
    default:
        sim_frame(m->p, FIN | OP_TEXT, "bad \xff", 5);
        m->why = 1u << WSPOOL_END_BAD_UTF8;
        break;
    }
    if (m->late)
        m->why |= 1u << WSPOOL_END_FLUSH_TIMEOUT | 1u << WSPOOL_END_PONG_TIMEOUT;
    pump_and_compare(w);
}

static void step_time(world *w)
{
    uint64_t time = sim_below(w->s, 15 * SEC);
    pump_and_compare(w);
    for (size_t i = 0; i < w->count; i++) {
        reader_model *m = &w->m[i];
        if (m->open && m->p->room != SIZE_MAX) {
            m->late = 1; /* from now on the pool may take it for dead */
            m->why |= 1u << WSPOOL_END_FLUSH_TIMEOUT | 1u << WSPOOL_END_PONG_TIMEOUT;
        }
    }
    sim_pass(w->s, time);
    pump_and_compare(w);
    for (size_t i = 0; i < w->count; i++) {
        reader_model *m = &w->m[i];
        if (m->late && m->open && m->p->room == SIZE_MAX && !m->leaving) {
            m->late = 0; /* all output that it was stalled with is sent */
            m->why &= ~(1u << WSPOOL_END_FLUSH_TIMEOUT | 1u << WSPOOL_END_PONG_TIMEOUT);
        }
    }
}

/* At the end each open peer reads all that waits. */
static void finish(world *w)
{
    for (size_t i = 0; i < w->count; i++)
        sim_flow(w->m[i].p);
    w->s->async = 0;
    pump_and_compare(w);
    pump_and_compare(w);
    for (size_t i = 0; i < w->count; i++) {
        reader_model *m = &w->m[i];
        if (!m->open)
            continue;
        sim_expect_open(m->p);
        for (size_t k = 0; k < m->n; k++)
            assert_true(m->list[k].got || m->list[k].missed || (m->list[k].left && !w->exact));
        assert_int_equal(m->heard, m->saids);
        assert_int_equal(m->pong, m->pings);
        sim_say_close(m->p, 1000, NULL);
        m->leaving = 1;
        m->why = 1u << WSPOOL_END_PEER_CLOSED;
    }
    assert_int_equal(sim_stats(w->s).waiting, 0);
    pump_and_compare(w);
    sim_pass(w->s, 10 * SEC);
    pump_and_compare(w);
    assert_int_equal(sim_stats(w->s).peers, 0);
    for (size_t i = 0; i < w->count; i++) {
        assert_int_equal(w->m[i].why, 0);
        assert_int_equal(w->m[i].p->released, 1);
    }
}

static void run(uint64_t seed, int exact, int steps)
{
    world *w = sim_malloc(sizeof *w);
    sim *s = sim_new(seed);
    memset(w, 0, sizeof *w);
    w->s = s;
    w->exact = exact;
    w->limit = exact ? 1 + (uint32_t)(seed % 12) : 40;
    s->config.queue_messages = w->limit;
    s->config.queue_bytes = exact ? (1u << 30) - 1 : 100000;
    s->config.pool_bytes = UINT64_C(1) << 30;
    s->config.slow = WSPOOL_SLOW_BEHIND;
    s->config.abuse_burst = 0;
    s->chop = seed % 4 == 0 ? SIM_WHOLE : SIM_RANDOM;
    s->async = exact ? 0 : 15;
    s->says_away = seed % 2 != 0;
    s->keep_journal = 0;
    s->react = on_event;
    s->test = w;
    sim_start(s);
    for (int i = 0; i < 2; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.name = places[i].name;
        options.slow = places[i].slow;
        assert_int_equal(wspool_route(s->pool, places[i].target, places[i].kind, &options), 0);
    }
    for (int step = 0; step < steps; step++) {
        switch (sim_below(s, 24)) {
        case 0:
        case 1:
            step_connect(w);
            break;
        case 2:
        case 3:
            step_subscribe(w);
            break;
        case 4:
            step_send(w);
            break;
        case 5:
        case 6:
        case 7:
            step_peer_says(w);
            break;
        case 8:
        case 9:
            step_transport(w);
            break;
        case 10:
            if (sim_below(s, 3) == 0)
                step_host_closes(w);
            break;
        case 11:
            if (sim_below(s, 2) == 0)
                step_client_leaves(w);
            break;
        case 12:
            if (sim_below(s, 3) == 0)
                step_time(w);
            break;
        case 13:
        case 14:
        case 15:
        case 16:
            pump_and_compare(w);
            break;
        default:
            step_broadcast(w);
            break;
        }
    }
    finish(w);
    assert_true(steps < 4000 || sim_stats(s).missed > 100);
    for (size_t i = 0; i < w->count; i++) {
        free(w->m[i].list);
        free(w->m[i].said);
    }
    free(w->m);
    free(w);
    sim_free(s);
}

static int fewer(int n)
{
    return sim_slow() ? n / 5 : n;
}

TEST(readers_when_foreseen_exactly_get_what_the_model_says)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        run(seed, 1, fewer(4000));
}

TEST(readers_when_counted_got_or_were_told_of_everything)
{
    for (uint64_t seed = 101; seed <= 104; seed++)
        run(seed, 0, fewer(4000));
}

TEST(readers_when_of_fifty_seeds_get_what_the_model_says)
{
    for (uint64_t seed = 1000; seed < 1000 + (uint64_t)fewer(50); seed++)
        run(seed, (int)(seed % 2), 300);
}

BEFORE_ALL
{
    if (test_argc == 4) { /* SEED EXACT STEPS: one run, for a debugger */
        run(strtoull(test_argv[1], NULL, 10), atoi(test_argv[2]), atoi(test_argv[3]));
        exit(0);
    }
}
