/* SPDX-License-Identifier: MIT */
/*
 * sim/test_handlers.c - handlers that are attached side by side: the order of their calls, what
 * each may decide, and how several verdicts are combined.
 *
 * Proves a part of law 9 (all must accept), and that each identity is freed exactly once.
 */
#include "sim.h"

/* One set of handlers. Its calls are appended to a shared journal: "a.open b.open app.open ". */
struct party {
    struct scene *scene;
    const char *name;
    enum wspool_verdict_kind kind;
    int grants;  /* grants an identity, when it accepts */
    int is_full; /* what its capacity handler returns */
    int takes;   /* what its message handler returns */
    int closes;  /* its message handler closes the peer first */
    uint64_t next;
    int ticks;
    wspool_handlers handlers;
};

struct scene {
    sim *s;
    struct party a, b;
    char journal[4096];
    size_t len;
};

static void note(struct scene *scene, const char *name, const char *what)
{
    scene->len += (size_t)snprintf(scene->journal + scene->len, sizeof scene->journal - scene->len,
                                   "%s.%s ", name, what);
    assert_true(scene->len < sizeof scene->journal);
}

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    assert_int_equal(request->token.len, 1);
    assert_int_equal(out->kind, WSPOOL_REFUSE); /* each handler sees a fresh verdict */
    assert_null(out->identity);
    note(party->scene, party->name, "token");
    out->kind = party->kind;
    out->refusal = WSPOOL_REFUSED_TOKEN_EXPIRED;
    if (party->grants && party->kind == WSPOOL_ACCEPT)
        out->identity = sim_identity_new(party->scene->s);
}

static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    (void)request;
    note(party->scene, party->name, "capacity");
    return party->is_full;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    (void)opened;
    note(party->scene, party->name, "open");
}

static int on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct party *party = user;
    assert_memory_equal(message->data, "hi", message->len);
    note(party->scene, party->name, "message");
    if (party->closes)
        assert_int_equal(wspool_close(pool, id, 1000, NULL, 0), 0);
    if (party->takes || party->closes)
        party->scene->s->messages++; /* received, although the application doesn't see it */
    return party->takes;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    (void)closed;
    note(party->scene, party->name, "close");
}

static void on_missed(wspool *pool, wspool_id id, const wspool_missed *missed, void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    assert_true(missed->from <= missed->to);
    note(party->scene, party->name, "missed");
}

static void on_pressure(wspool *pool, wspool_id id, int above, void *user)
{
    struct party *party = user;
    (void)pool;
    (void)id;
    note(party->scene, party->name, above ? "above" : "below");
}

static void on_channel(wspool *pool, wspool_channel channel, int active, void *user)
{
    struct party *party = user;
    (void)pool;
    assert_memory_equal(channel.name, "x", channel.len);
    note(party->scene, party->name, active ? "active" : "inactive");
}

static uint64_t on_tick(wspool *pool, uint64_t now, void *user)
{
    struct party *party = user;
    wspool_handlers more = {.size = sizeof more};
    assert_true(now == party->scene->s->now);
    assert_int_equal(wspool_attach(pool, &more), WSPOOL_ERR_REENTRANT);
    party->ticks++;
    return party->next;
}

static void on_log(wspool *pool, const wspool_log_record *record, void *user)
{
    struct party *party = user;
    (void)pool;
    note(party->scene, party->name, record->event);
}

/* The hooks of the application come last. */
static void react(sim *s, const sim_event *event)
{
    static const char *const words[SIM_WHATS] = {
        [SIM_OPENED] = "open",   [SIM_MESSAGE] = "message",   [SIM_CLOSED] = "close",
        [SIM_MISSED] = "missed", [SIM_CAPACITY] = "capacity", [SIM_TOKEN] = "token",
    };
    const char *word = words[event->what];
    if (event->what == SIM_CHANNEL)
        word = event->number ? "active" : "inactive";
    else if (event->what == SIM_PRESSURE)
        word = event->number ? "above" : "below";
    else if (event->what == SIM_LOG)
        word = event->text;
    if (word != NULL)
        note(s->test, "app", word);
}

static struct party party_of(struct scene *scene, const char *name)
{
    return (struct party){.scene = scene,
                          .name = name,
                          .kind = WSPOOL_ACCEPT,
                          .next = UINT64_MAX,
                          .handlers = {.size = sizeof(wspool_handlers)}};
}

/* Makes a pool with the application's token and capacity hooks, and no handlers attached. */
static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->s = sim_new(1);
    scene->s->ask_token = 1;
    scene->s->ask_capacity = 1;
    scene->s->verdict.kind = WSPOOL_ACCEPT;
    scene->s->verdict.refusal = WSPOOL_REFUSED_TOKEN_INVALID;
    scene->s->react = react;
    scene->s->test = scene;
    scene->a = party_of(scene, "a");
    scene->b = party_of(scene, "b");
    sim_start(scene->s);
}

