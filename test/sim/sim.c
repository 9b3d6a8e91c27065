/* SPDX-License-Identifier: MIT */
/* sim/sim.c - makes and frees sims and peers, and runs the host's loop. See sim/sim.h. */
#include "internal.h"

#include <inttypes.h>
#include <strings.h>

#define TURNS_MAX 1000000u
/* With more peers than this, the pool is not checked after every step. */
#define PEERS_PER_STEP 4u
#define MESSAGES_PER_STEP 16u

_Thread_local int sim_hooked;
static _Thread_local sim *watched; /* the sim whose pool was made last */

/* More than any test needs, and far fewer than a loop that spins would make. */
static void turn_count(sim *s, uint64_t since)
{
    if (s->turns - since > TURNS_MAX)
        fail_msg("the pool is never quiet: %u turns of a loop", TURNS_MAX);
}

int sim_slow(void)
{
    return getenv("WSPOOL_SLOW") != NULL;
}

uint64_t sim_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_random(sim *s)
{
    return sim_mix(&s->rng);
}

uint64_t sim_below(sim *s, uint64_t limit)
{
    return limit == 0 ? 0 : sim_random(s) % limit;
}

uint64_t sim_hash(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void sim_step(void)
{
#if WSP_CHECK
    sim *s = watched;
    if (s == NULL || sim_inside > 0 || sim_hooked > 0)
        return;
    if (s->steps > 0) {
        s->steps--;
        return;
    }
    s->steps = (s->peer_count - s->first_live) / PEERS_PER_STEP +
               (size_t)sim_stats(s).waiting / MESSAGES_PER_STEP;
    if (wspool_check(s->pool) != 0)
        fail_msg("behind this call the pool is not in order any more");
#endif
}

/* ------------------------------------------------------------------- life */

sim *sim_new(uint64_t seed)
{
    sim *s = sim_malloc(sizeof *s);
    sim_inside = 0; /* a test that failed inside a hook left it set */
    sim_hooked = 0;
    watched = NULL;
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->entropy = seed;
    s->rng = seed * 2 + 1;
    s->now = 5 * SEC;
    s->keep_heard = 1;
    s->keep_journal = 1;
    (void)sim_libc_counts();
    sim_libc_reset();
    wspool_config_init(&s->config);
    s->config.mem = sim_heap_hooks(&s->heap);
    sim_hooks(s);
    return s;
}

int sim_start_bare(sim *s)
{
    int rc;
    sim_hooks_that_decide(s);
    rc = SIM_IN(wspool_new(&s->pool, &s->config, s->now));
    if (rc != 0) {
        assert_null(s->pool);
        assert_true(s->no_memory && rc == WSPOOL_ERR_NOMEM);
    } else {
        watched = s;
    }
    return rc;
}

void sim_start(sim *s)
{
    static const struct {
        const char *pattern;
        enum wspool_kind kind;
        const char *name;
    } routes[] = {{"/echo", WSPOOL_NONE, ""},
                  {"/all", WSPOOL_GLOBAL, "all"},
                  {"/room/{name}", WSPOOL_ITEM, ""}};
    if (sim_start_bare(s) != 0)
        return;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        wspool_route_options options;
        int rc;
        wspool_route_options_init(&options, &s->config);
        options.name = routes[i].name;
        rc = SIM_IN(wspool_route(s->pool, routes[i].pattern, routes[i].kind, &options));
        assert_true(rc == 0 || (s->no_memory && rc == WSPOOL_ERR_NOMEM));
    }
}

sim *sim_default(uint64_t seed)
{
    sim *s = sim_new(seed);
    sim_start(s);
    return s;
}

static void peer_free(sim_peer *p)
{
    for (size_t i = 0; i < p->heards; i++)
        free(p->heard[i].data);
    free(p->heard);
    blob_free(&p->in);
    blob_free(&p->flown);
    reader_free(&p->reader);
    free(p);
}

void sim_free_pool(sim *s)
{
    if (watched == s)
        watched = NULL;
    assert_int_equal(SIM_IN(wspool_free(s->pool)), 0);
    s->pool = NULL;
}

void sim_lose_pool(sim *s)
{
    sim_free_pool(s);
    for (size_t i = s->first_live; i < s->peer_count; i++)
        s->peers[i]->released = 1;
    s->first_live = s->peer_count;
    s->attempts = s->opened = s->messages = s->fed = s->acked = s->short_acks = 0;
    memset(s->ended, 0, sizeof s->ended);
    s->entropy++;
}

