/* SPDX-License-Identifier: MIT */
/*
 * pool/way_in.c - from a transport's first byte, or a hosted request, to an open peer.
 *
 * A head that comes in one piece is judged where the host has it. Only one that comes in parts is
 * gathered, in a hello (hello.h), which also holds what is known while a verdict is awaited. So
 * before its token is accepted a peer costs its record and that, and after its refusal the answer's
 * two KiB.
 */
#include <string.h>

#include "base/growing.h"
#include "link/forms.h"
#include "pool/pool.h"
#include "wire/http.h"
#include "wire/refusal.h"
#include "wire/upgrade.h"

/* ------------------------------------------------------------------ stages */

/* Everything up to `stage` is behind it; the time since the last stage was spent before the
 * first of them. */
static void pass_stages(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage)
{
    if (conn->stage < (uint8_t)stage) {
        wsp_count_add(&pool->count.stages[conn->stage].time, pool->link.now - conn->since);
        conn->since = pool->link.now;
    }
    while (conn->stage < (uint8_t)stage) {
        wsp_count_add(&pool->count.stages[conn->stage].passed, 1);
        conn->stage++;
    }
}

/* A head comes to nothing: was its request line there, and good? Then it ends in the headers. */
static void pass_request_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head, size_t len)
{
    const uint8_t *end = len > 0 ? memchr(head, '\n', len) : NULL;
    if (conn->stage == WSPOOL_STAGE_REQUEST_LINE && end &&
        wsp_http_scan((const char *)head, (size_t)(end - head) + 1, 0) == 0) {
        pass_stages(pool, conn, WSPOOL_STAGE_HEADERS);
    }
}

/* ------------------------------------------------------------------ hellos */

static struct wsp_hello *need_hello(wspool *pool, struct wsp_peer *peer)
{
    if (!peer->conn.work.hello) {
        peer->conn.work.hello = wsp_hello_take(&pool->hellos);
    }
    return peer->conn.work.hello;
}

/* Takes a peer's hello away from it; who takes it gives it back. */
static struct wsp_hello *detach_hello(struct wsp_peer *peer)
{
    struct wsp_hello *hello = peer->conn.work.hello;
    peer->conn.work.hello = NULL;
    return hello;
}

/* ----------------------------------------------------------------- refusal */

static void fill_refusal(const wspool *pool, enum wspool_refusal refusal, wspool_answer *answer)
{
    wsp_upgrade_refuse(answer, refusal, pool->config.retry_after);
}

