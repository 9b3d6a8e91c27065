/* SPDX-License-Identifier: MIT */
/* sim/record.c - checks the counters of the pool, and what is expected of a peer. See sim/sim.h. */
#include "internal.h"

#include <inttypes.h>
#include <strings.h>

/* --------------------------------------------------------------- counters */

wspool_statistics sim_stats(const sim *s)
{
    wspool_statistics stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    assert_int_equal(wspool_stats(s->pool, &stats), 0);
    return stats;
}

#define SAME(what, a, b) \
    do { \
        uint64_t left_ = (a); \
        uint64_t right_ = (b); \
        if (left_ != right_) \
            fail_msg("books: %s: %" PRIu64 " and %" PRIu64, what, left_, right_); \
    } while (0)

void sim_books(sim *s)
{
    wspool_statistics st = sim_stats(s);
    uint64_t refused = 0;
    uint64_t ended = 0;
    uint64_t stages = 0;
    uint64_t late;
    int rc = wspool_check(s->pool);
    if (rc != 0)
        fail_msg("wspool_check answers %d", rc);
    for (size_t i = 0; i < WSPOOL_STATS_REFUSALS; i++)
        refused += st.refused[i];
    for (size_t i = 0; i < WSPOOL_STATS_ENDS; i++)
        ended += st.ended[i];
    for (size_t i = 0; i < WSPOOL_STATS_STAGES; i++)
        stages += st.stages[i].refused;
    /* some were accepted, but their 101 was never written */
    late = st.stages[WSPOOL_STAGE_FLUSHED].refused;
    SAME("attempts = accepted + refused + plain + handshakes", st.attempts,
         st.accepted + refused + st.plain + st.handshakes);
    SAME("accepted = peers + ended", st.accepted, st.peers + ended);
    SAME("deliveries = queued + slow_closes", st.deliveries,
         st.queued + st.slow_closes);
    SAME("queued = sent + dropped_closed + waiting", st.queued,
         st.sent + st.dropped_closed + st.waiting);
    if (refused > stages || refused < stages - late)
        fail_msg("books: refused by stage and by reason");
    /* The same numbers, counted from outside. */
    SAME("attempts seen", st.attempts, s->attempts);
    SAME("accepted seen", st.accepted, s->opened);
    for (size_t i = 0; i < WSPOOL_END_COUNT; i++)
        SAME(wspool_end_text((enum wspool_end)i), st.ended[i], s->ended[i]);
    SAME("received seen", st.received, s->messages);
    SAME("bytes fed", st.received_bytes, s->fed);
    SAME("bytes acked", st.sent_bytes, s->acked);
    SAME("channels seen", st.channels, (uint64_t)s->active);
    SAME("peers listed", st.peers, (uint64_t)wspool_peers(s->pool, NULL, 0));
    SAME("channels listed", st.channels, (uint64_t)wspool_channels(s->pool, NULL, 0));
}

/* ----------------------------------------------------------- expectations */

const sim_event *sim_event_of(const sim *s, enum sim_what what, size_t n)
{
    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].what == what && n-- == 0)
            return &s->events[i];
    return NULL;
}

size_t sim_logged(const sim *s, const char *event)
{
    size_t n = 0;
    for (size_t i = 0; i < s->event_count; i++)
        n += s->events[i].what == SIM_LOG && strcmp(s->events[i].text, event) == 0;
    return n;
}

void sim_expect_end(const sim_peer *p, enum wspool_end why)
{
    if (!p->ended)
        fail_msg("peer %zu has not ended; expected: %s", p->number, wspool_end_text(why));
    if (p->closed.why != why)
        fail_msg("peer %zu: expected \"%s\", the hook said \"%s\"", p->number, wspool_end_text(why),
                 wspool_end_text(p->closed.why));
    assert_int_equal(p->released, 1);
}

void sim_expect_close(const sim_peer *p, enum wspool_end why, int code)
{
    sim_expect_end(p, why);
    assert_int_equal(p->reader.close_code, code);
    assert_int_equal(p->closed.code_sent, code);
}

void sim_expect_open(const sim_peer *p)
{
    char room[64];
    assert_non_null(p);
    if (!p->opened || p->ended || p->released)
        fail_msg("peer %zu is not open: status %d %s", p->number, p->reader.status,
                 p->ended ? wspool_end_text(p->closed.why)
                          : (p->reader.body.data != NULL ? (char *)p->reader.body.data : ""));
    if (p->reader.head.data == NULL)
        return; /* hosted */
    assert_int_equal(p->reader.status, 101);
    assert_string_equal(reader_header(&p->reader, "Sec-WebSocket-Accept", room, sizeof room),
                        CLIENT_ACCEPT);
    assert_int_equal(
        strcasecmp(reader_header(&p->reader, "Upgrade", room, sizeof room), "websocket"), 0);
    assert_int_equal(
        strcasecmp(reader_header(&p->reader, "Connection", room, sizeof room), "upgrade"), 0);
    if (p->reader.unfold == NULL)
        assert_null(reader_header(&p->reader, "Sec-WebSocket-Extensions", room, sizeof room));
}

void sim_expect_message(const sim_peer *p, size_t n, const char *text)
{
    const got *g = reader_message(&p->reader, n);
    if (g == NULL)
        fail_msg("peer %zu got %zu messages; expected \"%s\" as number %zu", p->number,
                 p->reader.messages, text, n);
    if (!got_is(g, text, strlen(text)))
        fail_msg("peer %zu, message %zu: expected \"%s\", got \"%.*s\"", p->number, n, text,
                 (int)(g->len < 60 ? g->len : 60), (const char *)g->data);
}

sim_identity *sim_identity_new(sim *s)
{
    sim_identity *identity = sim_malloc(sizeof *identity);
    identity->freed = 0;
    s->identities = sim_realloc(s->identities, (s->identity_count + 1) * sizeof(sim_identity *));
    s->identities[s->identity_count++] = identity;
    return identity;
}

int sim_broadcast(sim *s, wspool_channel channel, const char *text)
{
    return SIM_IN(wspool_broadcast(s->pool, channel, text, strlen(text), NULL, NULL));
}

int sim_send(sim_peer *p, const char *text)
{
    return SIM_IN(wspool_send(p->sim->pool, p->id, text, strlen(text), NULL));
}