void sim_free(sim *s)
{
    if (s->pool != NULL) {
        sim_free_pool(s);
        assert_int_equal(s->active, 0);
    }
    for (size_t i = 0; i < s->peer_count; i++) {
        assert_int_equal(s->peers[i]->opened, s->peers[i]->ended);
        peer_free(s->peers[i]);
    }
    for (size_t i = 0; i < s->identity_count; i++) {
        assert_int_equal(s->identities[i]->freed, 1);
        free(s->identities[i]);
    }
    assert_int_equal(s->heap.live_blocks, 0);
    assert_int_equal(s->heap.live_bytes, 0);
    assert_int_equal(sim_c.live, 0);
    free(s->identities);
    free(s->peers);
    free(s->events);
    blob_free(&s->journal);
    free(s);
}

/* ------------------------------------------------------------------ peers */

static sim_peer *peer_new(sim *s)
{
    sim_peer *p = sim_malloc(sizeof *p);
    memset(p, 0, sizeof *p);
    p->sim = s;
    p->number = s->peer_count;
    p->room = SIZE_MAX;
    p->reading = 1;
    p->hash = UINT64_C(0xcbf29ce484222325);
    p->reader.body_len = -1;
    if (s->peer_count == s->peer_cap) {
        s->peer_cap = s->peer_cap == 0 ? 16 : s->peer_cap * 2;
        s->peers = sim_realloc(s->peers, s->peer_cap * sizeof(sim_peer *));
    }
    s->peers[s->peer_count++] = p;
    return p;
}

static void peer_released(sim_peer *p)
{
    sim *s = p->sim;
    p->released = 1;
    p->released_at = s->now;
    p->flights = 0;
    while (s->first_live < s->peer_count && s->peers[s->first_live]->released)
        s->first_live++;
}

sim_peer *sim_open(sim *s, int *why)
{
    sim_peer *p = peer_new(s);
    wspool_open_options options = {.size = sizeof options, .user = p};
    if (s->address != NULL)
        options.address = (wspool_text){s->address, strlen(s->address)};
    if (s->key != NULL)
        options.key = (wspool_text){s->key, strlen(s->key)};
    if (s->subject != NULL)
        options.subject = wspool_text_of(s->subject);
    int rc = SIM_IN(wspool_open(s->pool, &options, s->now, &p->id));
    if (why != NULL)
        *why = rc;
    if (rc != 0) {
        if (why == NULL)
            assert_true(s->no_memory && rc == WSPOOL_ERR_NOMEM);
        p->id = 0;
        peer_released(p);
        return NULL;
    }
    s->attempts++;
    assert_true(p->id != 0);
    return p;
}

sim_peer *sim_connect(sim *s, const client_request *request)
{
    sim_peer *p = sim_open(s, NULL);
    if (p != NULL)
        client_put_request(&p->in, request);
    return p;
}

sim_peer *sim_connect_to(sim *s, const char *target)
{
    client_request request = {0};
    request.target = target;
    return sim_connect(s, &request);
}

sim_peer *sim_join(sim *s, const char *target)
{
    sim_peer *p = sim_connect_to(s, target);
    sim_pump(s);
    if (s->no_memory && (p == NULL || !p->opened || p->ended))
        return NULL;
    sim_expect_open(p);
    return p;
}

sim_peer *sim_join_as(sim *s, const char *subject, const char *target)
{
    s->subject = subject;
    sim_peer *p = sim_join(s, target);
    s->subject = NULL;
    return p;
}

void sim_expect_refusal(sim_peer *p, int status, const char *word)
{
    char room[64];
    reader *r = &p->reader;
    if (r->status != status || (word != NULL && !reader_says(r, word)))
        fail_msg("expected %d %s, got %d %s", status, word == NULL ? "" : word, r->status,
                 r->body.data == NULL ? "(nothing)" : (char *)r->body.data);
    assert_string_equal(reader_header(r, "Content-Type", room, sizeof room), "application/json");
    assert_int_equal(r->body_len, (long)r->body.len - 1);
    assert_null(reader_header(r, "Sec-WebSocket-Accept", room, sizeof room));
    if (status != 429) /* with 429 the header is optional */
        assert_int_equal(reader_header(r, "Retry-After", room, sizeof room) != NULL, status == 503);
    assert_int_equal(reader_header(r, "Sec-WebSocket-Version", room, sizeof room) != NULL,
                     status == 426);
    assert_int_equal(p->opened, 0);
    assert_int_equal(p->released, 1);
}

sim_peer *sim_refused(sim *s, const client_request *request, int status, const char *word)
{
    sim_peer *p = sim_connect(s, request);
    sim_pump(s);
    sim_expect_refusal(p, status, word);
    return p;
}

