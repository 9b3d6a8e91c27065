/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_pool.c - a whole pool, with a host that makes allowed calls in any order, hooks that
 * call the pool, and memory that runs out.
 *
 * Runs on the sim (test/sim/sim.h), which records every hook and reads the output strictly. Demands
 * after each operation:
 * - The pool's counters balance and agree with what was seen; tallies match the returned counts.
 * - Calls that are forbidden inside a hook return REENTRANT; stale ids return STALE.
 * - Memory stays within the limits; HTTP answers consist of the library's own words.
 * - A pool without work does not ask to be called at once.
 * At the end each open peer has ended once, each identity was freed once, and all memory is back.
 *
 * Input: twelve characters (see `begin`), then operations: a letter, of which the low five bits
 * count, and its arguments (see `operate`).
 */
#include "../sim/sim.h"

#include "answer.h"
#include "fuzz.h"
#include "keep.h"
#include "simmed.h"

const unsigned fuzz_runs = 6000;

enum { LONGEST = 600, PEERS_MAX = 20, REACTIONS_MAX = 60, TURNS = 400, CHANNELS = 6 };

struct reaction {
    unsigned action; /* 0: none */
    unsigned a;      /* the object of the action */
    unsigned b;
};

struct world {
    sim *s;
    struct writer *writer; /* of what is published now */
    fuzz_input *in;
    struct reaction reactions[SIM_WHATS];
    unsigned reacted;
    int nested;
    uint8_t skipped[PEERS_MAX]; /* listed for WRITE, but not written */
    int noisy;                  /* hooks have published: the deadline cannot be predicted */
};

static const size_t sizes[] = {0, 1, 5, 125, 126, 200, 1000, 4000, 17000, 66000};
static const uint64_t spans[] = {0,        MS,       100 * MS, SEC,       3 * SEC,
                                 10 * SEC, 31 * SEC, 65 * SEC, 600 * SEC, 100000 * SEC};
static uint8_t text[70000];
static char long_target[6000] = "/all?token=t&";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_simmed();
    memset(text, 'm', sizeof text);
    memset(long_target + strlen(long_target), 'q', sizeof long_target - strlen(long_target) - 1);
    return 0;
}

/* ------------------------------------------------------------------- what */

static wspool_channel channel_of(unsigned number)
{
    static const wspool_channel channels[CHANNELS] = {
        {WSPOOL_GLOBAL, "all", 3}, {WSPOOL_ITEM, "a", 1}, {WSPOOL_ITEM, "b", 1},
        {WSPOOL_TOPIC, "all", 3},  {WSPOOL_ITEM, "", 0},  {WSPOOL_SESSION, "a\0b", 3}};
    return channels[number % CHANNELS];
}

static sim_peer *peer_of(struct world *w, unsigned number)
{
    return w->s->peer_count == 0 ? NULL : w->s->peers[number % w->s->peer_count];
}

static sim_peer *some_peer(struct world *w)
{
    return peer_of(w, fuzz_number(w->in, PEERS_MAX));
}

static client_request request_of(unsigned number)
{
    static const char *const targets[] = {"/echo", "/all",    "/room/a",     "/room/b",
                                          "/none", "/room/%", "/all?token=t"};
    static const char *const extras[] = {
        NULL, "Authorization: Bearer t\r\n",
        "Cookie: wspool_token=t\r\nOrigin: http://pool.example\r\n",
        "Origin: https://evil.example\r\n",
        "X: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
        "Y: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"};
    client_request request = {.target = targets[number % 7], .extra = extras[number / 7 % 5]};
    if (number / 35 % 8 == 1) {
        request.method = "POST";
    } else if (number / 35 % 8 == 2) {
        request.protocol = "one, two";
    } else if (number / 35 % 8 == 3) {
        request.key = "short";
    } else if (number / 35 % 8 == 4) {
        request.target = long_target; /* more than a quarter of the head is kept */
    }
    return request;
}

/* -------------------------------------------------------------- from within */