/* Queues an answer for a raw peer. 0 or NOMEM. */
static int queue_answer(wspool *pool, struct wsp_peer *peer, const wspool_answer *answer)
{
    char text[WSP_UPGRADE_MAX];
    int len = wsp_upgrade_write(answer, text, sizeof text);
    if (len < 0 || wsp_outq_control(&peer->conn.out, &pool->link.stock, text, (size_t)len)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_conn_notice(&pool->link, &peer->conn);
    return 0;
}

/* A raw peer gets its answer; then, or when that can't be, it is over. */
static void answer_refused(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_answer answer;
    fill_refusal(pool, refusal, &answer);
    if (wspool_refusal_status(refusal) == 0 || queue_answer(pool, peer, &answer)) {
        wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
        return;
    }
    conn->state = WSP_REFUSED;
    conn->alarm = pool->link.now + pool->config.closing_time;
    wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
}

/* The books of a refusal, whoever is told of it. */
static void count_refused(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    enum wspool_stage stage = (enum wspool_stage)peer->conn.stage;
    wsp_count_add(&pool->count.stages[stage].refused, 1);
    wsp_count_add(&pool->count.refused[refusal], 1);
    wsp_count_sub(&pool->count.handshakes, 1);
    wsp_hello_give(&pool->hellos, detach_hello(peer));
    wsp_log(pool, WSP_LOG_REFUSED,
            (wspool_log_record){.id = wsp_peer_id(peer),
                                .reason = wspool_refusal_word(refusal),
                                .stage = stage,
                                .status = wspool_refusal_status(refusal)});
}

void wsp_way_in_refuse(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    struct wsp_conn *conn = &peer->conn;
    if (peer == pool->judged) {
        /* A hook that was asked about it closes it: the request is still being read. Once its
         * transport is gone nobody is left to be answered. */
        if (pool->judged_answer != -(int)WSPOOL_REFUSED_GONE - 1) {
            pool->judged_answer = -(int)refusal - 1;
        }
        return;
    }
    const struct wsp_hello *hello = conn->work.hello;
    if (hello && (refusal == WSPOOL_REFUSED_TIMEOUT || refusal == WSPOOL_REFUSED_GONE)) {
        pass_request_line(pool, conn, hello->head.data, hello->head.len);
    }
    int pending = conn->state == WSP_PENDING;
    pool->held -= conn->state == WSP_HELD;
    if (!(conn->flags & WSP_HOSTED)) {
        /* Away from HEAD first: the log hook may look at the peer, or close it. */
        conn->state = WSP_REFUSED;
        count_refused(pool, peer, refusal);
        if (conn->state == WSP_REFUSED) {
            answer_refused(pool, peer, refusal);
        }
        return;
    }
    wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
    count_refused(pool, peer, refusal);
    const wspool_verdict_hook *hook = &pool->config.verdict;
    if (pending && hook->call && refusal != WSPOOL_REFUSED_GONE) {
        wspool_answer answer;
        fill_refusal(pool, refusal, &answer);
        hook->call(pool, wsp_peer_id(peer), &answer, hook->user);
    }
}

/* -------------------------------------------------------------- acceptance */

/* The peer is open: member of its route's channel, known to the host. */
static void become_open(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry)
{
    struct wsp_conn *conn = &peer->conn;
    const struct wsp_route *route = &pool->routes.list[entry->route];
    const wspool_open_hook *hook = &pool->config.open;
    wsp_count_sub(&pool->count.handshakes, 1);
    wsp_count_add(&pool->count.accepted, 1);
    wsp_count_add(&pool->count.peers, 1);
    conn->flags |= WSP_ACCEPTED;
    conn->route = entry->route;
    conn->gate.coding = wsp_coding(entry->agreed.form, entry->agreed.reading);
    wsp_conn_open(&pool->link, conn);
    if (pool->drain.on) {
        wsp_timers_sooner(&pool->link.timers, conn->slot.index,
                          wsp_drain_time(pool, conn->slot.index));
    }
    if (route->kind != WSPOOL_NONE &&
        wsp_join(pool, peer, wspool_channel_of(route->kind, entry->name, entry->name_len))) {
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_NOMEM, 1);
    }
    wsp_log(pool, WSP_LOG_OPENED, (wspool_log_record){.id = wsp_peer_id(peer)});
    if (hook->call) {
        const char *subprotocol = entry->subprotocol ? entry->subprotocol : "";
        const char *extension = entry->agreed.form ? entry->agreed.answer : "";
        wspool_opened opened = {.route_user = route->user,
                                .channel = {entry->name, entry->name_len},
                                .subprotocol = {subprotocol, strlen(subprotocol)},
                                .query = entry->query,
                                .extension = {extension, strlen(extension)}};
        hook->call(pool, wsp_peer_id(peer), &opened, hook->user);
    }
}

/* Raw: the 101 goes out, and what came behind the head comes in. */
static void accept_raw(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry,
                       const uint8_t *rest, size_t rest_len)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_answer answer;
    wsp_upgrade_accept(&answer, entry->accept, entry->subprotocol, wsp_entry_extension(entry));
    pass_stages(pool, conn, WSPOOL_STAGE_VERDICT);
    if (queue_answer(pool, peer, &answer)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
        return;
    }
    pass_stages(pool, conn, WSPOOL_STAGE_FLUSHED);
    conn->flags |= WSP_ANSWERING;
    struct wsp_hello *hello = detach_hello(peer); /* the entry may point into it */
    become_open(pool, peer, entry);
    wsp_hello_give(&pool->hellos, hello);
    if (rest_len > 0) {
        wsp_conn_receive(&pool->link, conn, rest, rest_len, wsp_message_limit(pool, peer));
    }
}