int sim_upgrade(sim *s, const client_request *r, wspool_answer *answer, sim_peer **out)
{
    wspool_request request;
    wspool_header headers[80];
    size_t count = 0;
    blob head = {0};
    char *line;
    wspool_id id = 77;
    int rc;
    sim_peer *p = peer_new(s);
    /* The HTTP server of the host: splits lines into names and values. */
    client_put_request(&head, r);
    blob_add(&head, "", 1);
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.user = p;
    request.http_major = 1;
    request.http_minor = r->version != NULL && strcmp(r->version, "HTTP/1.0") == 0 ? 0 : 1;
    request.method.data = r->method != NULL ? r->method : "GET";
    request.method.len = strlen(request.method.data);
    request.target.data = r->target != NULL ? r->target : "/echo";
    request.target.len = strlen(request.target.data);
    if (s->address != NULL)
        request.address = (wspool_text){s->address, strlen(s->address)};
    if (s->key != NULL)
        request.key = (wspool_text){s->key, strlen(s->key)};
    if (s->subject != NULL)
        request.subject = wspool_text_of(s->subject);
    line = strstr((char *)head.data, "\r\n") + 2;
    while (strncmp(line, "\r\n", 2) != 0) {
        char *end = strstr(line, "\r\n");
        char *colon = strchr(line, ':');
        headers[count].name.data = line;
        headers[count].name.len = (size_t)(colon - line);
        for (colon++; *colon == ' '; colon++)
            ;
        headers[count].value.data = colon;
        headers[count].value.len = (size_t)(end - colon);
        count++;
        line = end + 2;
    }
    request.headers = headers;
    request.header_count = count;
    memset(answer, 0xee, sizeof *answer);
    p->waiting = 1;
    p->reading = 0;
    p->reader.frames = 1;
    rc = SIM_IN(wspool_upgrade(s->pool, &request, s->now, &id, answer));
    blob_free(&head);
    *out = NULL;
    if (rc >= 0)
        s->attempts++;
    if (rc == WSPOOL_UPGRADE_ACCEPTED || rc == WSPOOL_UPGRADE_PENDING) {
        assert_true(id != 0);
        assert_true(p->id == 0 || p->id == id); /* a hook may have seen the id before */
        p->id = id;
        *out = p;
    } else {
        if (rc == WSPOOL_UPGRADE_REFUSED)
            assert_true(id == 0);
        peer_released(p);
    }
    return rc;
}

int sim_adopt(sim_peer *p, const void *bytes, size_t len)
{
    int rc;
    p->waiting = 0;
    p->reading = 1;
    rc = SIM_IN(wspool_adopt(p->sim->pool, p->id, bytes, len, p->sim->now));
    if (rc == 0)
        p->sim->fed += len;
    return rc;
}

void sim_write(sim_peer *p, const void *bytes, size_t len)
{
    if (p != NULL)
        blob_add(&p->in, bytes, len);
}

void sim_frame(sim_peer *p, unsigned first, const void *payload, size_t len)
{
    client_frame frame = {0};
    if (p == NULL)
        return;
    frame.first = first;
    frame.payload = payload;
    frame.len = len;
    frame.key = sim_below(p->sim, 8) == 0 ? 0 : (uint32_t)sim_random(p->sim);
    client_put_frame(&p->in, &frame);
}

void sim_text(sim_peer *p, const char *text)
{
    sim_frame(p, FIN | OP_TEXT, text, strlen(text));
}

void sim_ping(sim_peer *p, const char *payload)
{
    sim_frame(p, FIN | OP_PING, payload, strlen(payload));
}

void sim_say_close(sim_peer *p, int code, const char *reason)
{
    uint8_t payload[125];
    size_t len = 0;
    if (p == NULL)
        return;
    if (code != 0) {
        payload[len++] = (uint8_t)(code >> 8);
        payload[len++] = (uint8_t)code;
    }
    if (reason != NULL) {
        memcpy(payload + len, reason, strlen(reason));
        len += strlen(reason);
    }
    sim_frame(p, FIN | OP_CLOSE, payload, len);
    p->said_close = 1;
}

void sim_cut(sim_peer *p, enum wspool_gone_why why)
{
    if (p != NULL && p->cut == 0)
        p->cut = 1 + (int)why;
}

void sim_stall(sim_peer *p)
{
    if (p != NULL)
        p->room = 0;
}

void sim_flow(sim_peer *p)
{
    if (p != NULL)
        p->room = SIZE_MAX;
}