static void calls_that_hooks_may_not(sim *s, wspool_id id)
{
    wspool_request request = {.size = sizeof request};
    wspool_answer answer;
    wspool_id other;
    FUZZ_DEMAND(wspool_tick(s->pool, s->now) == WSPOOL_ERR_REENTRANT, "tick");
    FUZZ_DEMAND(wspool_feed(s->pool, id, "x", 1, s->now) == WSPOOL_ERR_REENTRANT, "feed");
    FUZZ_DEMAND(wspool_adopt(s->pool, id, "x", 1, s->now) == WSPOOL_ERR_REENTRANT, "adopt");
    FUZZ_DEMAND(wspool_release(s->pool, id) == WSPOOL_ERR_REENTRANT, "release");
    FUZZ_DEMAND(wspool_free(s->pool) == WSPOOL_ERR_REENTRANT, "free");
    FUZZ_DEMAND(wspool_route(s->pool, "/x", WSPOOL_NONE, NULL) == WSPOOL_ERR_REENTRANT, "route");
    FUZZ_DEMAND(wspool_upgrade(s->pool, &request, s->now, &other, &answer) == WSPOOL_ERR_REENTRANT,
                "upgrade");
}

static void publish(struct world *w, unsigned channel, size_t len, wspool_id except)
{
    wspool_send_options options = {.size = sizeof options, .except = except};
    wspool_tally tally = {.size = sizeof tally};
    int members, rc;
    w->noisy |= w->nested;
    options.flags = len % 2 ? WSPOOL_BINARY : 0;
    members = wspool_member_count(w->s->pool, channel_of(channel));
    rc = SIM_IN(wspool_broadcast(w->s->pool, channel_of(channel), text, len, &options, &tally));
    FUZZ_DEMAND(rc >= 0 || rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_TOO_BIG ||
                    rc == WSPOOL_ERR_NOMEM,
                "%d", rc);
    if (rc >= 0) {
        FUZZ_DEMAND((uint32_t)rc == tally.queued, "%d, %u queued", rc, tally.queued);
        FUZZ_DEMAND(tally.queued + tally.closed + tally.behind <= (uint32_t)members,
                    "%u queued, %u closed, %u behind of %d", tally.queued, tally.closed,
                    tally.behind, members);
    }
}

/* A message that contains its own position. Some writers give up; some call the pool although it
 * is forbidden. */
struct writer {
    struct world *w;
    unsigned how;
    char said[64];
};

static int render_message(const wspool_publication *p, wspool_text *message, void *user)
{
    struct writer *writer = ((struct world *)user)->writer;
    wspool *pool = writer->w->s->pool;
    message->data = writer->said;
    message->len = (size_t)snprintf(writer->said, sizeof writer->said, "%llu %llu",
                                    (unsigned long long)p->epoch, (unsigned long long)p->offset);
    if (writer->how % 5 == 1) {
        return WSPOOL_ERR_STATE;
    }
    if (writer->how % 5 == 2) {
        (void)SIM_IN(wspool_broadcast(pool, channel_of(writer->how), text, 5, NULL, NULL));
    } else if (writer->how % 5 == 3) {
        wspool_id id;
        if (SIM_IN(wspool_peers(pool, &id, 1)) > 0) {
            (void)SIM_IN(wspool_subscribe(pool, id, channel_of(writer->how)));
            (void)SIM_IN(wspool_unsubscribe(pool, id, channel_of(writer->how + 1)));
        }
    }
    return 0;
}

static int render_other(const wspool_publication *p, wspool_text *message, void *user)
{
    int result = render_message(p, message, user);
    message->len = result == 0 && ((struct world *)user)->writer->how % 2 ? 1 : message->len;
    return result;
}

/* Commits every second message, and calls the pool. */
static int commit_written(const wspool_channel_position *at, const wspool_seed_message *message,
                          void *user)
{
    const struct writer *writer = user;
    wspool *pool = writer->w->s->pool;
    wspool_id id;
    (void)message;
    FUZZ_DEMAND(at->offset > 0, "no position");
    (void)SIM_IN(wspool_clear(pool, channel_of(writer->how)));
    if (SIM_IN(wspool_peers(pool, &id, 1)) > 0) {
        (void)SIM_IN(wspool_send(pool, id, text, 5, NULL));
        (void)SIM_IN(wspool_unsubscribe(pool, id, channel_of(writer->how)));
    }
    return (int)(at->offset % 2);
}