void wsp_way_in_flushed(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_stage_counts *counts = &pool->count.stages[WSPOOL_STAGE_FLUSHED];
    peer->conn.flags = (uint16_t)(peer->conn.flags & ~WSP_ANSWERING);
    wsp_count_add(&counts->passed, 1);
    wsp_count_add(&counts->time, pool->link.now - peer->conn.since);
}

/* ------------------------------------------------------------------- judge */

static struct wsp_admission admission_of(wspool *pool)
{
    return (struct wsp_admission){
        .pool = pool,
        .config = &pool->config,
        .routes = &pool->routes,
        .origins = &pool->origins,
        .full = wsp_count_read(&pool->count.peers) + pool->held >= pool->config.max_peers,
        .draining = pool->drain.on,
    };
}

/* The verdict is awaited: keep what was found out. */
static int put_off(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry)
{
    struct wsp_conn *conn = &peer->conn;
    struct wsp_hello *hello = need_hello(pool, peer);
    if (!hello || wsp_hello_keep_entry(&pool->hellos, hello, entry)) {
        return -(int)WSPOOL_REFUSED_NOMEM - 1;
    }
    conn->state = WSP_PENDING;
    conn->alarm = pool->link.now + pool->config.verdict_time;
    wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
    if (!(conn->flags & WSP_HOSTED)) { /* which has no transport of ours to be told of */
        wsp_conn_notice(&pool->link, conn);
    }
    return WSP_PUT_OFF;
}

/* Between these two, hooks are asked about a peer; what they do to it takes effect behind them. */
static void begin_judging(wspool *pool, struct wsp_peer *peer)
{
    pool->judged = peer;
    pool->judged_answer = WSP_ADMITTED;
}

static int end_judging(wspool *pool, struct wsp_peer *peer, int answer,
                       const struct wsp_entry *entry)
{
    pool->judged = NULL;
    pass_stages(pool, &peer->conn, entry->stage);
    return pool->judged_answer < 0 ? pool->judged_answer : answer;
}

/* Asks all that is to be asked about a request: WSP_ADMITTED, WSP_PUT_OFF, or a refusal. */
static int judge(wspool *pool, struct wsp_peer *peer, wspool_request *request,
                 struct wsp_entry *entry)
{
    struct wsp_admission admission = admission_of(pool);
    begin_judging(pool, peer);
    int answer = wsp_admission_judge(&admission, wsp_peer_id(peer), request, entry);
    answer = end_judging(pool, peer, answer, entry);
    peer->identity = entry->identity;
    return answer == WSP_PUT_OFF ? put_off(pool, peer, entry) : answer;
}

/* What comes while the verdict is awaited is kept, as much as a head may be. */
static void feed_pending(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_hello *hello = peer->conn.work.hello;
    if (len > wsp_hello_room(&pool->hellos, hello)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_EARLY_DATA);
    } else if (wsp_hello_keep(&pool->hellos, hello, bytes, len)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
    }
}

static void judge_raw(wspool *pool, struct wsp_peer *peer, wspool_request *request,
                      const uint8_t *rest, size_t rest_len)
{
    struct wsp_entry entry = {.stage = WSPOOL_STAGE_BYTES};
    int answer = judge(pool, peer, request, &entry);
    if (answer < 0) {
        wsp_way_in_refuse(pool, peer, wsp_refusal_of(answer));
    } else if (answer == WSP_ADMITTED) {
        accept_raw(pool, peer, &entry, rest, rest_len);
    } else if (rest_len > 0) {
        feed_pending(pool, peer, rest, rest_len);
    }
}

/* --------------------------------------------------------------------- raw */

