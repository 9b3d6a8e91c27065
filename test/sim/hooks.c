/* SPDX-License-Identifier: MIT */
/*
 * sim/hooks.c - the hooks of a sim: each call is recorded, and its arguments are checked against
 * the contract. See sim/sim.h.
 */
#include "internal.h"

#include <inttypes.h>

#define EVENTS_MAX 4000000u

static const char *const what_words[SIM_WHATS] = {
    "opened",  "message", "closed", "expiring", "renewed", "missed", "pressure",
    "channel", "log",     "token",  "capacity", "verdict", "freed"};

sim_peer *sim_peer_of(sim *s, wspool_id id)
{
    sim_peer *p = wspool_user(s->pool, id);
    if (p == NULL)
        return NULL;
    if (p->id == 0)
        p->id = id; /* wspool_upgrade has not returned yet */
    assert_true(p->id == id);
    return p;
}

/* A copy: a reaction may cause events, which move the list. */
static void event_done(sim *s, const sim_event *filled)
{
    sim_event event = *filled;
    if (s->event_count == EVENTS_MAX)
        fail_msg("%u hooks were called: something goes round", EVENTS_MAX);
    if (s->event_count == s->event_cap) {
        s->event_cap = s->event_cap == 0 ? 64 : s->event_cap * 2;
        s->events = sim_realloc(s->events, s->event_cap * sizeof *s->events);
    }
    s->events[s->event_count] = event;
    s->events[s->event_count++].data = NULL;
    s->counts[event.what]++;
    if (s->keep_journal)
        blob_print(&s->journal, "%" PRIu64 " %s %" PRIx64 " %ld %" PRIu64 " %zu %s %s\n", event.now,
                   what_words[event.what], event.id, event.number, event.count, event.len,
                   event.text, event.reason);
    if (s->react != NULL) {
        /* Whatever the reaction does, the hook's pointers stay valid until it returns. */
        uint8_t *copy = sim_malloc(event.len);
        if (event.data != NULL && event.len > 0)
            memcpy(copy, event.data, event.len);
        s->react(s, &event);
        if (event.data != NULL && event.len > 0)
            assert_memory_equal(copy, event.data, event.len);
        free(copy);
    }
}

static sim_event event_of(sim *s, enum sim_what what, wspool_id id)
{
    sim_event event;
    memset(&event, 0, sizeof event);
    event.what = what;
    event.id = id;
    event.peer = id == 0 ? NULL : sim_peer_of(s, id);
    event.now = s->now;
    return event;
}

static void copy_text(char *room, size_t size, const void *text, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;
    if (n > 0)
        memcpy(room, text, n);
    room[n] = '\0';
}

/* Each hook runs outside: its allocations belong to the test. */
#define HOOK_BEGIN \
    int inside = sim_inside; \
    sim *s = user; \
    sim_hooked++; \
    sim_inside = 0
#define HOOK_END \
    sim_hooked--; \
    sim_inside = inside

static uint64_t hook_wall_clock(void *user)
{
    const sim *s = user;
    return SIM_EPOCH + s->now / MS;
}

static int hook_entropy(void *bytes, size_t len, void *user)
{
    sim *s = user;
    uint8_t *to = bytes;
    uint64_t state = s->entropy;
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)sim_mix(&state);
    return 0;
}

static void hook_token(wspool *pool, wspool_id id, const wspool_request *request,
                       wspool_verdict *out, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_TOKEN, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(request);
    assert_ptr_equal(request->user, event.peer);
    assert_int_equal(out->kind, WSPOOL_REFUSE); /* all zero when the hook is called: a refusal */
    assert_int_equal(out->refusal, 0);
    assert_null(out->identity);
    copy_text(event.text, sizeof event.text, request->channel.data, request->channel.len);
    copy_text(event.reason, sizeof event.reason, request->token.data, request->token.len);
    copy_text(event.address, sizeof event.address, request->address.data, request->address.len);
    event.len = request->token.len;
    event.data = request->token.data;
    out->kind = s->verdict.kind;
    out->refusal = s->verdict.refusal;
    out->identity = s->verdict.identity;
    out->subject = s->verdict.subject;
    out->client = s->verdict.client;
    out->expires = s->verdict.expires;
    out->issued = s->verdict.issued;
    if (s->grant && s->verdict.kind == WSPOOL_ACCEPT)
        out->identity = sim_identity_new(s);
    event_done(s, &event);
    HOOK_END;
}