static void publish_written(struct world *w, unsigned channel, unsigned how)
{
    struct writer writer = {.w = w, .how = how};
    w->writer = &writer;
    wspool_tally tally = {.size = sizeof tally};
    wspool_send_options options = {.size = sizeof options, .key = {"k", how % 3 == 1}};
    if (how % 4 == 3) {
        options.commit = (wspool_commit){commit_written, &writer};
    }
    int members = wspool_member_count(w->s->pool, channel_of(channel));
    int rc = SIM_IN(wspool_publish(w->s->pool, channel_of(channel), wspool_text_of("t"),
                                   (wspool_text){0}, &options, &tally));
    w->noisy |= w->nested;
    FUZZ_DEMAND(rc <= members + 1, "%d queued of %d", rc, members);
    FUZZ_DEMAND(members == 0 || how % 5 != 1 || rc == WSPOOL_ERR_STATE, "given up, and: %d", rc);
}

/* The host writes although the pool did not list the peer. */
static void write_by_hand(struct world *w, sim_peer *p, unsigned how)
{
    sim *s = w->s;
    struct iovec vectors[3];
    size_t total = 0, sent, left;
    int n;
    if (p->flights > 0 || p->waiting) {
        return;
    }
    n = SIM_IN(wspool_peek(s->pool, p->id, vectors, 1 + (int)how % 3));
    if (n <= 0) {
        FUZZ_DEMAND(n == (p->released ? WSPOOL_ERR_STALE : n) && n <= 0, "peek: %d", n);
        return;
    }
    for (int i = 0; i < n; i++) {
        total += vectors[i].iov_len;
    }
    FUZZ_DEMAND(wspool_ack(s->pool, p->id, total + 1, s->now) != 0 || p->ended, "acked too much");
    sent = how < 3 ? total : how < 6 ? total / 2 : how < 8 ? total - 1 : 0;
    sent = sent < p->room ? sent : p->room;
    left = sent;
    for (int i = 0; i < n && left > 0; i++) {
        size_t part = vectors[i].iov_len < left ? vectors[i].iov_len : left;
        reader_take(&p->reader, vectors[i].iov_base, part);
        left -= part;
    }
    FUZZ_DEMAND(p->reader.fault == NULL, "it was sent %s", p->reader.fault);
    FUZZ_DEMAND(SIM_IN(wspool_ack(s->pool, p->id, sent, s->now)) == 0, "ack");
    s->acked += sent;
    p->room -= p->room == SIZE_MAX ? 0 : sent;
    if (sent < total) {
        p->blocked = 1;
        s->short_acks++;
    }
}

/* Handles one result of wspool_next. A write may be left for later. */
static void next_by_hand(struct world *w)
{
    sim *s = w->s;
    wspool_id id;
    unsigned wants;
    sim_peer *p;
    if (SIM_IN(wspool_next(s->pool, &id, &wants)) != 1) {
        return;
    }
    p = wspool_user(s->pool, id);
    FUZZ_DEMAND(p != NULL && !p->released, "a peer that is not there");
    p->reading = (wants & WSPOOL_READ) != 0;
    if (wants & WSPOOL_CLOSE) {
        p->listed = 1;
    } else if (wants & WSPOOL_WRITE) {
        w->skipped[p->number] = 1;
    }
}

static void release(struct world *w, sim_peer *p)
{
    sim *s = w->s;
    int rc = SIM_IN(wspool_release(s->pool, p->id));
    if (rc == 0) {
        FUZZ_DEMAND(!p->opened || p->ended, "released, and not told of its end");
        p->released = 1;
        p->flights = 0;
        p->flown.len = 0;
        FUZZ_DEMAND(wspool_release(s->pool, p->id) == WSPOOL_ERR_STALE, "released twice");
    } else {
        FUZZ_DEMAND(rc == WSPOOL_ERR_STATE || rc == WSPOOL_ERR_STALE, "release: %d", rc);
        FUZZ_DEMAND(rc != WSPOOL_ERR_STATE || !p->listed, "listed, and not to be released");
    }
}

static void verdict(struct world *w, sim_peer *p, unsigned how)
{
    wspool_verdict out = {.size = sizeof out};
    int rc;
    out.kind = how % 3 == 2 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
    out.refusal = (enum wspool_refusal)how;
    if (out.kind == WSPOOL_ACCEPT && how % 3) {
        out.identity = sim_identity_new(w->s);
    }
    rc = SIM_IN(wspool_auth_complete(w->s->pool, p->id, &out));
    FUZZ_DEMAND(rc == 0 || rc == WSPOOL_ERR_NOMEM, "%d", rc);
    if (rc != 0 && out.identity != NULL) {
        ((sim_identity *)out.identity)->freed++; /* the identity belongs to the host again */
    }
}