void sim_flow_all(sim *s)
{
    for (size_t i = 0; i < s->peer_count; i++)
        sim_flow(s->peers[i]);
}

/* --------------------------------------------------------------- the loop */

/* The client reacts to what it received: a Pong for each Ping, a Close for a Close. */
static void client_react(sim_peer *p)
{
    for (; p->seen < p->reader.count; p->seen++) {
        const got *g = &p->reader.list[p->seen];
        if (p->said_close || p->cut != 0)
            continue;
        if (g->op == OP_PING && !p->mute_pings)
            sim_frame(p, FIN | OP_PONG, g->data, g->len);
        if (g->op == OP_CLOSE && !p->mute_close) {
            sim_frame(p, FIN | OP_CLOSE, g->data, g->len);
            p->said_close = 1;
        }
    }
}

static void take(sim_peer *p, const uint8_t *bytes, size_t len)
{
    p->hash = sim_hash(p->hash, bytes, len);
    reader_take(&p->reader, bytes, len);
    if (p->reader.fault != NULL)
        fail_msg("peer %zu was sent %s", p->number, p->reader.fault);
}

static void written(sim_peer *p, size_t sent, size_t total)
{
    sim *s = p->sim;
    int ended = p->ended;
    int rc;
    if (sent < total) {
        p->blocked = 1; /* set before the ack: its hooks may cause a call of writable */
        s->short_acks++;
    }
    rc = SIM_IN(wspool_ack(s->pool, p->id, sent, s->now));
    assert_int_equal(rc, 0);
    s->acked += ended ? 0 : sent; /* of a peer that has ended nothing is counted */
    if (p->room != SIZE_MAX)
        p->room -= sent;
    client_react(p);
}

/* Returns how many of the `total` bytes the transport accepts. */
static size_t write_size(sim_peer *p, size_t total)
{
    size_t n = total < p->room ? total : p->room;
    if (p->sim->chop == SIM_RANDOM && sim_below(p->sim, 2) == 0)
        n = (size_t)sim_below(p->sim, n + 1);
    return n;
}

/* Ends an asynchronous write: its bytes must not have changed or moved. */
static void land(sim_peer *p, int ack)
{
    blob now = {0};
    size_t n;
    for (int i = 0; i < p->flights; i++)
        blob_add(&now, p->flight[i].iov_base, p->flight[i].iov_len);
    if (now.len != p->flown.len || memcmp(now.data, p->flown.data, now.len) != 0)
        fail_msg("peeked bytes of peer %zu have changed before the ack", p->number);
    p->flights = 0;
    if (ack) {
        n = write_size(p, now.len);
        take(p, now.data, n);
        written(p, n, now.len);
        if (p->ignored && !p->released)
            assert_int_equal(SIM_IN(wspool_writable(p->sim->pool, p->id, p->sim->now)), 0);
        p->blocked = p->ignored ? 0 : p->blocked;
        p->ignored = 0;
    }
    p->flown.len = 0;
    blob_free(&now);
}

static void write_some(sim_peer *p)
{
    sim *s = p->sim;
    struct iovec vectors[16];
    int max = s->chop == SIM_RANDOM ? 1 + (int)sim_below(s, 16) : 16;
    int n = SIM_IN(wspool_peek(s->pool, p->id, vectors, max));
    size_t total = 0;
    size_t sent;
    size_t left;
    if (n < 1 || n > max)
        fail_msg("WRITE was wanted, but peek answered %d of %d", n, max);
    for (int i = 0; i < n; i++) {
        assert_true(vectors[i].iov_len > 0);
        total += vectors[i].iov_len;
    }
    if (sim_below(s, 100) < s->async) {
        p->flights = n;
        memcpy(p->flight, vectors, sizeof(struct iovec) * (size_t)n);
        for (int i = 0; i < n; i++)
            blob_add(&p->flown, vectors[i].iov_base, vectors[i].iov_len);
        p->away = s->says_away;
        if (p->away)
            assert_int_equal(SIM_IN(wspool_under_way(s->pool, p->id, total, s->now)), 0);
        return;
    }
    sent = write_size(p, total);
    left = sent;
    for (int i = 0; i < n && left > 0; i++) {
        size_t part = vectors[i].iov_len < left ? vectors[i].iov_len : left;
        take(p, vectors[i].iov_base, part);
        left -= part;
    }
    written(p, sent, total);
}