static void attach(struct scene *scene, struct party *party)
{
    party->handlers.user = party;
    assert_int_equal(SIM_IN(wspool_attach(scene->s->pool, &party->handlers)), 0);
    memset(&party->handlers, 0xee, sizeof party->handlers); /* the pool has copied it */
}

static void attach_both(struct scene *scene)
{
    attach(scene, &scene->a);
    attach(scene, &scene->b);
}

static void both(struct scene *scene, wspool_handlers handlers)
{
    handlers.size = sizeof handlers;
    scene->a.handlers = scene->b.handlers = handlers;
    attach_both(scene);
}

/* Expects the journal since the last call. */
static void expect(struct scene *scene, const char *journal)
{
    assert_string_equal(scene->journal, journal);
    scene->len = 0;
    scene->journal[0] = '\0';
}

static const client_request with_token = {.target = "/room/x",
                                          .extra = "Authorization: Bearer t\r\n"};

static sim_peer *come(struct scene *scene)
{
    sim_peer *p = sim_connect(scene->s, &with_token);
    sim_pump(scene->s);
    return p;
}

/* --------------------------------------------------------------- attaching */

TEST(attaching_when_it_cannot_be_says_why)
{
    struct scene scene;
    wspool_handlers handlers = {.size = sizeof handlers};
    wspool_handlers old = {.size = offsetof(wspool_handlers, token)};
    struct {
        wspool_handlers known;
        void (*more)(void);
    } newer = {.known = {.size = sizeof newer}};
    begin(&scene);
    wspool *pool = scene.s->pool;
    assert_int_equal(wspool_attach(NULL, &handlers), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_attach(pool, NULL), WSPOOL_ERR_INVAL);
    handlers.size = 0;
    assert_int_equal(wspool_attach(pool, &handlers), WSPOOL_ERR_INVAL);
    handlers.size = sizeof handlers;
    for (int i = 0; i < 3; i++) {
        handlers.subprotocol = (const char *[]){"", "two words", "bearer.x"}[i];
        assert_int_equal(wspool_attach(pool, &handlers), WSPOOL_ERR_INVAL);
    }
    handlers.subprotocol = NULL;
    assert_int_equal(wspool_attach(pool, &old), 0);
    assert_int_equal(wspool_attach(pool, &newer.known), 0);
    newer.more = (void (*)(void))abort;
    assert_int_equal(wspool_attach(pool, &newer.known), WSPOOL_ERR_INVAL);
    sim_peer *p = come(&scene);
    assert_int_equal(wspool_attach(pool, &handlers), WSPOOL_ERR_STATE);
    sim_say_close(p, 1000, NULL);
    sim_pump(scene.s);
    assert_int_equal(p->released, 1);
    assert_int_equal(wspool_attach(pool, &handlers), 0); /* the handlers are detached */
    assert_null(wspool_config_of(NULL));
    assert_ptr_equal(wspool_config_of(pool)->open.call, scene.s->config.open.call);
    sim_free(scene.s);
}

TEST(subprotocol_of_a_handler_is_offered_behind_the_pools)
{
    static const char *const own[] = {"own", NULL};
    struct scene scene;
    for (int pool_has = 0; pool_has < 2; pool_has++) {
        client_request request = with_token;
        char name[] = "json";
        memset(&scene, 0, sizeof scene);
        scene.s = sim_new(1);
        scene.s->config.subprotocols = pool_has ? own : NULL;
        sim_start(scene.s);
        scene.a = party_of(&scene, "a");
        scene.b = party_of(&scene, "b");
        scene.a.handlers.subprotocol = name;
        scene.b.handlers.subprotocol = "mqtt";
        attach_both(&scene);
        name[0] = 'X'; /* the pool has copied it */
        const char *const *names = wspool_config_of(scene.s->pool)->subprotocols;
        assert_string_equal(names[pool_has], "json");
        assert_string_equal(names[pool_has + 1], "mqtt");
        assert_null(names[pool_has + 2]);
        request.protocol = "mqtt, json";
        sim_connect(scene.s, &request);
        sim_pump(scene.s);
        assert_string_equal(sim_event_of(scene.s, SIM_OPENED, 0)->reason, "mqtt");
        request.protocol = "own, json";
        sim_connect(scene.s, &request);
        sim_pump(scene.s);
        assert_string_equal(sim_event_of(scene.s, SIM_OPENED, 1)->reason,
                            pool_has ? "own" : "json");
        sim_free(scene.s);
    }
}