static void query(struct world *w, sim_peer *p, unsigned number)
{
    wspool *pool = w->s->pool;
    wspool_id ids[3];
    wspool_channel channels[3];
    wspool_channel_position at;
    int count;
    FUZZ_DEMAND(wspool_position(pool, channel_of(number), &at) == 0, "position");
    count = wspool_members(pool, channel_of(number), ids, 3);
    FUZZ_DEMAND(count == wspool_member_count(pool, channel_of(number)), "members");
    for (int i = 0; i < count && i < 3; i++) {
        FUZZ_DEMAND(wspool_user(pool, ids[i]) != NULL, "a member that is not there");
    }
    FUZZ_DEMAND(wspool_peers(pool, ids, number % 4) >= 0, "peers");
    FUZZ_DEMAND(wspool_channels(pool, channels, number % 4) >= 0, "channels");
    if (p != NULL) {
        count = wspool_channels_of(pool, p->id, channels, 3);
        FUZZ_DEMAND(count >= 0 || count == WSPOOL_ERR_STALE, "channels of");
        for (int i = 0; i < count && i < 3; i++) {
            FUZZ_DEMAND(wspool_member_count(pool, channels[i]) > 0, "a member of nothing");
        }
        (void)wspool_identity(pool, p->id);
        FUZZ_DEMAND(!p->released || wspool_user(pool, p->id) == NULL, "a stale id has a user");
    }
}

static void leave_or_join(struct world *w, sim_peer *p, unsigned channel, int join)
{
    int rc = join ? SIM_IN(wspool_subscribe(w->s->pool, p->id, channel_of(channel)))
                  : SIM_IN(wspool_unsubscribe(w->s->pool, p->id, channel_of(channel)));
    FUZZ_DEMAND(rc == 0 || !p->released || rc == WSPOOL_ERR_STALE, "%d of a stale id", rc);
    FUZZ_DEMAND(rc != 0 || w->nested || (p->opened && !p->ended), "of a peer that is not open");
}

/* Resumes a few messages behind the end of the channel, or at a position that it never had. With
 * 8: asks for the whole state. */
static void resume(struct world *w, sim_peer *p, unsigned channel, unsigned back)
{
    wspool_channel_position since;
    wspool_resumed resumed = {.size = sizeof resumed};
    (void)wspool_position(w->s->pool, channel_of(channel), &since);
    since.epoch += back == 9;
    since.offset -= back;
    if (back == 8) {
        since = (wspool_channel_position){0, 0};
    }
    int rc = SIM_IN(wspool_resume(w->s->pool, p->id, channel_of(channel), &since, &resumed));
    FUZZ_DEMAND(rc == 0 || !p->released || rc == WSPOOL_ERR_STALE, "%d of a stale id", rc);
    FUZZ_DEMAND(rc != 0 || resumed.recovered == (resumed.lost == WSPOOL_LOST_NOTHING), "lost");
    int keyed = channel_of(channel).kind == WSPOOL_SESSION;
    FUZZ_DEMAND(rc != 0 || resumed.reset == (keyed && !resumed.recovered), "reset");
    FUZZ_DEMAND(rc != 0 || keyed || back == 8 || !resumed.recovered || resumed.count == back,
                "%d of %u messages", (int)resumed.count, back);
}

static void close_peer(struct world *w, sim_peer *p, unsigned number)
{
    static const int codes[] = {1000, 1001, 4000, 4999, 1013, 1005, 999, 3000};
    int code = codes[number % 8];
    int rc = SIM_IN(wspool_close(w->s->pool, p->id, code, number % 3 ? "reason" : NULL,
                                 number % 2 ? WSPOOL_CLOSE_NOW : 0));
    FUZZ_DEMAND((rc == WSPOOL_ERR_INVAL) == (code == 1005 || code == 999), "close: %d", rc);
}

static void gone(struct world *w, sim_peer *p, unsigned number)
{
    enum wspool_gone_why why = number % 2 ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF;
    int rc = SIM_IN(wspool_gone(w->s->pool, p->id, why, w->s->now));
    FUZZ_DEMAND(rc == 0 || rc == WSPOOL_ERR_STALE, "gone: %d", rc);
    p->told = 1;
    p->cut = p->cut == 0 ? 1 + (int)why : p->cut;
}