int wspool_open(wspool *pool, void *user, uint64_t now, wspool_id *id)
{
    int error;
    if (!pool || !id) {
        return WSPOOL_ERR_INVAL;
    }
    *id = 0;
    wsp_enter_at(pool, now);
    struct wsp_peer *peer = wsp_take_peer(pool, &error);
    if (peer) {
        error = 0;
        peer->user = user;
        wsp_conn_init(&pool->link, &peer->conn, WSP_HEAD);
        *id = wsp_peer_id(peer);
    }
    wsp_leave(pool);
    return error;
}

/* Keeps a part of a head, and never more than `head_bytes` of it. 0 or NOMEM. */
static int gather(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_hello *hello = need_hello(pool, peer);
    if (!hello) {
        return WSPOOL_ERR_NOMEM;
    }
    size_t room = wsp_hello_room(&pool->hellos, hello);
    return wsp_hello_keep(&pool->hellos, hello, bytes, len < room ? len : room);
}

static void feed_head(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_header headers[256];
    wspool_request request = {.size = sizeof request, .user = peer->user};
    const uint8_t *head = bytes;
    size_t have = len < pool->config.head_bytes ? len : pool->config.head_bytes;
    size_t seen = 0, before = 0;
    if (conn->stage == WSPOOL_STAGE_BYTES) {
        pass_stages(pool, conn, WSPOOL_STAGE_REQUEST_LINE);
        conn->alarm = pool->link.now + pool->config.handshake_time;
        wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
    }
    if (conn->work.hello) {
        before = conn->work.hello->head.len;
        if (gather(pool, peer, bytes, len)) {
            wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
            return;
        }
        head = conn->work.hello->head.data;
        have = conn->work.hello->head.len;
        seen = conn->work.hello->seen;
    }
    int end =
        wsp_http_parse((const char *)head, have, seen, &request, headers, pool->config.head_count);
    if (end < 0) {
        pass_request_line(pool, conn, head, have);
        wsp_way_in_refuse(pool, peer, wsp_refusal_of(end));
    } else if (end > 0) {
        size_t taken = (size_t)end - before; /* of this call's bytes */
        judge_raw(pool, peer, &request, bytes + taken, len - taken);
    } else if (have == pool->config.head_bytes) {
        pass_request_line(pool, conn, head, have);
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_HEAD_TOO_LARGE);
    } else if (!conn->work.hello && gather(pool, peer, bytes, len)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
    } else {
        conn->work.hello->seen = have;
    }
}

void wsp_way_in_feed(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return;
    }
    if (peer->conn.state == WSP_PENDING) {
        feed_pending(pool, peer, bytes, len);
    } else {
        feed_head(pool, peer, bytes, len);
    }
}

void wsp_way_in_timer(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    if (conn->alarm > pool->link.now) {
        wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
    } else if (conn->state == WSP_HEAD) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_TIMEOUT);
    } else if (conn->state == WSP_PENDING) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_VERDICT_TIMEOUT);
    } else {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOT_ADOPTED);
    }
}

/* ------------------------------------------------------------------ hosted */

/* The place is held until the host has sent the 101. */
static void hold(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    pass_stages(pool, conn, WSPOOL_STAGE_VERDICT);
    conn->state = WSP_HELD;
    pool->held++;
    conn->alarm = pool->link.now + pool->config.handshake_time;
    wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
}

static int upgrade(wspool *pool, struct wsp_peer *peer, wspool_request *request, wspool_id *id,
                   wspool_answer *answer)
{
    struct wsp_entry entry = {.stage = WSPOOL_STAGE_BYTES};
    peer->user = request->user;
    peer->conn.flags |= WSP_HOSTED;
    wsp_conn_init(&pool->link, &peer->conn, WSP_HEAD);
    struct wsp_hello *hello = need_hello(pool, peer);
    int judged = -(int)WSPOOL_REFUSED_NOMEM - 1;
    if (request->target.len > pool->config.head_bytes) {
        judged = -(int)WSPOOL_REFUSED_HEAD_TOO_LARGE - 1; /* its query might have to be kept */
    } else if (hello) {
        judged = judge(pool, peer, request, &entry);
    }
    if (judged == WSP_ADMITTED && wsp_hello_keep_entry(&pool->hellos, hello, &entry)) {
        judged = -(int)WSPOOL_REFUSED_NOMEM - 1;
    }
    if (judged < 0) {
        wsp_way_in_refuse(pool, peer, wsp_refusal_of(judged));
        fill_refusal(pool, wsp_refusal_of(judged), answer);
        return WSPOOL_UPGRADE_REFUSED;
    }
    *id = wsp_peer_id(peer);
    if (judged == WSP_PUT_OFF) {
        return WSPOOL_UPGRADE_PENDING;
    }
    wsp_upgrade_accept(answer, entry.accept, entry.subprotocol, wsp_entry_extension(&entry));
    hold(pool, peer);
    return WSPOOL_UPGRADE_ACCEPTED;
}