static int drain(sim *s)
{
    wspool_id id;
    unsigned wants;
    int moved = 0;
    int rc;
    uint64_t since = s->turns;
    while ((rc = SIM_IN(wspool_next(s->pool, &id, &wants))) == 1) {
        sim_peer *p = sim_peer_of(s, id);
        s->turns++;
        turn_count(s, since);
        assert_non_null(p);
        assert_false(p->released);
        assert_true((wants & ~(WSPOOL_READ | WSPOOL_WRITE | WSPOOL_CLOSE | WSPOOL_RESET)) == 0);
        assert_true(!(wants & WSPOOL_RESET) || (wants & WSPOOL_CLOSE));
        p->reading = (wants & WSPOOL_READ) != 0;
        moved = 1;
        if (wants & WSPOOL_CLOSE) {
            assert_false(wants & WSPOOL_WRITE);
            if (p->flights > 0)
                land(p, 0);
            p->listed = 1;
            p->reset = (wants & WSPOOL_RESET) != 0;
            assert_int_equal(SIM_IN(wspool_release(s->pool, id)), 0);
            peer_released(p);
        } else if (wants & WSPOOL_WRITE) {
            if (p->blocked)
                fail_msg("peer %zu is blocked, but was listed for WRITE", p->number);
            assert_false(p->flights > 0 && p->away);
            if (p->flights > 0)
                p->ignored = 1;
            else
                write_some(p);
        }
    }
    assert_int_equal(rc, 0);
    return moved;
}

static size_t read_size(sim *s, size_t have)
{
    size_t n = have;
    if (s->chop == SIM_BYTES)
        return have > 0 ? 1 : 0;
    if (s->chop == SIM_RANDOM)
        switch (sim_below(s, 4)) {
        case 0:
            n = 1;
            break;
        case 1:
            n = 1 + (size_t)sim_below(s, 16);
            break;
        case 2:
            n = 1 + (size_t)sim_below(s, 5000);
            break;
        default:
            break;
        }
    return n < have ? n : have;
}

/* Does what a host does for one socket in one turn of its loop. */
static int serve(sim_peer *p)
{
    sim *s = p->sim;
    int moved = 0;
    size_t have;
    if (p->released || p->waiting)
        return 0;
    if (s->chop == SIM_RANDOM && sim_below(s, 8) == 0) /* the socket is not ready yet */
        return p->flights > 0 || (p->cut != 0 && !p->told && p->reading) ||
               (p->in.len > p->fed && p->reading) || (p->blocked && p->room > 0);
    if (p->flights > 0) {
        land(p, 1);
        moved = 1;
    }
    if (p->cut == 1 + WSPOOL_GONE_FAILED && !p->told) {
        p->told = 1;
        assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now)), 0);
        return 1;
    }
    if (p->told)
        return moved;
    have = p->in.len - p->fed;
    if (have > 0 && p->reading) {
        size_t n = read_size(s, have);
        /* of exactly this length, so that a byte read too far is detected */
        uint8_t *copy = sim_malloc(n);
        memcpy(copy, p->in.data + p->fed, n);
        p->fed += n;
        s->fed += n;
        assert_int_equal(SIM_IN(wspool_feed(s->pool, p->id, copy, n, s->now)), 0);
        free(copy);
        moved = 1;
    } else if (have == 0 && p->cut != 0 && p->reading) {
        p->told = 1;
        assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now)), 0);
        moved = 1;
    }
    if (p->fed == p->in.len)
        p->fed = p->in.len = 0;
    if (p->blocked && p->room > 0) {
        p->blocked = 0;
        assert_int_equal(SIM_IN(wspool_writable(s->pool, p->id, s->now)), 0);
        moved = 1;
    }
    return moved;
}

int sim_turn(sim *s)
{
    int moved = 0;
    for (size_t i = s->first_live; i < s->peer_count; i++)
        moved |= serve(s->peers[i]);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    moved |= drain(s);
    s->turns++;
    return moved;
}

void sim_pump(sim *s)
{
    uint64_t since = s->turns;
    uint64_t deadline;
    /* While input waits for its turn the next turn is due now, whether or not this one changed
     * anything. */
    while (sim_turn(s) || wspool_deadline(s->pool) == 0)
        turn_count(s, since);
    sim_inside++;
    deadline = wspool_deadline(s->pool);
    sim_inside--;
    if (deadline <= s->now && deadline != 0)
        fail_msg("after a tick the deadline is still in the past");
    if (deadline == 0)
        fail_msg("after a whole turn the deadline is 0: a host would spin");
    sim_books(s);
}

void sim_pass(sim *s, uint64_t time)
{
    uint64_t until = s->now + time;
    sim_pump(s);
    while (s->now < until) {
        uint64_t deadline = wspool_deadline(s->pool);
        s->now = deadline < until ? deadline : until;
        sim_pump(s);
    }
}