static void abuse(struct world *w, sim_peer *p, unsigned number)
{
    int rc = SIM_IN(wspool_report_abuse(w->s->pool, p->id, number, number % 2 ? "word" : NULL));
    FUZZ_DEMAND((rc == WSPOOL_ERR_INVAL) == (number == 0), "abuse: %d", rc);
}

static void send_to(struct world *w, sim_peer *p, size_t len)
{
    unsigned reacted = w->reacted; /* a hook inside this call may end it */
    int rc = SIM_IN(wspool_send(w->s->pool, p->id, text, len, NULL));
    w->noisy |= w->nested;
    FUZZ_DEMAND(rc != 0 || w->nested || w->reacted != reacted || (p->opened && !p->ended),
                "sent to a peer that is not open");
    FUZZ_DEMAND(!p->released || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_TOO_BIG, "send: %d", rc);
}

static void connect(struct world *w, unsigned number)
{
    client_request request = request_of(number);
    sim_peer *p;
    int why;
    if (w->s->peer_count < PEERS_MAX && (p = sim_open(w->s, &why)) != NULL) {
        client_put_request(&p->in, &request);
    }
}

/* A hook acts on the pool. */
static void react(sim *s, const sim_event *event)
{
    struct world *w = s->test;
    const struct reaction *r = &w->reactions[event->what];
    sim_peer *p = event->peer != NULL && r->a % 2 == 0 ? event->peer : peer_of(w, r->a);
    if (r->action == 0 || w->nested > 1 || w->reacted++ > REACTIONS_MAX || p == NULL ||
        s->pool == NULL || p->id == 0) {
        return;
    }
    w->nested++;
    switch (r->action) {
    case 1:
        close_peer(w, p, r->b);
        break;
    case 2:
        publish(w, r->a, sizes[r->b % 8], 0);
        break;
    case 3:
        send_to(w, p, sizes[r->b % 8]);
        break;
    case 4:
        leave_or_join(w, p, r->b, 1);
        break;
    case 5:
        leave_or_join(w, p, r->b, 0);
        break;
    case 6:
        abuse(w, p, r->b);
        break;
    case 7:
        gone(w, p, r->b);
        break;
    case 8:
        next_by_hand(w);
        break;
    case 9:
        if (event->what != SIM_TOKEN) {
            write_by_hand(w, p, r->b);
        }
        break;
    case 10:
        connect(w, r->b);
        break;
    case 11:
        calls_that_hooks_may_not(s, p->id);
        break;
    case 12:
        FUZZ_DEMAND(SIM_IN(wspool_drain(s->pool, spans[r->b % 10], 0, s->now)) == 0, "drain");
        break;
    case 13:
        (void)SIM_IN(wspool_writable(s->pool, p->id, s->now));
        p->blocked = 0;
        break;
    case 14:
        query(w, p, r->b);
        break;
    default:
        verdict(w, p, r->b);
        break;
    }
    w->nested--;
}

/* -------------------------------------------------------------- operations */

static void look(struct world *w)
{
    sim *s = w->s;
    size_t room = 400000 + (size_t)s->config.pool_bytes +
                  s->peer_count * (3 * (size_t)s->config.message_bytes + s->config.head_bytes +
                                   2 * WSPOOL_TOKEN_MAX);
    for (size_t i = 0; i < s->peer_count; i++) {
        if (s->peers[i]->listed && !s->peers[i]->released) {
            release(w, s->peers[i]); /* its end was reported inside a hook */
        }
    }
    if (s->async > 0) { /* a write that completes after its peer's end is not counted */
        uint64_t sent = sim_stats(s).sent_bytes;
        s->acked = s->acked > sent ? sent : s->acked;
    }
    sim_books(s);
    FUZZ_DEMAND(s->heap.live_bytes < room, "%zu bytes of memory", (size_t)s->heap.live_bytes);
}

static void pump(struct world *w)
{
    sim *s = w->s;
    unsigned turns = 0;
    unsigned reacted = w->reacted;
    w->noisy = 0;
    for (size_t i = 0; i < s->peer_count; i++) {
        sim_peer *p = s->peers[i];
        if (w->skipped[i] && !p->released && !p->blocked) {
            (void)SIM_IN(wspool_writable(s->pool, p->id, s->now));
        }
        w->skipped[i] = 0;
    }
    do {
        look(w);
    } while (sim_turn(s) && ++turns < TURNS);
    FUZZ_DEMAND(turns < TURNS || w->reacted > reacted || s->chop != SIM_WHOLE,
                "it is never quiet"); /* split input may take long */
    if (turns < TURNS && !w->noisy && w->reacted == reacted) {
        uint64_t deadline = wspool_deadline(s->pool);
        FUZZ_DEMAND(deadline > s->now, "it is quiet, and asks to be called at once");
    }
}