TEST(attaching_when_there_is_no_memory_changes_nothing)
{
    struct scene scene;
    begin(&scene);
    wspool_handlers handlers = {.size = sizeof handlers, .subprotocol = "json", .token = on_token};
    for (size_t n = 1; n <= 2; n++) {
        scene.s->heap.fail_at = scene.s->heap.calls + n;
        assert_int_equal(SIM_IN(wspool_attach(scene.s->pool, &handlers)), WSPOOL_ERR_NOMEM);
        assert_null(wspool_config_of(scene.s->pool)->subprotocols);
    }
    sim_expect_open(come(&scene)); /* no handlers are attached: `user` is NULL */
    sim_free(scene.s);
}

/* ------------------------------------------------------------------- order */

TEST(handlers_are_called_in_the_order_of_attaching_and_the_hook_last)
{
    struct scene scene;
    begin(&scene);
    both(&scene, (wspool_handlers){.token = on_token,
                                   .capacity = on_capacity,
                                   .open = on_open,
                                   .message = on_message,
                                   .close = on_close,
                                   .channel = on_channel,
                                   .log = on_log});
    sim_peer *p = come(&scene);
    expect(&scene, "a.token b.token app.token a.capacity b.capacity app.capacity "
                   "a.active b.active app.active a.opened b.opened app.opened "
                   "a.open b.open app.open ");
    sim_text(p, "hi");
    sim_pump(scene.s);
    expect(&scene, "a.message b.message app.message ");
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(scene.s);
    expect(&scene, "a.inactive b.inactive app.inactive a.closed b.closed app.closed "
                   "a.close b.close app.close ");
    sim_free(scene.s);
}

TEST(slow_peer_is_told_of_to_all)
{
    struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.s = sim_new(1);
    scene.s->config.slow = WSPOOL_SLOW_BEHIND;
    scene.s->config.queue_messages = 4;
    scene.s->react = react;
    scene.s->test = &scene;
    scene.a = party_of(&scene, "a");
    scene.b = party_of(&scene, "b");
    sim_start(scene.s);
    both(&scene, (wspool_handlers){.missed = on_missed, .pressure = on_pressure});
    sim_peer *p = come(&scene);
    sim_stall(p);
    scene.len = 0;
    for (int i = 0; i < 3; i++)
        sim_broadcast(scene.s, wspool_item("x"), "m");
    expect(&scene, "a.above b.above app.above ");
    for (int i = 0; i < 2; i++)
        sim_broadcast(scene.s, wspool_item("x"), "m");
    expect(&scene, "app.slow ");
    sim_flow(p);
    sim_pump(scene.s);
    expect(&scene, "a.below b.below app.below a.missed b.missed app.missed ");
    sim_free(scene.s);
}

TEST(message_when_taken_is_seen_by_nobody_else)
{
    struct scene scene;
    begin(&scene);
    both(&scene, (wspool_handlers){.message = on_message});
    sim_peer *p = come(&scene);
    scene.len = 0;
    scene.b.takes = 1;
    sim_text(p, "hi");
    sim_pump(scene.s);
    expect(&scene, "a.message b.message ");
    scene.a.takes = 1;
    sim_text(p, "hi");
    sim_pump(scene.s);
    expect(&scene, "a.message ");
    assert_int_equal(p->heards, 0);
    scene.a.takes = 0;
    scene.a.closes = 1; /* and returns that the message is not its own */
    sim_text(p, "hi");
    sim_pump(scene.s);
    assert_memory_equal(scene.journal, "a.message ", 10);
    assert_null(strstr(scene.journal, "b.message"));
    assert_int_equal(p->heards, 0);
    sim_free(scene.s);
}

/* ---------------------------------------------------------------- verdicts */

TEST(peer_comes_in_when_all_accept_and_only_then)
{
    for (int mask = 0; mask < 8; mask++) { /* bit: which one refuses */
        struct scene scene;
        begin(&scene);
        scene.a.kind = mask & 1 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
        scene.b.kind = mask & 2 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
        scene.s->verdict.kind = mask & 4 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
        scene.a.grants = scene.b.grants = scene.s->grant = 1;
        both(&scene, (wspool_handlers){.token = on_token});
        sim_peer *p = come(&scene);
        if (mask == 0) {
            sim_expect_open(p);
            expect(&scene, "a.token b.token app.token app.capacity app.active app.opened "
                           "app.open ");
            assert_int_equal(scene.s->identity_count, 3);
            assert_ptr_equal(wspool_identity(scene.s->pool, p->id), scene.s->identities[0]);
            assert_int_equal(scene.s->identities[0]->freed, 0);
            assert_int_equal(scene.s->identities[1]->freed, 1);
            assert_int_equal(scene.s->identities[2]->freed, 1);
        } else {
            sim_expect_refusal(p, 401, mask & 3 ? "expired" : "invalid");
            expect(&scene, mask & 1   ? "a.token app.refused "
                           : mask & 2 ? "a.token b.token app.refused "
                                      : "a.token b.token app.token app.refused ");
        }
        sim_free(scene.s); /* each identity was freed once */
    }
}