static int hook_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_CAPACITY, id);
    assert_ptr_equal(pool, s->pool);
    event.number = request != NULL;
    event_done(s, &event);
    HOOK_END;
    return s->full;
}

static void hook_verdict(wspool *pool, wspool_id id, const wspool_answer *answer, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_VERDICT, id);
    assert_ptr_equal(pool, s->pool);
    event.number = answer->status;
    copy_text(event.text, sizeof event.text, answer->body, answer->body_len);
    event_done(s, &event);
    HOOK_END;
}

/* What the open hook gets is what the calls return. */
static void expect_named(sim *s, wspool_id id, const wspool_opened *opened)
{
    wspool_text subject, client;
    assert_int_equal(wspool_subject(s->pool, id, &subject), 0);
    assert_int_equal(wspool_client(s->pool, id, &client), 0);
    assert_int_equal(opened->subject.len, subject.len);
    assert_memory_equal(opened->subject.data, subject.data, subject.len);
    assert_int_equal(opened->client.len, client.len);
    assert_memory_equal(opened->client.data, client.data, client.len);
}

static void hook_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_OPENED, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(event.peer);
    assert_int_equal(event.peer->opened, 0);
    expect_named(s, id, opened);
    event.peer->opened = 1;
    event.peer->opened_at = s->now;
    s->opened++;
    copy_text(event.text, sizeof event.text, opened->channel.data, opened->channel.len);
    copy_text(event.reason, sizeof event.reason, opened->subprotocol.data, opened->subprotocol.len);
    copy_text(event.query, sizeof event.query, opened->query.data, opened->query.len);
    copy_text(event.negotiated, sizeof event.negotiated, opened->extension.data,
              opened->extension.len);
    copy_text(event.address, sizeof event.address, opened->address.data, opened->address.len);
    event.len = opened->channel.len;
    event.data = opened->channel.data;
    event_done(s, &event);
    HOOK_END;
}

static void hook_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_MESSAGE, id);
    sim_peer *p = event.peer;
    assert_ptr_equal(pool, s->pool);
    assert_non_null(p);
    assert_int_equal(p->opened, 1);
    assert_int_equal(p->ended, 0);
    if (!message->binary && !client_utf8(message->data, message->len))
        fail_msg("text that is not UTF-8 came to the message hook");
    if (s->keep_heard) {
        if (p->heards == p->heard_cap) {
            p->heard_cap = p->heard_cap == 0 ? 8 : p->heard_cap * 2;
            p->heard = sim_realloc(p->heard, p->heard_cap * sizeof *p->heard);
        }
        p->heard[p->heards].op = message->binary ? OP_BINARY : OP_TEXT;
        p->heard[p->heards].len = message->len;
        p->heard[p->heards].data = sim_malloc(message->len);
        if (message->len > 0)
            memcpy(p->heard[p->heards].data, message->data, message->len);
        p->heards++;
    }
    s->messages++;
    event.number = message->binary;
    event.len = message->len;
    event.data = message->data;
    event.count = sim_hash(1, message->data, message->len);
    copy_text(event.text, 40, message->data, message->len);
    event_done(s, &event);
    HOOK_END;
}

static void hook_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_CLOSED, id);
    sim_peer *p = event.peer;
    assert_ptr_equal(pool, s->pool);
    assert_non_null(p);
    assert_int_equal(p->opened, 1);
    assert_int_equal(p->ended, 0);
    assert_in_range(closed->why, 0, WSPOOL_END_COUNT - 1);
    assert_int_equal(wspool_channels_of(pool, id, NULL, 0), 0);
    p->ended = 1;
    p->ended_at = s->now;
    p->closed = *closed;
    s->ended[closed->why]++;
    event.number = (long)closed->why;
    event.count = closed->messages_lost;
    snprintf(event.text, sizeof event.text, "%d %d %" PRIu64, closed->code_sent,
             closed->code_received, closed->open_for);
    event_done(s, &event);
    HOOK_END;
}

static void hook_expiring(wspool *pool, wspool_id id, const wspool_expiring *expiring, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_EXPIRING, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(event.peer);
    event.count = expiring->expires;
    event.last = expiring->left;
    event_done(s, &event);
    HOOK_END;
}