static void pass(struct world *w, uint64_t span)
{
    sim *s = w->s;
    uint64_t until = s->now + span;
    unsigned steps = 0;
    while (s->now < until && steps++ < 12) {
        uint64_t deadline = wspool_deadline(s->pool);
        s->now = deadline > s->now && deadline < until ? deadline : until;
        pump(w);
    }
    s->now = until;
}

static void frame(struct world *w, sim_peer *p)
{
    static const unsigned kinds[] = {FIN | OP_TEXT,  FIN | OP_PING,   FIN | OP_PONG,
                                     FIN | OP_CLOSE, FIN | OP_CONT,   OP_TEXT,
                                     OP_CONT,        FIN | OP_BINARY, FIN | 3u};
    unsigned first = kinds[fuzz_number(w->in, 9)];
    size_t len = sizes[fuzz_number(w->in, 10)];
    if (p == NULL || p->released) {
        return;
    }
    if (first == (FIN | OP_CLOSE)) {
        sim_say_close(p, len == 0 ? 0 : 1000, NULL);
    } else {
        sim_frame(p, first, text, len);
    }
}

static void feed_now(struct world *w, sim_peer *p)
{
    sim *s = w->s;
    size_t n = p->in.len - p->fed;
    uint8_t *copy;
    int rc;
    if (p->waiting || p->told || n == 0) {
        return;
    }
    copy = fuzz_copy(p->in.data + p->fed, n);
    rc = SIM_IN(wspool_feed(s->pool, p->id, copy, n, s->now));
    fuzz_free(copy, n);
    FUZZ_DEMAND(rc == (p->released ? WSPOOL_ERR_STALE : 0), "feed: %d", rc);
    if (rc == 0) {
        p->fed += n;
        s->fed += n;
    }
}

static void upgrade(struct world *w, unsigned number)
{
    client_request request = request_of(number);
    wspool_answer answer;
    sim_peer *p;
    if (w->s->peer_count < PEERS_MAX) {
        (void)sim_upgrade(w->s, &request, &answer, &p);
    }
}

static void adopt(struct world *w, sim_peer *p, unsigned number)
{
    sim *s = w->s;
    uint8_t *copy = fuzz_copy("\x81\x80\x01\x02\x03\x04", number % 7);
    int waiting = p->waiting;
    int rc = SIM_IN(wspool_adopt(s->pool, p->id, copy, number % 7, s->now));
    fuzz_free(copy, number % 7);
    if (rc == 0) {
        FUZZ_DEMAND(waiting, "adopted, and was not waiting");
        p->waiting = 0;
        p->reading = 1;
        s->fed += number % 7;
    } else {
        FUZZ_DEMAND(rc == WSPOOL_ERR_STATE || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_NOMEM,
                    "adopt: %d", rc);
    }
}