TEST(peer_is_refused_when_one_says_that_there_is_no_capacity)
{
    for (int who = 0; who < 3; who++) {
        struct scene scene;
        begin(&scene);
        scene.a.is_full = who == 0;
        scene.b.is_full = who == 1;
        scene.s->full = who == 2;
        both(&scene, (wspool_handlers){.capacity = on_capacity});
        sim_peer *p = come(&scene);
        sim_expect_refusal(p, 503, "capacity");
        expect(&scene, who == 0   ? "app.token a.capacity app.refused "
                       : who == 1 ? "app.token a.capacity b.capacity app.refused "
                                  : "app.token a.capacity b.capacity app.capacity app.refused ");
        sim_free(scene.s);
    }
}

static sim_identity *complete(struct scene *scene, sim_peer *p, enum wspool_verdict_kind kind)
{
    sim_identity *identity = kind == WSPOOL_ACCEPT ? sim_identity_new(scene->s) : NULL;
    wspool_verdict verdict = {.size = sizeof verdict,
                              .kind = kind,
                              .refusal = WSPOOL_REFUSED_NOT_ALLOWED,
                              .identity = identity};
    assert_int_equal(SIM_IN(wspool_auth_complete(scene->s->pool, p->id, &verdict)), 0);
    sim_pump(scene->s);
    return identity;
}

TEST(peer_when_several_verdicts_are_pending_awaits_each)
{
    for (int refused_at = 0; refused_at < 3; refused_at++) { /* 2: none refuses */
        struct scene scene;
        begin(&scene);
        scene.a.kind = WSPOOL_PENDING;
        scene.b.kind = WSPOOL_ACCEPT;
        scene.b.grants = 1;
        scene.s->verdict.kind = WSPOOL_PENDING;
        both(&scene, (wspool_handlers){.token = on_token});
        sim_peer *p = come(&scene);
        for (int i = 0; i < 2; i++) {
            expect(&scene, i == 0 ? "a.token b.token app.token " : "");
            assert_int_equal(p->reader.total, 0);
            assert_int_equal(p->opened, 0);
            sim_identity *surplus =
                complete(&scene, p, i == refused_at ? WSPOOL_REFUSE : WSPOOL_ACCEPT);
            if (i == refused_at)
                break;
            assert_int_equal(surplus->freed, 1); /* that of b came first */
        }
        if (refused_at < 2) {
            sim_expect_refusal(p, 403, "not_allowed");
        } else {
            sim_expect_open(p);
            assert_ptr_equal(wspool_identity(scene.s->pool, p->id), scene.s->identities[0]);
        }
        sim_free(scene.s);
    }
}

TEST(verdicts_when_one_is_late_are_503)
{
    struct scene scene;
    begin(&scene);
    scene.a.kind = scene.b.kind = WSPOOL_PENDING;
    both(&scene, (wspool_handlers){.token = on_token});
    sim_peer *p = come(&scene);
    sim_pass(scene.s, 20 * SEC);
    complete(&scene, p, WSPOOL_ACCEPT);
    sim_pass(scene.s, 9 * SEC);
    assert_int_equal(p->reader.total, 0);
    sim_pass(scene.s, 2 * SEC); /* the first verdict has not extended the deadline */
    sim_expect_refusal(p, 503, "verdict_timeout");
    sim_free(scene.s);
}

/* -------------------------------------------------------------------- tick */

TEST(deadline_is_the_earliest_that_a_tick_handler_has_returned)
{
    struct scene scene;
    begin(&scene);
    sim *s = scene.s;
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    both(&scene, (wspool_handlers){.tick = on_tick});
    assert_true(wspool_deadline(s->pool) == 0); /* until the first call */
    scene.a.next = s->now + 5 * SEC;
    scene.b.next = s->now + 3 * SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_true(wspool_deadline(s->pool) == scene.b.next);
    scene.b.next = UINT64_MAX;
    s->now += SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0); /* before any deadline */
    assert_int_equal(scene.a.ticks, 2);
    assert_int_equal(scene.b.ticks, 2);
    assert_true(wspool_deadline(s->pool) == scene.a.next);
    scene.a.next = UINT64_MAX;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    sim_free(s);
}