int wspool_upgrade(wspool *pool, const wspool_request *given, uint64_t now, wspool_id *id,
                   wspool_answer *answer)
{
    wspool_request request = {0};
    int result;
    if (!pool || !given || !id || !answer || wsp_growing_copy(&request, sizeof request, given) ||
        (request.header_count > 0 && !request.headers) ||
        (request.method.len > 0 && !request.method.data) ||
        (request.target.len > 0 && !request.target.data)) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    *id = 0;
    memset(answer, 0, sizeof *answer);
    wsp_enter_at(pool, now);
    struct wsp_peer *peer = wsp_take_peer(pool, &result);
    if (peer) {
        result = upgrade(pool, peer, &request, id, answer);
    }
    wsp_leave(pool);
    return result;
}

int wspool_adopt(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now)
{
    if (!pool || (!bytes && len > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (peer->conn.state != WSP_HELD) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter_at(pool, now);
    struct wsp_hello *hello = detach_hello(peer);
    pool->held--;
    pass_stages(pool, &peer->conn, WSPOOL_STAGE_FLUSHED);
    wsp_way_in_flushed(pool, peer);
    become_open(pool, peer, wsp_hello_entry(hello));
    wsp_hello_give(&pool->hellos, hello);
    if (len > 0) {
        wsp_count_add(&pool->count.received_bytes, len);
        wsp_conn_receive(&pool->link, &peer->conn, bytes, len, wsp_message_limit(pool, peer));
    }
    wsp_leave(pool);
    return 0;
}

/* ----------------------------------------------------------------- verdict */

static void admit_pending(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_hello *hello = peer->conn.work.hello;
    const wspool_verdict_hook *hook = &pool->config.verdict;
    if (peer->conn.flags & WSP_HOSTED) {
        wspool_answer answer;
        const struct wsp_entry *entry = &hello->entry;
        wsp_upgrade_accept(&answer, entry->accept, entry->subprotocol, wsp_entry_extension(entry));
        hold(pool, peer);
        if (hook->call) {
            hook->call(pool, wsp_peer_id(peer), &answer, hook->user);
        }
        return;
    }
    const struct wsp_entry *entry = wsp_hello_entry(hello);
    struct wsp_bytes kept = hello->head;
    size_t early = entry->query.len;
    hello->head = (struct wsp_bytes){0};
    accept_raw(pool, peer, entry, early < kept.len ? kept.data + early : NULL, kept.len - early);
    wsp_bytes_fini(&kept, &pool->config.mem);
}

void wsp_way_in_verdict(wspool *pool, wspool_id id, const wspool_verdict *verdict)
{
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer || peer->conn.state != WSP_PENDING) {
        if (verdict->kind == WSPOOL_ACCEPT) {
            wsp_free_identity(pool, verdict->identity);
        }
        return;
    }
    struct wsp_admission admission = admission_of(pool);
    struct wsp_hello *hello = peer->conn.work.hello;
    struct wsp_entry *entry = wsp_hello_entry(hello);
    begin_judging(pool, peer);
    int answer = wsp_admission_resume(&admission, id, verdict, entry);
    answer = end_judging(pool, peer, answer, entry);
    peer->identity = entry->identity;
    if (answer < 0) {
        wsp_way_in_refuse(pool, peer, wsp_refusal_of(answer));
    } else {
        admit_pending(pool, peer);
    }
}