static void operate(struct world *w)
{
    sim *s = w->s;
    fuzz_input *in = w->in;
    unsigned op = fuzz_byte(in) & 31u;
    unsigned number;
    sim_peer *p = NULL;
    if (strchr("acfgjklmrsuvwxy}|", (int)(op | 96u)) != NULL && (p = some_peer(w)) == NULL) {
        return;
    }
    switch (op | 96u) {
    case 'a': /* PEER N: adopts the peer */
        adopt(w, p, fuzz_number(in, 10));
        break;
    case 'b': /* CHANNEL SIZE EXCEPT: broadcast */
        number = fuzz_number(in, CHANNELS);
        op = fuzz_number(in, 10);
        p = peer_of(w, fuzz_number(in, PEERS_MAX));
        publish(w, number, sizes[op], p != NULL && op % 3 == 0 ? p->id : 0);
        break;
    case 'c': /* PEER HOW */
        close_peer(w, p, fuzz_number(in, 16));
        break;
    case 'd': /* SPAN: drain */
        FUZZ_DEMAND(SIM_IN(wspool_drain(s->pool, spans[fuzz_number(in, 10)], 0, s->now)) == 0,
                    "drain");
        break;
    case 'e': /* handles everything that is in progress */
        pump(w);
        break;
    case 'f': /* PEER KIND SIZE: the client writes a frame */
        frame(w, p);
        break;
    case 'g': /* PEER WHY */
        gone(w, p, fuzz_number(in, 2));
        break;
    case 'h': /* VARIANT: opens a peer and sends a request */
        number = fuzz_number(in, 16);
        connect(w, number * 16 + fuzz_number(in, 16));
        break;
    case 'i': /* VARIANT: the same, in hosted mode */
        number = fuzz_number(in, 16);
        upgrade(w, number * 16 + fuzz_number(in, 16));
        break;
    case 'j': /* PEER CHANNEL: joins */
        leave_or_join(w, p, fuzz_number(in, CHANNELS), 1);
        break;
    case 'k': /* PEER HOW: peeks, and acks some of it */
        write_by_hand(w, p, fuzz_number(in, 10));
        break;
    case 'l': /* PEER CHANNEL: leaves */
        leave_or_join(w, p, fuzz_number(in, CHANNELS), 0);
        break;
    case 'm': /* PEER SIZE: message */
        send_to(w, p, sizes[fuzz_number(in, 10)]);
        break;
    case 'n':
        next_by_hand(w);
        break;
    case 'o': /* opens a peer that sends nothing */
        if (s->peer_count < PEERS_MAX) {
            int why;
            (void)sim_open(s, &why);
        }
        break;
    case 'p': /* SPAN: time passes */
        pass(w, spans[fuzz_number(in, 10)]);
        break;
    case 'q': /* PEER CHANNEL */
        p = some_peer(w);
        query(w, p, fuzz_number(in, 10));
        break;
    case 'r': /* PEER */
        release(w, p);
        break;
    case 's': /* PEER ROOM: the transport takes no more than that */
        number = fuzz_number(in, 10);
        p->room = number == 0 ? 0 : sizes[number];
        break;
    case 't': /* one turn of the loop, or only a tick of it */
        (void)sim_turn(s);
        break;
    case 'u': /* PEER: the transport takes everything again */
        sim_flow(p);
        break;
    case 'v': /* PEER HOW: the late verdict on a token */
        verdict(w, p, fuzz_number(in, WSPOOL_REFUSAL_COUNT + 1));
        break;
    case 'w': /* PEER */
        (void)SIM_IN(wspool_writable(s->pool, p->id, s->now));
        p->blocked = 0;
        break;
    case 'x': /* PEER N and N bytes: garbage */
        number = fuzz_number(in, 64);
        number = number < in->len ? number : (unsigned)in->len;
        sim_write(p, in->data, number);
        in->data += number;
        in->len -= number;
        break;
    case 'y': /* PEER COST */
        abuse(w, p, fuzz_number(in, 20));
        break;
    case 'z': /* N HOW: memory fails from the Nth call on; 0: it works again */
        number = fuzz_number(in, 40);
        s->heap.fail_at = number == 0 ? 0 : s->heap.calls + number;
        s->heap.fail_on = (int)fuzz_number(in, 2);
        break;
    case '{': { /* HOOK ACTION A B */
        struct reaction *r = &w->reactions[fuzz_number(in, SIM_WHATS)];
        r->action = fuzz_number(in, 16);
        r->a = fuzz_number(in, PEERS_MAX);
        r->b = fuzz_number(in, 16);
        break;
    }
    case '`': /* CHANNEL WHAT KEY SIZE: see keep.h */
        number = fuzz_number(in, CHANNELS);
        fuzz_keep(s, channel_of(number), in);
        break;
    case '~': /* CHANNEL HOW: a message written when its position is known */
        number = fuzz_number(in, CHANNELS);
        publish_written(w, number, fuzz_number(in, 10));
        break;
    case '|': /* PEER CHANNEL BACK: resumes */
        number = fuzz_number(in, CHANNELS);
        resume(w, p, number, fuzz_number(in, 10));
        break;
    case '}': /* PEER: feeds it at once */
        feed_now(w, p);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------- begin and end */

static void begin(struct world *w)
{
    static const uint32_t few[] = {16, 1, 2, 4};
    static const uint32_t queues[][2] = {{262144, 1024}, {256, 4}, {1000, 2}, {70000, 1}};
    static const uint64_t pools[] = {1 << 26, 40000, 70000, 100000};
    static const uint32_t bursts[] = {10000, 3, 0, 20};
    static const char *const protocols[] = {"two", NULL};
    fuzz_input *in = w->in;
    sim *s = w->s = sim_new(7);
    wspool_config *c = &s->config;
    unsigned number, last;
    s->test = w;
    s->react = react;
    s->no_memory = 1;
    s->keep_heard = 0;
    s->keep_journal = 0;
    c->max_peers = few[fuzz_number(in, 4)];
    c->max_handshakes = few[fuzz_number(in, 4)];
    number = fuzz_number(in, 4);
    c->queue_bytes = queues[number][0];
    c->queue_messages = queues[number][1];
    c->pool_bytes = pools[fuzz_number(in, 4)];
    c->slow = (enum wspool_slow)fuzz_number(in, 2);
    number = fuzz_number(in, 4);
    s->ask_token = number != 0;
    s->verdict.kind = number == 2 ? WSPOOL_PENDING : number == 3 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
    s->grant = 1;
    number = fuzz_number(in, 3);
    s->ask_capacity = number != 0;
    s->full = number == 2;
    c->abuse_burst = bursts[fuzz_number(in, 4)];
    number = fuzz_number(in, 6);
    s->chop = (enum sim_chop)(number % 3);
    s->async = number / 3 * 50;
    s->says_away = number % 2 != 0;
    last = fuzz_number(in, 60);
    if (last == 1) {
        c->idle_time = 20 * SEC;
        c->ping_interval = SEC;
        c->pong_time = 500 * MS;
        c->lifetime = 60 * SEC;
        c->message_time = 2 * SEC;
        c->flush_time = SEC;
    }
    number = fuzz_number(in, 8);
    c->head_bytes = number & 1 ? 256 : 16384;
    c->channels_per_peer = number & 2 ? 2 : 128;
    c->subprotocols = number & 4 ? protocols : NULL;
    number = fuzz_number(in, 2);
    c->message_bytes = number ? 500 : 65536;
    s->heap.fail_at = last > 1 ? last - 1 : 0; /* creating the pool may fail too */
    sim_start(s);
    s->heap.fail_at = 0;
    if (s->pool) {
        wspool_route_options options;
        wspool_handlers contract = {.size = sizeof contract, .user = w, .render = render_message};
        wspool_handlers second = {
            .size = sizeof second, .user = w, .render = render_other, .subprotocol = "one"};
        (void)SIM_IN(wspool_attach(s->pool, &contract));
        (void)SIM_IN(wspool_attach(s->pool, &second));
        wspool_route_options_init(&options, c);
        options.history = (wspool_history){.messages = 5, .bytes = 60000, .time = 100 * SEC};
        options.slow = WSPOOL_SLOW_BEHIND;
        options.priority = WSPOOL_HIGH;
        (void)SIM_IN(wspool_route(s->pool, "/topic/{name}", WSPOOL_TOPIC, &options));
        options.history =
            (wspool_history){.messages = 3, .max_keys = 4, .tombstone_time = 10 * SEC};
        options.priority = WSPOOL_LOW;
        options.send_interval = number ? 0 : 200 * MS;
        (void)SIM_IN(wspool_route(s->pool, "/session/{name}", WSPOOL_SESSION, &options));
    }
}

static void end(struct world *w)
{
    sim *s = w->s;
    s->heap.fail_at = 0;
    s->react = NULL;
    sim_flow_all(s);
    w->reacted = 0;
    pump(w);
    for (size_t i = 0; i < s->peer_count; i++) {
        const sim_peer *p = s->peers[i];
        const reader *r = &p->reader;
        if (r->status != 0 && (r->status == 101 || (long)r->body.len - 1 == r->body_len)) {
            fuzz_judge_answer(r, CLIENT_ACCEPT, wspool_config_of(s->pool)->subprotocols);
        }
        /* A write that completes after its peer's end was never acked. */
        FUZZ_DEMAND(s->async > 0 || !p->ended || r->close_code == 0 ||
                        r->close_code == p->closed.code_sent,
                    "the Close says %d, the hook %d", r->close_code, p->closed.code_sent);
    }
    sim_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    struct world world = {.in = &in};
    if (size > LONGEST) {
        return 0;
    }
    begin(&world);
    if (world.s->pool == NULL) {
        sim_free(world.s);
        return 0;
    }
    while (in.len > 0) {
        operate(&world);
        look(&world);
    }
    end(&world);
    return 0;
}