static void hook_renewed(wspool *pool, wspool_id id, const wspool_renewed *renewed, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_RENEWED, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(event.peer);
    event.number = renewed->accepted ? -1 : (long)renewed->refusal;
    event.count = renewed->expires;
    event_done(s, &event);
    HOOK_END;
}

static void hook_missed(wspool *pool, wspool_id id, const wspool_missed *missed, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_MISSED, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(event.peer);
    assert_true(missed->from > 0 && missed->from <= missed->to);
    event.number = (long)missed->channel.kind;
    copy_text(event.reason, sizeof event.reason, "reset", missed->reset ? 5 : 0);
    copy_text(event.text, sizeof event.text, missed->channel.name, missed->channel.len);
    event.count = missed->from;
    event.last = missed->to;
    event.peer->missed += missed->to - missed->from + 1;
    event_done(s, &event);
    HOOK_END;
}

static void hook_pressure(wspool *pool, wspool_id id, int above, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_PRESSURE, id);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(event.peer);
    assert_int_equal(event.peer->ended, 0);
    assert_int_equal(above, !event.peer->above);
    event.peer->above = above;
    event.number = above;
    event_done(s, &event);
    HOOK_END;
}

static void hook_channel(wspool *pool, wspool_channel channel, int active, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_CHANNEL, 0);
    assert_ptr_equal(pool, s->pool);
    s->active += active ? 1 : -1;
    assert_true(s->active >= 0);
    event.number = active;
    event.count = channel.kind;
    event.len = channel.len;
    event.data = channel.name;
    copy_text(event.text, sizeof event.text, channel.name, channel.len);
    event_done(s, &event);
    HOOK_END;
}

static void hook_identity_free(void *identity, void *user)
{
    HOOK_BEGIN;
    sim_event event = event_of(s, SIM_IDENTITY_FREED, 0);
    sim_identity *known = identity;
    assert_non_null(identity);
    known->freed++;
    assert_int_equal(known->freed, 1);
    event_done(s, &event);
    HOOK_END;
}

static void hook_wake(void *user)
{
    sim *s = user;
    atomic_fetch_add(&s->wakes, 1);
}

static void hook_log(wspool *pool, const wspool_log_record *record, void *user)
{
    HOOK_BEGIN;
    static const char *const words[] = {"opened", "closed", "refused", "slow",
                                        "shed",   "drain",  "abuse",   "renewed"};
    sim_event event;
    int known = 0;
    memset(&event, 0, sizeof event);
    assert_ptr_equal(pool, s->pool);
    assert_non_null(record->event);
    assert_non_null(record->reason);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        known |= strcmp(words[i], record->event) == 0;
    if (!known)
        fail_msg("a log event that is not in the header: %s", record->event);
    assert_in_range(record->level, WSPOOL_LOG_DEBUG, WSPOOL_LOG_ERROR);
    event.what = SIM_LOG;
    event.id = record->id;
    event.now = record->now;
    event.number = record->status;
    event.count = record->stage;
    copy_text(event.text, sizeof event.text, record->event, strlen(record->event));
    copy_text(event.reason, sizeof event.reason, record->reason, strlen(record->reason));
    event_done(s, &event);
    HOOK_END;
}

void sim_hooks(sim *s)
{
    wspool_config *c = &s->config;
    c->entropy = (wspool_entropy_hook){hook_entropy, s};
    c->wall_clock = (wspool_wall_clock_hook){hook_wall_clock, s};
    c->verdict = (wspool_verdict_hook){hook_verdict, s};
    c->open = (wspool_open_hook){hook_open, s};
    c->message = (wspool_message_hook){hook_message, s};
    c->close = (wspool_close_hook){hook_close, s};
    c->expiring = (wspool_expiring_hook){hook_expiring, s};
    c->renewed = (wspool_renewed_hook){hook_renewed, s};
    c->missed = (wspool_missed_hook){hook_missed, s};
    c->pressure = (wspool_pressure_hook){hook_pressure, s};
    c->channel = (wspool_channel_hook){hook_channel, s};
    c->identity_free = (wspool_identity_free_hook){hook_identity_free, s};
    c->wake = (wspool_wake_hook){hook_wake, s};
    c->log = (wspool_log_hook){hook_log, s};
}

void sim_hooks_that_decide(sim *s)
{
    if (s->ask_token)
        s->config.token = (wspool_token_hook){hook_token, s};
    if (s->ask_capacity)
        s->config.capacity = (wspool_capacity_hook){hook_capacity, s};
}
